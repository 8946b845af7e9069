import { describe, expect, it } from "vitest";
import { z } from "zod";
import { groupsSchema, policiesSchema, policyTestsSchema, SELECTOR_KINDS, selectorSchema } from "./policy-schema.ts";

const issuesOf = (schema: z.ZodType, value: unknown): readonly string[] =>
  schema.safeParse(value).error?.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`) ?? [];

const EXAMPLES: Readonly<Record<string, readonly unknown[]>> = {
  everyone: [true],
  email: ["ann@example.com"],
  emailDomain: ["example.com"],
  identityGroup: ["eng", "Team A/B"],
  claim: [
    { name: "department", equals: "sales" },
    { name: "https://example.com/roles", contains: "admin" },
    { name: "level", equals: 3 },
  ],
  identityProvider: ["corp"],
  authMethod: ["mfa"],
  ip: ["10.0.0.0/8", ["192.0.2.1", "2001:db8::/32"]],
  country: ["DE", ["DE", "FR"]],
  serviceToken: ["deploy-bot"],
  anyServiceToken: [true],
  clientCertificate: ["any", { commonName: "ci" }, { subjectAlternativeName: "dns:ci.example.com" }, { fingerprint: "ab".repeat(32) }],
  method: ["GET", ["PROPFIND", "REPORT"]],
  timeWindow: [{ timezone: "Europe/Berlin" }, { days: ["mon", "fri"], from: "22:00", to: "06:00", timezone: "UTC" }],
  externalEvaluation: [
    { url: "https://door.example.com/ask", keysUrl: "https://127.0.0.1:8080/keys" },
    { url: "https://door.example.com/ask", keysUrl: "https://door.example.com/keys", allowPrivateNetwork: true },
  ],
  group: ["engineering"],
};

const REFUSED: Readonly<Record<string, readonly unknown[]>> = {
  everyone: [false, "yes"],
  email: ["ann", "@example.com", "an\u200bn@example.com", 5],
  emailDomain: ["@example.com", "*.example.com", ""],
  identityGroup: ["", "a\u202eb", "x".repeat(321)],
  claim: [
    { name: "a" },
    { name: "a", equals: "b", contains: "c" },
    { equals: "a" },
    { name: "a", equals: null },
    { name: "a", equals: "b", more: 1 },
  ],
  identityProvider: [""],
  authMethod: [""],
  ip: ["10.0.0.1/8", "010.0.0.1", "fe80::1%eth0", "10.0.0.0/33", [], "everyone"],
  country: ["de", "DEU", "Germany", []],
  serviceToken: [""],
  anyServiceToken: [false],
  clientCertificate: [
    "all",
    {},
    { commonName: "a", fingerprint: "ab".repeat(32) },
    { fingerprint: "abc" },
    { subjectAlternativeName: "ci.example.com" },
  ],
  method: ["get", "HEAD", "CONNECT", "TRACE", "BREW", []],
  timeWindow: [
    {},
    { timezone: "Europe/Atlantis" },
    { timezone: "+02:00" },
    { timezone: "UTC", from: "9:00" },
    { timezone: "UTC", from: "09:00", to: "09:00" },
    { timezone: "UTC", from: "24:00" },
    { timezone: "UTC", to: "00:00" },
    { timezone: "UTC", days: [] },
    { timezone: "UTC", days: ["monday"] },
  ],
  externalEvaluation: [
    { url: "http://door.example.com/", keysUrl: "https://door.example.com/" },
    { url: "https://u:p@door.example.com/", keysUrl: "https://door.example.com/" },
    { url: "https://door.example.com/" },
  ],
  group: [""],
};

describe("a selector", () => {
  it("has examples of both kinds here for each that there is", () => {
    expect([Object.keys(EXAMPLES), Object.keys(REFUSED)]).toEqual([SELECTOR_KINDS, SELECTOR_KINDS]);
  });

  it.each(Object.entries(EXAMPLES).flatMap(([kind, values]) => values.map((value) => ({ [kind]: value }))))("%j is taken", (selector) => {
    expect(selectorSchema.parse(selector)).toEqual(selector);
  });

  it.each(Object.entries(REFUSED).flatMap(([kind, values]) => values.map((value) => ({ [kind]: value }))))("%j is refused", (selector) => {
    expect(selectorSchema.safeParse(selector).success).toBe(false);
  });

  it("has exactly one key", () => {
    expect(issuesOf(selectorSchema, {})).toEqual([": expected exactly one selector in each list element"]);
    expect(issuesOf(selectorSchema, { email: "ann@example.com", country: "DE" })).toEqual([
      ": expected exactly one selector in each list element",
    ]);
  });

  it("that does not exist is reported once", () => {
    expect(issuesOf(selectorSchema, { emailDomian: "example.com" })).toHaveLength(1);
  });

  it("is normalised to what is compared", () => {
    expect(selectorSchema.parse({ email: "Ann@EXAMPLE.com" })).toEqual({ email: "Ann@example.com" });
    expect(selectorSchema.parse({ identityGroup: "Cafe\u0301" })).toEqual({ identityGroup: "Caf\u00e9" });
    expect(selectorSchema.parse({ clientCertificate: { fingerprint: "AB:".repeat(31) + "AB" } })).toEqual({
      clientCertificate: { fingerprint: "ab".repeat(32) },
    });
  });
});

describe("a policy", () => {
  const minimal = { name: "p", action: "allow", include: [{ everyone: true }] };

  it("may give a session length in words, which becomes milliseconds", () => {
    expect(policiesSchema.parse([{ ...minimal, sessionDuration: "8h" }])).toEqual([{ ...minimal, sessionDurationMs: 28_800_000 }]);
  });

  it.each([
    ["an empty include", { ...minimal, include: [] }],
    ["no include", { name: "p", action: "allow" }],
    ["an empty require", { ...minimal, require: [] }],
    ["an unknown key", { ...minimal, requires: [{ country: "DE" }] }],
    ["an unknown action", { ...minimal, action: "block" }],
    ["a session shorter than 15 minutes", { ...minimal, sessionDuration: "14m" }],
    ["a session longer than 30 days", { ...minimal, sessionDuration: "31d" }],
    ["a name with spaces", { ...minimal, name: "my policy" }],
  ])("with %s is refused", (_title, value) => {
    expect(policiesSchema.safeParse([value]).success).toBe(false);
  });

  it("may have an empty exclude, which excludes nobody", () => {
    expect(policiesSchema.safeParse([{ ...minimal, exclude: [] }]).success).toBe(true);
  });
});

describe("a policy test", () => {
  const minimal = { as: {}, request: "GET https://grafana.example.com/", expect: "login" };

  it.each([
    ["an unknown method", { ...minimal, request: "BREW https://x.example.com/" }],
    ["a path only", { ...minimal, request: "GET /x" }],
    ["another scheme", { ...minimal, request: "GET ftp://x.example.com/" }],
    ["person and program at once", { ...minimal, as: { email: "a@example.com", serviceToken: "bot" } }],
    ["an address with a zone", { ...minimal, as: { ip: "fe80::1%eth0" } }],
    ["a time without offset", { ...minimal, as: { time: "2026-01-01T00:00:00" } }],
    ["an unknown key", { ...minimal, as: { mail: "a@example.com" } }],
    ["no expectation", { as: {}, request: minimal.request }],
  ])("with %s is refused", (_title, value) => {
    expect(policyTestsSchema.safeParse([value]).success).toBe(false);
  });

  it("of the design document is taken", () => {
    const test = {
      as: { email: "a@example.com", groups: ["eng"], country: "DE", authMethods: ["mfa"] },
      request: "GET https://grafana.example.com/",
      expect: "allow",
    };
    expect(policyTestsSchema.parse([test])).toEqual([test]);
  });
});

it("every key has a description for docs and editors", () => {
  const undocumented: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== "object" || node === null) return;
    for (const [key, child] of Object.entries((node as { properties?: Record<string, { description?: string }> }).properties ?? {})) {
      if (child.description === undefined) undocumented.push(`${path}.${key}`);
    }
    for (const [key, child] of Object.entries(node)) visit(child, `${path}.${key}`);
  };
  for (const schema of [groupsSchema, policiesSchema, policyTestsSchema])
    visit(z.toJSONSchema(schema, { io: "input", reused: "inline" }), "");
  expect(undocumented).toEqual([]);
});
