// Builders for the tests of this folder: a visitor, a request, a compiled application.

import type { PersonIdentity, ServiceIdentity } from "../authn/identity.ts";
import type { GroupConfig, PolicyConfig, RuleLists, Selector } from "../config/policy-types.ts";
import { compileApplications } from "./compile.ts";
import { noCountry, noExternal, type RequestFacts } from "./facts.ts";
import type { CompiledApplication, CompiledPolicy } from "./policy.ts";

/** Thursday 2026-01-01 00:00 UTC. */
export const NEW_YEAR_MS: number = Date.UTC(2026, 0, 1);

export function facts(overrides: Partial<RequestFacts> = {}): RequestFacts {
  return {
    identity: undefined,
    ip: undefined,
    countryOf: noCountry,
    method: "GET",
    nowMs: NEW_YEAR_MS,
    clientCertificate: { kind: "none" },
    external: noExternal,
    ...overrides,
  };
}

export function person(overrides: Partial<PersonIdentity> = {}): PersonIdentity {
  return {
    kind: "person",
    provider: "corp",
    subject: "1",
    email: "ann@example.com",
    name: "Ann",
    groups: ["eng"],
    authMethods: ["pwd"],
    claims: {},
    sessionId: "s",
    ...overrides,
  };
}

export function service(name: string): ServiceIdentity {
  return { kind: "service", tokenId: "t", name };
}

export function policy(name: string, action: PolicyConfig["action"], rules: Partial<RuleLists>, sessionDurationMs?: number): PolicyConfig {
  return { name, action, include: [{ everyone: true }], ...rules, sessionDurationMs };
}

/** An application `app` with all of these policies. */
export function application(policies: readonly PolicyConfig[], groups: readonly GroupConfig[] = []): CompiledApplication {
  const names = policies.map(({ name }) => name);
  const compiled = compileApplications({ groups, policies, applications: [{ name: "app", policies: names }] }).get("app");
  if (compiled === undefined) throw new Error("the application was not compiled");
  return compiled;
}

/** One selector as the only include of an allow policy: what its truth value is decides the tests. */
export function compiledSelector(selector: Selector, groups: readonly GroupConfig[] = []): CompiledPolicy["rules"]["include"][number] {
  const node = application([policy("p", "allow", { include: [selector] })], groups).allow.policies[0]?.rules.include[0];
  if (node === undefined) throw new Error("the selector was not compiled");
  return node;
}
