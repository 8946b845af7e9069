import { describe, expect, it } from "vitest";
import { claimAt, identityFromClaims, MAX_GROUPS, type Claims } from "./claims.ts";
import { ProviderRefusal } from "./provider-problem.ts";

const RULES = { groupsClaim: "groups", verifiedEmailOnly: true };
const read = (claims: Claims, rules = RULES) => identityFromClaims({ sub: "248289761001", ...claims }, rules);

describe("the subject (R-F5)", () => {
  it.each([undefined, 42, "", " ", "a".repeat(256), "caf\u00e9", "a\nb", ["a"], { a: 1 }])("%j is refused", (sub) => {
    expect(() => identityFromClaims({ sub }, RULES)).toThrow(ProviderRefusal);
  });

  it("is taken exactly as it is sent", () => {
    expect(read({ sub: "auth0|5F" }).subject).toBe("auth0|5F");
  });
});

describe("the email (R-F5, R-N6)", () => {
  it.each<[string, Claims, string | undefined]>([
    ["verified", { email: "Ann@EXAMPLE.com", email_verified: true }, "Ann@example.com"],
    ["verified, written as text", { email: "ann@example.com", email_verified: "true" }, "ann@example.com"],
    ["called unverified", { email: "ann@example.com", email_verified: false }, undefined],
    ["called unverified, whatever the domain's owner says", { email: "ann@example.com", email_verified: false, xms_edov: true }, undefined],
    ["not called anything", { email: "ann@example.com" }, undefined],
    ["of a verified domain of Entra ID", { email: "ann@example.com", xms_edov: true }, "ann@example.com"],
    ["called verified by a number", { email: "ann@example.com", email_verified: 1 }, undefined],
    ["with two at signs", { email: "ann@evil.example@example.com", email_verified: true }, undefined],
    ["with something invisible", { email: "ann\u200b@example.com", email_verified: true }, undefined],
    ["in a list", { email: ["ann@example.com"], email_verified: true }, undefined],
  ])("%s", (_title, claims, email) => {
    expect(read(claims).email).toBe(email);
  });

  it("counts unverified where the configuration says so", () => {
    expect(read({ email: "ann@example.com" }, { ...RULES, verifiedEmailOnly: false }).email).toBe("ann@example.com");
  });
});

describe("groups (R-F8)", () => {
  it.each<[string, unknown, readonly string[] | undefined]>([
    ["a list", ["eng", "ops", "eng"], ["eng", "ops"]],
    ["an empty list", [], []],
    ["one as text", "eng", ["eng"]],
    ["composed", ["Cafe\u0301"], ["Caf\u00e9"]],
    ["one with a name that no policy can hold", ["eng", "e\u200bng"], ["eng"]],
    ["missing", undefined, undefined],
    ["null", null, undefined],
    ["an object", { eng: true }, undefined],
    ["a list with an object in it", ["eng", { id: 1 }], undefined],
    ["true", true, undefined],
    ["too many", Array.from({ length: MAX_GROUPS + 1 }, (_, index) => `g${index}`), undefined],
  ])("%s", (_title, groups, expected) => {
    expect(read({ groups }).groups).toEqual(expected);
  });

  it("are found inside an object, unless a claim has the dotted name itself", () => {
    expect(claimAt({ realm_access: { roles: ["a"] } }, "realm_access.roles")).toEqual(["a"]);
    expect(claimAt({ "https://x.example/groups": ["b"] }, "https://x.example/groups")).toEqual(["b"]);
    expect(claimAt({}, "constructor.name")).toBeUndefined();
    expect(claimAt({ a: ["x"] }, "a.length")).toBeUndefined();
  });
});

describe("further claims", () => {
  it("are kept without those about the token", () => {
    const { claims } = read({ iss: "i", aud: "a", nonce: "n", department: "sales", roles: ["x"], "a\u0000": 1 });
    expect(claims).toEqual({ department: "sales", roles: ["x"] });
  });

  it("are bounded in number and size", () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`claim${index}`, index]));
    expect(Object.keys(read(many).claims)).toHaveLength(100);
    expect(read({ huge: "x".repeat(20_000), small: 1 }).claims).toEqual({ small: 1 });
  });

  it("never reach a prototype", () => {
    const claims = JSON.parse('{"sub":"1","__proto__":{"email":"x@example.com"}}') as Claims;
    expect(read(claims).email).toBeUndefined();
    expect(({} as { email?: unknown }).email).toBeUndefined();
  });
});

it("authentication methods are names (RFC 8176)", () => {
  expect(read({ amr: ["pwd", "mfa"] }).authMethods).toEqual(["pwd", "mfa"]);
  expect(read({ amr: "mfa" }).authMethods).toBeUndefined();
});
