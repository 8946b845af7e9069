import fc from "fast-check";
import { expect, test } from "vitest";
import { type Requirement, unmetDemand } from "./require.ts";
import type { AssertionClaims } from "./verify.ts";

const NONE: Requirement = { kinds: undefined, applications: undefined, groups: undefined, emails: undefined, emailDomains: undefined };

function claims(change: Partial<AssertionClaims> = {}): AssertionClaims {
  return {
    issuer: "https://auth.example.com",
    audience: "https://wiki.example.com",
    tunnel: "office",
    service: "wiki",
    kind: "person",
    subject: "corp|1",
    email: "ann@example.com",
    groups: ["eng", "ops"],
    issuedAt: 0,
    notBefore: 0,
    expiresAt: 1,
    ...change,
  };
}

const program = claims({ kind: "service", subject: "st_1", email: undefined, groups: [] });
const nobody = claims({ kind: "bypass", subject: "", email: undefined, groups: [] });

test.each<[string, Partial<Requirement>, AssertionClaims, keyof Requirement | undefined]>([
  ["nothing", {}, nobody, undefined],
  ["a kind, met", { kinds: new Set(["service"]) }, program, undefined],
  ["a kind, of another", { kinds: new Set(["service"]) }, claims(), "kinds"],
  ["people, nobody comes", { kinds: new Set(["person", "service"]) }, nobody, "kinds"],
  ["an application, met", { applications: new Set(["https://wiki.example.com"]) }, nobody, undefined],
  ["an application, another", { applications: new Set(["https://wiki.example.com/"]) }, claims(), "applications"],
  ["one of two groups", { groups: new Set(["ops", "x"]) }, claims(), undefined],
  ["another group", { groups: new Set(["OPS"]) }, claims(), "groups"],
  ["a group, of a program", { groups: new Set(["ops"]) }, program, "groups"],
  ["an email, met", { emails: new Set(["ann@example.com"]) }, claims(), undefined],
  ["an email, none known", { emails: new Set(["ann@example.com"]) }, claims({ email: undefined }), "emails"],
  ["a domain, met", { emailDomains: new Set(["example.com"]) }, claims(), undefined],
  ["a domain, a lower one", { emailDomains: new Set(["example.com"]) }, claims({ email: "ann@evil.example.com" }), "emailDomains"],
  ["a domain in the local part", { emailDomains: new Set(["example.com"]) }, claims({ email: "x@example.com@evil.net" }), "emailDomains"],
  ["two keys, one met", { groups: new Set(["ops"]), emails: new Set(["bob@example.com"]) }, claims(), "emails"],
  ["an empty list", { kinds: new Set() }, claims(), "kinds"],
])("demands %s", (_name, requirement, who, unmet) => {
  expect(unmetDemand({ ...NONE, ...requirement }, who)).toBe(unmet);
});

test("every key that is added only narrows", () => {
  const values = fc.option(fc.uniqueArray(fc.constantFrom("eng", "ops", "x"), { minLength: 1 }), { nil: undefined });
  const who = fc.uniqueArray(fc.constantFrom("eng", "ops", "y"));
  fc.assert(
    fc.property(values, fc.boolean(), who, (groups, people, mine) => {
      const some: Requirement = { ...NONE, groups: groups === undefined ? undefined : new Set(groups) };
      const more: Requirement = { ...some, ...(people ? { kinds: new Set(["person"] as const) } : {}) };
      for (const caller of [claims({ groups: mine }), program, nobody])
        if (unmetDemand(some, caller) !== undefined) expect(unmetDemand(more, caller)).toBeDefined();
    }),
  );
});
