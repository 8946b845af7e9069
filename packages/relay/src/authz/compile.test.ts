import { describe, expect, it } from "vitest";
import type { GroupConfig } from "../config/policy-types.ts";
import { compileApplications } from "./compile.ts";
import { evaluate } from "./evaluate.ts";
import { application, facts, person, policy } from "./testing.ts";

describe("compiling", () => {
  it("refuses a policy that does not exist", () => {
    const document = { groups: [], policies: [], applications: [{ name: "app", policies: ["nope"] }] };
    expect(() => compileApplications(document)).toThrow(expect.objectContaining({ code: "ERR_CONFIG_REFERENCE" }));
  });

  it("refuses a group that does not exist", () => {
    expect(() => application([policy("p", "allow", { include: [{ group: "nope" }] })])).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG_REFERENCE" }),
    );
  });

  it("refuses a group that contains itself", () => {
    const groups: readonly GroupConfig[] = [
      { name: "a", include: [{ group: "b" }] },
      { name: "b", include: [{ everyone: true }], exclude: [{ group: "a" }] },
    ];
    expect(() => application([policy("p", "allow", { include: [{ group: "a" }] })], groups)).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG_POLICY" }),
    );
  });

  it("tells which facts the policies of an application look at, through groups too", () => {
    const groups: readonly GroupConfig[] = [{ name: "g", include: [{ ip: "192.0.2.1" }], exclude: [{ timeWindow: { timezone: "UTC" } }] }];
    expect(application([policy("p", "bypass", { include: [{ group: "g" }], require: [{ method: "GET" }] })], groups).dependsOn).toEqual({
      identity: false,
      ip: true,
      country: false,
      clientCertificate: false,
      method: true,
      time: true,
      external: false,
    });
  });

  it("counts allow and service policies as looking at the identity, whatever their selectors", () => {
    expect(application([policy("p", "allow", {})]).dependsOn.identity).toBe(true);
    expect(application([policy("p", "service", {})]).dependsOn.identity).toBe(true);
    expect(application([policy("p", "bypass", {})]).dependsOn.identity).toBe(false);
  });

  it("shares policies between applications and keeps their decisions apart", () => {
    const policies = [policy("people", "allow", {}), policy("stop", "deny", {})];
    const compiled = compileApplications({
      groups: [],
      policies,
      applications: [
        { name: "one", policies: ["people"] },
        { name: "two", policies: ["people", "stop"] },
      ],
    });
    const outcomes = [...compiled.values()].map((app) => [app.name, evaluate(app, facts({ identity: person() })).outcome]);
    expect(outcomes).toEqual([
      ["one", "allow"],
      ["two", "deny"],
    ]);
  });

  it("finds a person by any of several keys of the same policy", () => {
    const app = application([
      policy("p", "allow", {
        include: [{ email: "bob@example.com" }, { emailDomain: "example.org" }, { identityGroup: "eng" }, { serviceToken: "bot" }],
      }),
    ]);
    const outcome = (email: string, groups: readonly string[]): string =>
      evaluate(app, facts({ identity: person({ email, groups }) })).outcome;
    expect([
      outcome("bob@example.com", []),
      outcome("x@example.org", []),
      outcome("x@example.com", ["eng"]),
      outcome("x@example.com", []),
    ]).toEqual(["allow", "allow", "allow", "deny"]);
  });
});
