import { describe, expect, it } from "vitest";
import { explain } from "./explain.ts";
import { renderExplanation } from "./explain-text.ts";
import { parseIp } from "./ip.ts";
import { application, facts, person, policy, service } from "./testing.ts";

const groups = [{ name: "engineering", include: [{ identityGroup: "eng" }, { email: "ops@example.com" }] }];
const engineers = policy("engineers", "allow", {
  include: [{ group: "engineering" }],
  require: [{ country: "DE" }, { authMethod: "mfa" }],
  exclude: [{ email: "intern@example.com" }],
});
const ci = policy("ci", "service", { include: [{ serviceToken: "deploy-bot" }] });
const app = application([engineers, ci], groups);
const fromGermany = { ip: parseIp("192.0.2.1"), countryOf: () => "DE" };

describe("a trace (R-M6)", () => {
  it("shows every selector of every policy with its value and what it found", () => {
    const text = renderExplanation(explain(app, facts({ ...fromGermany, identity: person({ authMethods: ["pwd"] }) })));
    expect(text).toBe(`deny: application app, reason no-policy-matched
You are signed in, but no policy lets you in.

service policy ci: false, is not for this kind of visitor
  include, one of
    false    serviceToken: deploy-bot  (no service token)

allow policy engineers: false, does not take effect
  include, one of
    true     group: engineering
             include, one of
               true     identityGroup: eng  (groups are eng)
               false    email: ops@example.com  (email is ann@example.com)
  require, all of
    true     country: DE  (country is DE)
    false    authMethod: mfa  (authentication methods are pwd)
  exclude, none of
    false    email: intern@example.com  (email is ann@example.com)
`);
  });

  it("shows what a sign-in would decide as pending", () => {
    const { decision, policies } = explain(app, facts(fromGermany));
    expect(decision.outcome).toBe("login");
    const trace = policies.find(({ policy: name }) => name === "engineers");
    expect(trace).toMatchObject({ role: "possible", value: "pending" });
    expect(trace?.rules.require.map(({ value }) => value)).toEqual(["true", "pending"]);
  });

  it("shows facts that are not known as unknown", () => {
    const { policies } = explain(app, facts({ identity: person({ groups: undefined, email: undefined, authMethods: undefined }) }));
    const rules = policies.find(({ policy: name }) => name === "engineers")?.rules;
    expect(rules?.include[0]?.group?.include.map(({ value, found }) => [value, found])).toEqual([
      ["unknown", "groups are not known"],
      ["unknown", "email is not known"],
    ]);
    expect(rules?.require.map(({ value, found }) => [value, found])).toEqual([
      ["unknown", "country is not known"],
      ["unknown", "authentication methods are not known"],
    ]);
  });

  it("names the policy that decides and those it overrules", () => {
    const both = application([policy("open", "bypass", {}), engineers, policy("stop", "deny", { include: [{ method: "GET" }] })], groups);
    const roles = explain(both, facts({ ...fromGermany, identity: person({ authMethods: ["mfa"] }) })).policies.map(
      ({ policy: name, role }) => [name, role],
    );
    expect(roles).toEqual([
      ["stop", "decides"],
      ["open", "overruled"],
      ["engineers", "overruled"],
    ]);
  });

  it("shows programs only what concerns programs", () => {
    const { decision, policies } = explain(app, facts({ identity: service("deploy-bot") }));
    expect(decision).toMatchObject({ outcome: "allow", policy: "ci" });
    expect(policies.map(({ policy: name, role }) => [name, role])).toEqual([
      ["ci", "decides"],
      ["engineers", "other-visitors"],
    ]);
  });

  it("survives a selector that throws, and says where", () => {
    const failing = facts({
      identity: person(),
      countryOf: () => {
        throw new Error("database closed");
      },
    });
    const { decision, policies } = explain(app, failing);
    expect(decision.reason).toBe("evaluator-error");
    const trace = policies.find(({ policy: name }) => name === "engineers");
    expect(trace?.role).toBe("error");
    expect(trace?.rules.require.map(({ value }) => value)).toEqual(["error", "false"]);
  });

  it("never writes control characters of names to the terminal", () => {
    const text = renderExplanation(explain(app, facts({ identity: person({ groups: ["\u001b[31mred", "a\nb"] }) })));
    expect(text).not.toContain("\u001b");
    expect(text).toContain("groups are \ufffd[31mred, a\ufffdb");
  });
});
