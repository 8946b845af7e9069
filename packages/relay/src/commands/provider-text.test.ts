// `provider test` as people read it: facts beside the selectors that ask for them, and what to do about what is missing.

import { expect, test } from "vitest";
import type { ProviderLogin } from "../authn/provider.ts";
import { describeLogin } from "./provider-text.ts";

const LOGIN: ProviderLogin = {
  identity: {
    subject: "00u1",
    email: "ann@example.com",
    name: "Ann Example",
    groups: ["eng", "ops"],
    authMethods: ["pwd", "mfa"],
    claims: { department: "sales", level: 3 },
  },
  refreshToken: "rt.canary-of-a-token",
  providerSessionId: "idp-session-canary",
};

test("a sign-in is a table of what policies see, with the selector for each, and no token", () => {
  const text = describeLogin("corp", { kind: "login", login: LOGIN });
  expect(text).toBe(`Signed in with corp. Policies see:

  subject           00u1
  email             ann@example.com  email, emailDomain
  name              Ann Example
  groups            eng, ops         identityGroup
  methods           pwd, mfa         authMethod
  claim department  "sales"          claim
  claim level       3                claim

- A refresh token: a lost group or a disabled account counts within the session.
- Back-channel logout can end this very session, once its URL is registered.
`);
  expect(text).not.toContain("canary");
});

test("what the provider did not say is told, with what to do", () => {
  const identity = { ...LOGIN.identity, email: undefined, groups: undefined, claims: {} };
  const text = describeLogin("corp", { kind: "login", login: { identity, refreshToken: undefined, providerSessionId: undefined } });
  expect(text).toMatch(/email +\(not said\)[^]*groups +\(not said\)/);
  for (const said of ["email and groups: not said", "emailVerified", "groupsClaim", "offline_access"]) expect(text).toContain(said);
});

test("no groups are none, many are counted", () => {
  const withGroups = (groups: readonly string[]): string =>
    describeLogin("corp", { kind: "login", login: { ...LOGIN, identity: { ...LOGIN.identity, groups } } });
  expect(withGroups([])).toMatch(/groups +\(none\)/);
  expect(withGroups(Array.from({ length: 25 }, (_, index) => `g${index}`))).toMatch(/g19 and 5 more/);
});

test("a failure says what to look at", () => {
  const problems = ["refused-by-provider", "provider-unreachable", "provider-invalid", "identity-unusable"] as const;
  const texts = problems.map((problem) => describeLogin("corp", { kind: "problem", problem, detail: "no" }));
  for (const [index, text] of texts.entries())
    expect(text).toMatch(new RegExp(`^No sign-in with corp: ${problems[index]}: no\\n[A-Z].+\\.\\n$`));
  expect(new Set(texts.map((text) => text.split("\n")[1])).size).toBe(problems.length);
});

test("a name cannot drive the terminal (R-M1)", () => {
  const hostile = "x\u001b[2J\u202e\u2028y";
  const identity = { ...LOGIN.identity, name: hostile, groups: [hostile], claims: { [hostile]: hostile } };
  const text = describeLogin("corp", { kind: "login", login: { ...LOGIN, identity } });
  expect(text).not.toMatch(/[\p{Cf}\p{Zl}\u001b]/u);
});
