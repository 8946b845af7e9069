// An application as sign-in sees it: where it is, which cookie it has, and what its policies say to a person, by the same
// decision as for requests.

import { formatAuthority } from "@sallyport/shared/http/authority";
import { readTarget } from "@sallyport/shared/http/path";
import type { PersonIdentity } from "../authn/identity.ts";
import type { LoginTarget, LoginVisit, TargetDecision } from "../authn/login/types.ts";
import type { Session } from "../authn/session.ts";
import type { CertificateFact, ExternalLookup, RequestFacts } from "../authz/facts.ts";
import { parseIp } from "../authz/ip.ts";
import { REASONS } from "../authz/reasons.ts";
import type { Application, Runtime } from "./runtime.ts";
import { judgeForApplication } from "./session-use.ts";

/** What a decision needs beside the configuration. */
export interface TargetServices {
  now(): number;
  lastSeenAt(sessionId: string): number | undefined;
  /** What evaluators are known to say of a person. */
  external(application: Application, identity: PersonIdentity): ExternalLookup;
}

/** The application at this path (with query) of this host; undefined: none, or a path that can be misread. */
export function findLoginTarget(services: TargetServices, runtime: Runtime, hostname: string, path: string): LoginTarget | undefined {
  const read = readTarget(path);
  if (read.kind !== "path") return undefined;
  const route = runtime.routes.find(hostname, read.readings);
  return route.kind === "application" ? loginTarget(services, runtime, route.application, hostname) : undefined;
}

/** Every application that has a host name of its own, in the order of the configuration. */
export function* loginTargets(services: TargetServices, runtime: Runtime): Generator<LoginTarget> {
  for (const application of runtime.applications.values()) {
    if (!application.hostname.startsWith("*.")) yield loginTarget(services, runtime, application, application.hostname);
  }
}

/** @param hostname the host that was asked for: of a wildcard application one of many */
export function loginTarget(services: TargetServices, runtime: Runtime, application: Application, hostname: string): LoginTarget {
  const { scheme, port } = runtime.config.authUrl;
  const { name, aud, cookie } = application;
  return {
    name,
    hostname,
    origin: `${scheme}://${formatAuthority(hostname, port, scheme)}`,
    applicationPath: application.config.path,
    aud,
    cookie,
    decide: (session, visit) => decide(services, runtime, { application, hostname, session, visit }),
  };
}

const ANOTHER_CONNECTION: CertificateFact = { kind: "pending" };

interface Question {
  readonly application: Application;
  readonly hostname: string;
  readonly session: Session;
  readonly visit: LoginVisit;
}

function decide(services: TargetServices, runtime: Runtime, { application, hostname, session, visit }: Question): TargetDecision {
  const nowMs = services.now();
  const facts: RequestFacts = {
    identity: session.identity,
    ip: parseIp(visit.clientAddress),
    countryOf: runtime.countryOf,
    // What follows a sign-in is a navigation.
    method: "GET",
    nowMs,
    // The auth host asks for none: the first request over there tells.
    clientCertificate: runtime.clientAuthorities.of(hostname) === undefined ? undefined : ANOTHER_CONNECTION,
    external: services.external(application, session.identity),
  };
  const decision = runtime.decisions.decide(application.policies, facts);
  if (decision.outcome !== "allow") return { kind: "deny", reason: decision.reason, detail: REASONS[decision.reason] };
  if (decision.action === "bypass") return { kind: "allow" };
  const sight = { session, lastSeenAt: services.lastSeenAt(session.id), nowMs };
  return judgeForApplication(runtime, application, decision, sight) === "good" ? { kind: "allow" } : { kind: "too-old" };
}
