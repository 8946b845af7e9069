import { describe, expect, it } from "vitest";
import { policyTestsSchema } from "../config/policy-schema.ts";
import type { PolicyTestConfig } from "../config/policy-types.ts";
import { runPolicyTests, type PolicyTestOptions, type TestFailure } from "./policy-tests.ts";
import { application, NEW_YEAR_MS, policy } from "./testing.ts";

const groups = [{ name: "engineering", include: [{ identityGroup: "eng" }, { email: "ops@example.com" }] }];
const app = application(
  [
    policy("engineers", "allow", { include: [{ group: "engineering" }], require: [{ country: "DE" }, { authMethod: "mfa" }] }),
    policy("ci", "service", { include: [{ serviceToken: "deploy-bot" }], require: [{ ip: "192.0.2.0/24" }] }),
    policy("night", "deny", { include: [{ timeWindow: { from: "22:00", to: "06:00", timezone: "Europe/Berlin" } }] }),
    policy("partners", "allow", { include: [{ claim: { name: "org", equals: "partner" } }], require: [{ identityProvider: "corp" }] }),
    policy("hooks", "bypass", { require: [{ method: "POST" }, { clientCertificate: { commonName: "hook" } }] }),
    policy("asked", "allow", { include: [{ externalEvaluation: { url: "https://e/", keysUrl: "https://e/k" } }] }),
  ],
  groups,
);

const options: PolicyTestOptions = {
  routeFor: (url) =>
    url.hostname === "grafana.example.com"
      ? { kind: "application", application: app }
      : { kind: "refused", code: "ERR_ROUTE_UNKNOWN_HOST" },
  countryOf: (ip) => (ip?.text === "192.0.2.1" ? "DE" : undefined),
  nowMs: NEW_YEAR_MS + 12 * 3_600_000,
  defaultProvider: "corp",
};

/** Through the schema, as from a file. */
function run(...tests: readonly unknown[]): readonly TestFailure[] {
  return runPolicyTests(policyTestsSchema.parse(tests) as readonly PolicyTestConfig[], options);
}

const HOME = "https://grafana.example.com/";

describe("policy tests", () => {
  it.each([
    [
      {
        as: { email: "a@example.com", groups: ["eng"], country: "DE", authMethods: ["mfa"] },
        request: `GET ${HOME}`,
        expect: "allow",
        policy: "engineers",
      },
    ],
    [{ as: { country: "DE" }, request: `GET ${HOME}`, expect: "login", reason: "login-required" }],
    [{ as: { groups: ["eng"], ip: "192.0.2.1", authMethods: ["mfa"] }, request: `GET ${HOME}`, expect: "allow" }],
    [{ as: { groups: ["eng"], ip: "198.51.100.1", authMethods: ["mfa"] }, request: `GET ${HOME}`, expect: "deny" }],
    [{ as: { groups: [], country: "DE", authMethods: ["mfa"] }, request: `GET ${HOME}`, expect: "deny", reason: "no-policy-matched" }],
    [{ as: { serviceToken: "deploy-bot", ip: "192.0.2.7" }, request: `POST ${HOME}api`, expect: "allow", policy: "ci" }],
    [{ as: { serviceToken: "deploy-bot" }, request: `POST ${HOME}api`, expect: "deny", reason: "client-certificate-required" }],
    [{ as: { country: "DE", time: "2026-07-01T20:00:00Z" }, request: `GET ${HOME}`, expect: "deny", policy: "night" }],
    [{ as: { country: "DE", time: "2026-07-01T19:59:00Z" }, request: `GET ${HOME}`, expect: "login" }],
    [{ as: { claims: { org: "partner" } }, request: `GET ${HOME}`, expect: "allow", policy: "partners" }],
    [{ as: { claims: { org: "partner" }, provider: "github" }, request: `GET ${HOME}`, expect: "deny" }],
    [{ as: { clientCertificate: { commonName: "hook" } }, request: `POST ${HOME}`, expect: "allow", policy: "hooks" }],
    [{ as: { email: "a@example.com", external: { "https://e/": true } }, request: `GET ${HOME}`, expect: "allow", policy: "asked" }],
    [{ as: {}, request: "GET https://elsewhere.example.com/", expect: "deny", reason: "ERR_ROUTE_UNKNOWN_HOST" }],
  ])("hold: %j", (test) => {
    expect(run(test)).toEqual([]);
  });

  it.each([
    [{ as: {}, request: `GET ${HOME}`, expect: "allow" }, "expected allow, got login (login-required)"],
    [
      { as: { serviceToken: "deploy-bot", ip: "192.0.2.7" }, request: `GET ${HOME}`, expect: "deny" },
      "expected deny, got allow (service-allowed, policy ci)",
    ],
    [
      { as: { groups: ["eng"], country: "DE", authMethods: ["mfa"] }, request: `GET ${HOME}`, expect: "allow", policy: "partners" },
      "expected allow (policy partners), got allow (allowed, policy engineers)",
    ],
    [{ as: {}, request: "GET https://elsewhere.example.com/", expect: "login" }, "expected login, got deny (ERR_ROUTE_UNKNOWN_HOST)"],
  ])("fail: %j", (test, message) => {
    expect(run({ as: {}, request: `GET ${HOME}`, expect: "login" }, test).map((failure) => [failure.index, failure.message])).toEqual([
      [1, message],
    ]);
  });

  it("that fail come with the trace of the decision", () => {
    expect(run({ as: {}, request: `GET ${HOME}`, expect: "allow" })[0]?.explanation).toMatchObject({
      application: "app",
      decision: { outcome: "login" },
    });
  });

  it("hand method and URL to the route matching", () => {
    const asked: string[] = [];
    const routeFor: PolicyTestOptions["routeFor"] = (url, method) => {
      asked.push(`${method} ${url.href}`);
      return { kind: "refused", code: "ERR_X" };
    };
    runPolicyTests([{ as: {}, request: "PUT https://x.example.com/a%2Fb?q", expect: "deny" }], { ...options, routeFor });
    expect(asked).toEqual(["PUT https://x.example.com/a%2Fb?q"]);
  });
});
