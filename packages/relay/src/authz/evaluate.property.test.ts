// The compiled policies against a reference written straight from the text of R-N3: slow, without indexes, bounds or
// folding, it works on the configuration itself. It represents an anonymous visitor's selectors as the set of what they
// may turn out to be, and combines sets element by element.

import fc from "fast-check";
import { expect, it } from "vitest";
import type { Identity } from "../authn/identity.ts";
import {
  selectorEntry,
  type GroupConfig,
  type PolicyConfig,
  type RuleLists,
  type Selector,
  type SelectorEntry,
} from "../config/policy-types.ts";
import { DecisionCache } from "./decision-cache.ts";
import { evaluate } from "./evaluate.ts";
import { explain } from "./explain.ts";
import type { CertificateFact, RequestFacts } from "./facts.ts";
import { parseIp } from "./ip.ts";
import { application, facts, person, service } from "./testing.ts";

type Value = "true" | "false" | "unknown";
type Possible = ReadonlySet<Value>;

interface World {
  readonly identity: Identity | undefined;
  readonly address: string | undefined;
  readonly country: string | undefined;
  readonly method: string;
  readonly answer: boolean | undefined;
  readonly certificate: CertificateFact | undefined;
}

const ANYTHING: Possible = new Set(["true", "false", "unknown"]);

function known(value: boolean | undefined): Possible {
  return new Set([value === undefined ? "unknown" : value ? "true" : "false"]);
}

function referenceSelector({ kind, value }: SelectorEntry, world: World, groups: readonly GroupConfig[]): Possible {
  const { identity } = world;
  const aboutPerson = (read: (who: Extract<Identity, { kind: "person" }>) => boolean | undefined): Possible => {
    if (identity === undefined) return ANYTHING;
    return known(identity.kind === "person" ? read(identity) : false);
  };
  switch (kind) {
    case "everyone":
      return known(true);
    case "email":
      return aboutPerson((who) => (who.email === undefined ? undefined : who.email === value));
    case "emailDomain":
      return aboutPerson((who) => (who.email === undefined ? undefined : who.email.endsWith(`@${value}`)));
    case "identityGroup":
      return aboutPerson((who) => who.groups?.includes(value));
    case "claim":
      return aboutPerson((who) => (who.claims[value.name] === undefined ? undefined : who.claims[value.name] === value.equals));
    case "identityProvider":
      return aboutPerson((who) => who.provider === value);
    case "authMethod":
      return aboutPerson((who) => who.authMethods?.includes(value));
    case "ip":
      return known(
        world.address === undefined ? undefined : value === "10.0.0.0/8" ? world.address.startsWith("10.") : world.address === value,
      );
    case "country":
      return known(world.address === undefined || world.country === undefined ? undefined : [value].flat().includes(world.country));
    case "serviceToken":
      return known(identity?.kind === "service" && identity.name === value);
    case "anyServiceToken":
      return known(identity?.kind === "service");
    case "method":
      return known([value].flat().includes(world.method === "HEAD" ? "GET" : world.method));
    case "externalEvaluation":
      return identity === undefined ? ANYTHING : known(world.answer);
    case "group": {
      const group = groups.find(({ name }) => name === value);
      if (group === undefined) throw new Error("no such group");
      return referenceRules(group, world, groups);
    }
    case "clientCertificate": {
      const { certificate } = world;
      if (certificate === undefined) return known(undefined);
      if (certificate.kind === "pending") return ANYTHING;
      return known(certificate.kind === "verified" && (value === "any" || certificate.commonName === value.commonName));
    }
    case "timeWindow":
      throw new Error("not generated");
  }
}

function combine(left: Possible, right: Possible, how: (left: Value, right: Value) => Value): Possible {
  return new Set([...left].flatMap((one) => [...right].map((other) => how(one, other))));
}

const or = (left: Value, right: Value): Value =>
  left === "true" || right === "true" ? "true" : left === "unknown" || right === "unknown" ? "unknown" : "false";
const and = (left: Value, right: Value): Value =>
  left === "false" || right === "false" ? "false" : left === "unknown" || right === "unknown" ? "unknown" : "true";
const not = (value: Value): Value => (value === "true" ? "false" : value === "false" ? "true" : "unknown");

function referenceRules(rules: RuleLists, world: World, groups: readonly GroupConfig[]): Possible {
  const values = (list: readonly Selector[] | undefined): readonly Possible[] =>
    (list ?? []).map((selector) => referenceSelector(selectorEntry(selector), world, groups));
  const included = values(rules.include).reduce((left, right) => combine(left, right, or), known(false));
  const required = values(rules.require).reduce((left, right) => combine(left, right, and), known(true));
  const excluded = values(rules.exclude).reduce((left, right) => combine(left, right, or), known(false));
  return combine(combine(included, required, and), new Set([...excluded].map(not)), and);
}

function referenceOutcome(policies: readonly PolicyConfig[], groups: readonly GroupConfig[], world: World): string {
  const all = (action: PolicyConfig["action"]): readonly Possible[] =>
    policies.filter((policy) => policy.action === action).map((policy) => referenceRules(policy, world, groups));
  const onlyTrue = (possible: Possible): boolean => [...possible].every((value) => value === "true");
  // Unknown always satisfies the conditions of deny; decided without the pending ones: whatever they turn out to be.
  if (all("deny").some((possible) => [...possible].every((value) => value !== "false"))) return "deny by deny";
  if (all("bypass").some(onlyTrue)) return "allow by bypass";
  if (world.identity?.kind === "service") return all("service").some(onlyTrue) ? "allow by service" : "deny by nothing";
  // A certificate that is still to come counts in favour of a person: sign-in is decided by this, requests never are.
  if (world.identity?.kind === "person")
    return all("allow").some((possible) => possible.has("true")) ? "allow by allow" : "deny by nothing";
  return all("allow").some((possible) => possible.has("true")) ? "login by nothing" : "deny by nothing";
}

const EMAILS = ["ann@example.com", "bob@example.com", "cy@example.org"];
const GROUPS = ["eng", "ops"];
const URLS = { url: "https://evaluator.example.com/", keysUrl: "https://evaluator.example.com/keys" };

const leaf: fc.Arbitrary<Selector> = fc.oneof(
  fc.constant({ everyone: true as const }),
  fc.constantFrom(...EMAILS).map((email) => ({ email })),
  fc.constantFrom("example.com", "example.org").map((emailDomain) => ({ emailDomain })),
  fc.constantFrom(...GROUPS).map((identityGroup) => ({ identityGroup })),
  fc.constantFrom("sales", "hr").map((equals) => ({ claim: { name: "department", equals } })),
  fc.constantFrom("corp", "github").map((identityProvider) => ({ identityProvider })),
  fc.constantFrom("mfa", "pwd").map((authMethod) => ({ authMethod })),
  fc.constantFrom("10.0.0.0/8", "192.0.2.1").map((ip) => ({ ip })),
  fc.constantFrom<string | string[]>("DE", "FR", ["DE", "FR"]).map((country) => ({ country })),
  fc.constantFrom("bot", "ci").map((serviceToken) => ({ serviceToken })),
  fc.constant({ anyServiceToken: true as const }),
  fc.constantFrom<string | string[]>("GET", "POST", ["PUT", "GET"]).map((method) => ({ method })),
  fc.constant({ externalEvaluation: URLS }),
  fc.constantFrom<Selector>({ clientCertificate: "any" }, { clientCertificate: { commonName: "ci" } }),
);

function rules(selector: fc.Arbitrary<Selector>): fc.Arbitrary<RuleLists> {
  return fc.record({
    include: fc.array(selector, { minLength: 1, maxLength: 3 }),
    require: fc.option(fc.array(selector, { minLength: 1, maxLength: 2 }), { nil: undefined }),
    exclude: fc.option(fc.array(selector, { maxLength: 2 }), { nil: undefined }),
  });
}

// Groups g0 to g2, each may refer to those before it.
const groupsArbitrary: fc.Arbitrary<readonly GroupConfig[]> = fc
  .tuple(
    ...[0, 1, 2].map((index) =>
      rules(
        index === 0
          ? leaf
          : fc.oneof({ weight: 4, arbitrary: leaf }, { weight: 1, arbitrary: fc.nat(index - 1).map((other) => ({ group: `g${other}` })) }),
      ),
    ),
  )
  .map((all) => all.map((one, index) => ({ name: `g${index}`, ...one })));

const selector = fc.oneof(
  { weight: 4, arbitrary: leaf },
  { weight: 1, arbitrary: fc.nat(2).map((index): Selector => ({ group: `g${index}` })) },
);

const policiesArbitrary: fc.Arbitrary<readonly PolicyConfig[]> = fc
  .array(
    fc.tuple(
      fc.constantFrom("allow", "allow", "deny", "bypass", "service"),
      rules(selector),
      fc.option(fc.constantFrom(3_600_000, 7_200_000), { nil: undefined }),
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((all) => all.map(([action, lists, sessionDurationMs], index) => ({ name: `p${index}`, action, ...lists, sessionDurationMs })));

const identityArbitrary: fc.Arbitrary<Identity | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom("bot", "other").map(service),
  fc
    .record({
      provider: fc.constantFrom("corp", "github"),
      email: fc.constantFrom(undefined, ...EMAILS),
      groups: fc.option(fc.subarray(GROUPS), { nil: undefined }),
      authMethods: fc.option(fc.subarray(["mfa", "pwd"]), { nil: undefined }),
      claims: fc.constantFrom({}, { department: "sales" }),
    })
    .map(person),
);

const worldArbitrary: fc.Arbitrary<World> = fc.record({
  identity: identityArbitrary,
  address: fc.constantFrom(undefined, "10.1.2.3", "192.0.2.1", "203.0.113.9"),
  country: fc.constantFrom(undefined, "DE", "US"),
  method: fc.constantFrom("GET", "HEAD", "POST"),
  answer: fc.constantFrom(undefined, true, false),
  certificate: fc.constantFrom<(CertificateFact | undefined)[]>(
    undefined,
    { kind: "none" },
    { kind: "refused", problem: "CERT_REVOKED" },
    { kind: "pending" },
    certificate("ci", "a"),
    certificate("other", "b"),
  ),
});

function certificate(commonName: string, digit: string): CertificateFact {
  return { kind: "verified", commonName, subjectAlternativeNames: [], fingerprint: digit.repeat(64) };
}

function factsOf(world: World): RequestFacts {
  return facts({
    identity: world.identity,
    ip: world.address === undefined ? undefined : parseIp(world.address),
    countryOf: (ip) => (ip === undefined ? undefined : world.country),
    method: world.method,
    clientCertificate: world.certificate,
    external: () => world.answer,
  });
}

const outcomeOf = ({ outcome, action }: ReturnType<typeof evaluate>): string => `${outcome} by ${action ?? "nothing"}`;

it("compiled policies decide as the reference does (R-N3)", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(policiesArbitrary, groupsArbitrary, worldArbitrary, (policies, groups, world) => {
      const decision = evaluate(application(policies, groups), factsOf(world));
      expect(outcomeOf(decision)).toBe(referenceOutcome(policies, groups, world));
      seen.set(outcomeOf(decision), (seen.get(outcomeOf(decision)) ?? 0) + 1);
    }),
    { numRuns: 20_000 },
  );
  // Every outcome was reached often enough for the agreement to mean something.
  for (const outcome of ["deny by deny", "allow by bypass", "allow by service", "allow by allow", "login by nothing", "deny by nothing"]) {
    expect(seen.get(outcome) ?? 0, outcome).toBeGreaterThan(200);
  }
});

const shuffled = <T>(items: readonly T[]): fc.Arbitrary<readonly T[]> => fc.shuffledSubarray([...items], { minLength: items.length });

const shuffledPolicy = (policy: PolicyConfig): fc.Arbitrary<PolicyConfig> =>
  fc
    .tuple(shuffled(policy.include), shuffled(policy.require ?? []), shuffled(policy.exclude ?? []))
    .map(([include, require, exclude]) => ({ ...policy, include, require, exclude }));

it("the order of policies and of selectors changes nothing of a decision, not even which policy is reported (R-N3)", () => {
  const pair = policiesArbitrary.chain((policies) =>
    fc.tuple(fc.constant(policies), fc.tuple(...policies.map(shuffledPolicy)).chain(shuffled)),
  );
  fc.assert(
    fc.property(pair, groupsArbitrary, worldArbitrary, ([policies, permuted], groups, world) => {
      expect(evaluate(application(permuted, groups), factsOf(world))).toEqual(evaluate(application(policies, groups), factsOf(world)));
    }),
    { numRuns: 20_000 },
  );
});

it("a trace agrees with the decision: exactly the deciding policy decides, and no other takes effect before it (R-M6)", () => {
  fc.assert(
    fc.property(policiesArbitrary, groupsArbitrary, worldArbitrary, (policies, groups, world) => {
      const app = application(policies, groups);
      const { decision, policies: traces } = explain(app, factsOf(world));
      expect(decision).toEqual(evaluate(app, factsOf(world)));
      const effective = traces.filter(({ role }) => role === "decides" || role === "overruled");
      expect(effective.at(0)?.policy).toBe(decision.policy);
      expect(traces.filter(({ role }) => role === "decides")).toHaveLength(decision.policy === undefined ? 0 : 1);
      const isPossible = traces.some(({ role }) => role === "possible");
      if (effective.length === 0) expect(isPossible).toBe(decision.outcome === "login");
    }),
    { numRuns: 3_000 },
  );
});

it("a remembered decision is the decision of the same request evaluated anew", () => {
  const worlds = fc.array(worldArbitrary, { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(policiesArbitrary, groupsArbitrary, worlds, identityArbitrary, (policies, groups, requests, identity) => {
      const app = application(policies, groups);
      const cache = new DecisionCache();
      // A country belongs to its address; the answer of an evaluator may change at any time.
      const country = (world: World): string | undefined =>
        world.address === undefined ? undefined : world.address.startsWith("10.") ? "DE" : "US";
      for (const request of requests) {
        const visit = factsOf({ ...request, identity, country: country(request) });
        expect(cache.decide(app, visit)).toEqual(evaluate(app, visit));
      }
    }),
    { numRuns: 3_000 },
  );
});
