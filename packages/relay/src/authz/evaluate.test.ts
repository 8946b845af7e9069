import { describe, expect, it } from "vitest";
import type { PolicyConfig } from "../config/policy-types.ts";
import { evaluate } from "./evaluate.ts";
import { parseIp } from "./ip.ts";
import { REASON_CODES, type ReasonCode } from "./reasons.ts";
import { application, facts, person, policy, service } from "./testing.ts";

const ann = facts({ identity: person() });
const bot = facts({ identity: service("bot") });
const stranger = facts();

const open = policy("open", "bypass", {});
const people = policy("people", "allow", { include: [{ emailDomain: "example.com" }] });
const programs = policy("programs", "service", { include: [{ serviceToken: "bot" }] });
const machines = policy("machines", "bypass", { require: [{ clientCertificate: "any" }] });
const nobody = policy("nobody", "deny", {});

describe("a decision (R-N2)", () => {
  const cases: readonly (readonly [string, readonly PolicyConfig[], typeof ann, string, ReasonCode, string | undefined])[] = [
    ["is deny without policies", [], ann, "deny", "no-policies", undefined],
    [
      "is deny when nothing matches",
      [policy("p", "allow", { include: [{ email: "bob@example.com" }] })],
      ann,
      "deny",
      "no-policy-matched",
      undefined,
    ],
    ["is allow by an allow policy", [people], ann, "allow", "allowed", "people"],
    ["is login for strangers whom an allow policy could let in", [people], stranger, "login", "login-required", undefined],
    ["is login for strangers even when everyone is included", [policy("p", "allow", {})], stranger, "login", "login-required", undefined],
    [
      "is deny for strangers whom no sign-in could help",
      [policy("p", "allow", { require: [{ method: "POST" }] })],
      stranger,
      "deny",
      "login-cannot-help",
      undefined,
    ],
    ["is deny for strangers where only programs are let in", [programs], stranger, "deny", "service-token-required", undefined],
    ["is allow for everybody by bypass", [open, people, programs], stranger, "allow", "bypassed", "open"],
    ["is by bypass before allow", [people, open], ann, "allow", "bypassed", "open"],
    ["is by bypass before service", [programs, open], bot, "allow", "bypassed", "open"],
    ["is by deny before everything", [open, people, programs, nobody], ann, "deny", "denied-by-policy", "nobody"],
    ["is by deny before login", [people, nobody], stranger, "deny", "denied-by-policy", "nobody"],
    ["is allow for a program by a service policy", [programs], bot, "allow", "service-allowed", "programs"],
    [
      "is deny for a program that no service policy names",
      [programs],
      facts({ identity: service("other") }),
      "deny",
      "service-not-allowed",
      undefined,
    ],
    ["is deny for a program where only people are let in", [policy("p", "allow", {})], bot, "deny", "service-not-allowed", undefined],
    ["is deny for a person where only programs are let in", [policy("p", "service", {})], ann, "deny", "no-policy-matched", undefined],
    ["is for want of a certificate where one would let in", [machines], stranger, "deny", "client-certificate-required", undefined],
    [
      "is for want of a certificate where one would lead to a sign-in",
      [policy("p", "allow", { require: [{ clientCertificate: { commonName: "ci" } }] })],
      stranger,
      "deny",
      "client-certificate-required",
      undefined,
    ],
    [
      "is for want of a certificate for a program that a service policy would let in with one",
      [policy("p", "service", { include: [{ serviceToken: "bot" }], require: [{ clientCertificate: "any" }] })],
      bot,
      "deny",
      "client-certificate-required",
      undefined,
    ],
    [
      "says that a certificate did not verify",
      [machines],
      facts({ clientCertificate: { kind: "refused", problem: "CERT_REVOKED" } }),
      "deny",
      "client-certificate-refused",
      undefined,
    ],
    [
      "blames no certificate where none could help",
      [policy("p", "allow", { include: [{ email: "bob@example.com" }], require: [{ clientCertificate: "any" }] })],
      ann,
      "deny",
      "no-policy-matched",
      undefined,
    ],
    [
      "lets nobody in where it is not known whether there is a certificate",
      [machines],
      facts({ clientCertificate: undefined }),
      "deny",
      "login-cannot-help",
      undefined,
    ],
  ];

  it.each(cases)("%s", (_title, policies, visitor, outcome, reason, by) => {
    expect(evaluate(application(policies), visitor)).toMatchObject({ outcome, reason, policy: by });
  });

  it("carries the session length of the allow policy", () => {
    expect(evaluate(application([policy("p", "allow", {}, 3_600_000)]), ann).sessionDurationMs).toBe(3_600_000);
  });

  it("is by the policy with the shortest session among those that match, then by name", () => {
    const policies = [
      policy("b", "allow", {}, 7_200_000),
      policy("z", "allow", { include: [{ identityGroup: "eng" }] }, 3_600_000),
      policy("a", "allow", {}),
    ];
    expect(evaluate(application(policies), ann).policy).toBe("z");
    expect(
      evaluate(application([policy("b", "allow", {}), policy("a", "allow", { include: [{ email: "ann@example.com" }] })]), ann).policy,
    ).toBe("a");
  });

  it("without a policy is the same object each time, so that refusals allocate nothing", () => {
    const app = application([people]);
    expect(evaluate(app, stranger)).toBe(evaluate(app, stranger));
    expect(evaluate(app, ann)).toBe(evaluate(app, ann));
  });

  it("is deny with the cause when the evaluation throws", () => {
    const failure = new Error("database closed");
    const visitor = facts({
      identity: person(),
      ip: parseIp("192.0.2.1"),
      countryOf: () => {
        throw failure;
      },
    });
    const decision = evaluate(application([policy("p", "allow", { require: [{ country: "DE" }] })]), visitor);
    expect(decision).toEqual({
      outcome: "deny",
      reason: "evaluator-error",
      policy: undefined,
      action: undefined,
      sessionDurationMs: undefined,
      cause: failure,
    });
  });

  it("gives every reason code there is", () => {
    const given = new Set<ReasonCode>([...cases.map(([, , , , reason]) => reason), "evaluator-error"]);
    expect(REASON_CODES.filter((code) => !given.has(code))).toEqual([]);
  });
});

describe("a fact that is not known (R-N3)", () => {
  const unknownCountry = facts({ identity: person(), ip: parseIp("192.0.2.1") });
  const germany = [{ country: "DE" }];

  it.each([
    ["does not satisfy include", policy("p", "allow", { include: germany })],
    ["does not satisfy require", policy("p", "allow", { require: germany })],
    ["satisfies exclude", policy("p", "allow", { exclude: germany })],
  ])("%s of allow, so nobody gets in by it", (_title, rule) => {
    expect(evaluate(application([rule]), unknownCountry).outcome).toBe("deny");
  });

  it.each([
    ["include", policy("d", "deny", { include: germany })],
    ["require", policy("d", "deny", { require: germany })],
    ["exclude, so an exception from deny needs a known fact", policy("d", "deny", { exclude: germany })],
  ])("meets the conditions of deny in %s", (_title, rule) => {
    expect(evaluate(application([people, rule]), unknownCountry)).toMatchObject({ outcome: "deny", policy: "d" });
  });

  it("denies people whose groups the provider did not say, but not those without groups", () => {
    const app = application([people, policy("d", "deny", { include: [{ identityGroup: "suspended" }] })]);
    expect(evaluate(app, facts({ identity: person({ groups: undefined }) }))).toMatchObject({ outcome: "deny", policy: "d" });
    expect(evaluate(app, facts({ identity: person({ groups: [] }) })).outcome).toBe("allow");
  });

  it("denies people without email where a deny policy names one", () => {
    const app = application([policy("p", "allow", {}), policy("d", "deny", { include: [{ email: "eve@example.com" }] })]);
    expect(evaluate(app, facts({ identity: person({ email: undefined }) }))).toMatchObject({ outcome: "deny", policy: "d" });
  });
});

describe("a visitor who is not signed in (R-N3)", () => {
  it("is asked to sign in when a deny policy depends on who it is", () => {
    expect(evaluate(application([people, policy("d", "deny", { include: [{ email: "eve@example.com" }] })]), stranger).outcome).toBe(
      "login",
    );
  });

  it("is denied when the conditions about the request alone suffice", () => {
    const app = application([people, policy("d", "deny", { include: [{ method: "GET" }, { email: "eve@example.com" }] })]);
    expect(evaluate(app, stranger)).toMatchObject({ outcome: "deny", policy: "d" });
  });

  it("is let in by a bypass policy only without any pending condition", () => {
    const app = application([people, policy("b", "bypass", { include: [{ method: "GET" }], exclude: [{ email: "eve@example.com" }] })]);
    expect(evaluate(app, stranger).outcome).toBe("login");
  });

  it("is not asked to sign in where the exclusion is certain already", () => {
    const app = application([policy("p", "allow", { exclude: [{ method: "GET" }] })]);
    expect(evaluate(app, stranger)).toMatchObject({ outcome: "deny", reason: "login-cannot-help" });
  });
});
