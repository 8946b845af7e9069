// Runs the `tests` of a configuration (A20) against its compiled policies, through the same route matching and the same
// evaluation as live traffic. Called by `check` and before every reload. Must not know how routes are matched.

import type { Identity, PersonIdentity } from "../authn/identity.ts";
import { describesPerson, parseTestRequest } from "../config/policy-test-schema.ts";
import type { PolicyTestConfig, TestCertificate, TestVisitor } from "../config/policy-types.ts";
import { explain, type Explanation } from "./explain.ts";
import type { ClientCertificate, CountryLookup, RequestFacts } from "./facts.ts";
import { parseIp } from "./ip.ts";
import type { CompiledApplication } from "./policy.ts";

/** What the ingress does with a URL before any policy is asked. */
export type TestRoute =
  | { readonly kind: "application"; readonly application: CompiledApplication }
  /** Refused without a decision (unknown host, ambiguous path, unknown method); `code` is the error code. */
  | { readonly kind: "refused"; readonly code: string };

export interface PolicyTestOptions {
  /** Route matching as the ingress does it. */
  readonly routeFor: (url: URL, method: string) => TestRoute;
  readonly countryOf: CountryLookup;
  /** Time of requests whose test names none, milliseconds since the epoch. */
  readonly nowMs: number;
  /** Provider of people whose test names none; undefined unless exactly one is configured. */
  readonly defaultProvider: string | undefined;
}

export interface TestFailure {
  /** Index in `tests`. */
  readonly index: number;
  readonly request: string;
  /** `expected deny, got allow (allowed, policy engineers)` */
  readonly message: string;
  /** undefined when the request was refused before any policy was asked. */
  readonly explanation: Explanation | undefined;
}

interface Outcome {
  readonly outcome: string;
  readonly reason: string;
  readonly policy: string | undefined;
}

/** Runs all tests; an empty list means that all passed. A refused request counts as deny. */
export function runPolicyTests(tests: readonly PolicyTestConfig[], options: PolicyTestOptions): readonly TestFailure[] {
  return tests.flatMap((test, index) => runTest(test, index, options) ?? []);
}

function runTest(test: PolicyTestConfig, index: number, options: PolicyTestOptions): TestFailure | undefined {
  const request = parseTestRequest(test.request);
  if (request === undefined) throw new TypeError("a policy test without a request");
  const route = options.routeFor(request.url, request.method);
  const explanation = route.kind === "application" ? explain(route.application, visitorFacts(test.as, request.method, options)) : undefined;
  const actual: Outcome = explanation?.decision ?? {
    outcome: "deny",
    reason: route.kind === "refused" ? route.code : "",
    policy: undefined,
  };
  if (fits(test, actual)) return undefined;
  return { index, request: test.request, message: `expected ${describeExpected(test)}, got ${describeOutcome(actual)}`, explanation };
}

function fits(test: PolicyTestConfig, actual: Outcome): boolean {
  return (
    actual.outcome === test.expect &&
    (test.policy === undefined || actual.policy === test.policy) &&
    (test.reason === undefined || actual.reason === test.reason)
  );
}

function describeExpected({ expect, reason, policy }: PolicyTestConfig): string {
  const details = [reason && `reason ${reason}`, policy && `policy ${policy}`].filter((detail) => detail !== undefined);
  return details.length === 0 ? expect : `${expect} (${details.join(", ")})`;
}

function describeOutcome({ outcome, reason, policy }: Outcome): string {
  return `${outcome} (${reason}${policy === undefined ? "" : `, policy ${policy}`})`;
}

/** The facts of a hypothetical visitor; `explain` uses it for visitors described on the command line. */
export function visitorFacts(as: TestVisitor, method: string, options: Omit<PolicyTestOptions, "routeFor">): RequestFacts {
  return {
    identity: identityOf(as, options.defaultProvider),
    ip: as.ip === undefined ? undefined : parseIp(as.ip),
    countryOf: as.country === undefined ? options.countryOf : () => as.country,
    method,
    nowMs: as.time === undefined ? options.nowMs : Date.parse(as.time),
    clientCertificate: as.clientCertificate === undefined ? { kind: "none" } : certificateOf(as.clientCertificate),
    external: (url) => (as.external !== undefined && Object.hasOwn(as.external, url) ? as.external[url] : undefined),
  };
}

function identityOf(as: TestVisitor, defaultProvider: string | undefined): Identity | undefined {
  if (as.serviceToken !== undefined) return { kind: "service", tokenId: "test", name: as.serviceToken };
  return describesPerson(as) ? personOf(as, defaultProvider) : undefined;
}

function personOf(as: TestVisitor, defaultProvider: string | undefined): PersonIdentity {
  return {
    kind: "person",
    provider: as.provider ?? defaultProvider ?? "",
    subject: "test",
    email: as.email,
    name: undefined,
    groups: as.groups,
    authMethods: as.authMethods,
    claims: as.claims ?? {},
    sessionId: "test",
  };
}

function certificateOf(certificate: TestCertificate): ClientCertificate {
  return {
    kind: "verified",
    commonName: certificate.commonName,
    subjectAlternativeNames: certificate.subjectAlternativeNames ?? [],
    fingerprint: certificate.fingerprint ?? "0".repeat(64),
  };
}
