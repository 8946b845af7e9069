import { describe, expect, it } from "vitest";
import type { Selector } from "../config/policy-types.ts";
import type { ClientCertificate, RequestFacts } from "./facts.ts";
import { parseIp } from "./ip.ts";
import { compiledSelector, facts, NEW_YEAR_MS, person, service } from "./testing.ts";
import { FALSE, TRUE, UNKNOWN } from "./truth.ts";

const WORDS = ["false", "unknown", "true"] as const;

/** The value of a selector, `pending` when it depends on the assumption about a later sign-in. */
function valueOf(selector: Selector, overrides: Partial<RequestFacts>): string {
  const node = compiledSelector(selector);
  const least = node.evaluate(facts(overrides), FALSE);
  return least === node.evaluate(facts(overrides), TRUE) ? WORDS[least] : "pending";
}

const certificate: ClientCertificate = {
  kind: "verified",
  commonName: "ci",
  subjectAlternativeNames: ["dns:ci.example.com"],
  fingerprint: "a".repeat(64),
};
const ip = (text: string): Partial<RequestFacts> => ({ ip: parseIp(text) });
const ann = { identity: person() };
const bot = { identity: service("deploy-bot") };
const countryIs = (code: string | undefined): Partial<RequestFacts> => ({ ...ip("192.0.2.1"), countryOf: () => code });
const claims = (value: Readonly<Record<string, unknown>>): Partial<RequestFacts> => ({ identity: person({ claims: value }) });

const CASES: readonly (readonly [string, Selector, Partial<RequestFacts>, string])[] = [
  ["everyone is true for strangers", { everyone: true }, {}, "true"],
  ["everyone is true for programs", { everyone: true }, bot, "true"],

  ["email matches as a whole", { email: "ann@example.com" }, ann, "true"],
  ["email does not match another", { email: "ann@example.org" }, ann, "false"],
  ["email is unknown without a verified one", { email: "ann@example.com" }, { identity: person({ email: undefined }) }, "unknown"],
  ["email is pending before sign-in", { email: "ann@example.com" }, {}, "pending"],
  ["email is false for programs", { email: "ann@example.com" }, bot, "false"],

  ["emailDomain matches the domain", { emailDomain: "example.com" }, ann, "true"],
  ["emailDomain does not match a subdomain", { emailDomain: "example.com" }, { identity: person({ email: "a@x.example.com" }) }, "false"],
  [
    "emailDomain does not match a longer name",
    { emailDomain: "example.com" },
    { identity: person({ email: "a@evilexample.com" }) },
    "false",
  ],
  [
    "emailDomain takes what follows the last @",
    { emailDomain: "example.com" },
    { identity: person({ email: "x@example.com@evil.test" }) },
    "false",
  ],
  ["emailDomain is unknown without email", { emailDomain: "example.com" }, { identity: person({ email: undefined }) }, "unknown"],
  ["emailDomain is pending before sign-in", { emailDomain: "example.com" }, {}, "pending"],

  ["identityGroup matches one of the groups", { identityGroup: "eng" }, { identity: person({ groups: ["ops", "eng"] }) }, "true"],
  ["identityGroup is case-sensitive", { identityGroup: "Eng" }, ann, "false"],
  ["identityGroup is false for a person in no group", { identityGroup: "eng" }, { identity: person({ groups: [] }) }, "false"],
  [
    "identityGroup is unknown when the provider did not say",
    { identityGroup: "eng" },
    { identity: person({ groups: undefined }) },
    "unknown",
  ],
  ["identityGroup is pending before sign-in", { identityGroup: "eng" }, {}, "pending"],

  ["claim equals compares text", { claim: { name: "d", equals: "sales" } }, claims({ d: "sales" }), "true"],
  ["claim equals is case-sensitive", { claim: { name: "d", equals: "sales" } }, claims({ d: "Sales" }), "false"],
  ["claim equals compares numbers", { claim: { name: "d", equals: 5 } }, claims({ d: 5 }), "true"],
  ["claim equals compares truth values", { claim: { name: "d", equals: false } }, claims({ d: false }), "true"],
  ["claim equals of another type is unknown", { claim: { name: "d", equals: 5 } }, claims({ d: "5" }), "unknown"],
  ["claim equals of a list is unknown", { claim: { name: "d", equals: "a" } }, claims({ d: ["a"] }), "unknown"],
  ["claim that is missing is unknown", { claim: { name: "d", equals: "a" } }, claims({}), "unknown"],
  ["claim that is null is unknown", { claim: { name: "d", equals: "a" } }, claims({ d: null }), "unknown"],
  ["claim of the prototype is missing", { claim: { name: "constructor", equals: "a" } }, claims({}), "unknown"],
  ["claim contains looks into lists", { claim: { name: "r", contains: "admin" } }, claims({ r: ["user", "admin"] }), "true"],
  ["claim contains misses", { claim: { name: "r", contains: "admin" } }, claims({ r: ["administrator"] }), "false"],
  [
    "claim contains of a text is unknown, never a substring",
    { claim: { name: "r", contains: "admin" } },
    claims({ r: "administrator" }),
    "unknown",
  ],
  ["claim is pending before sign-in", { claim: { name: "r", contains: "admin" } }, {}, "pending"],

  ["identityProvider matches its name", { identityProvider: "corp" }, ann, "true"],
  ["identityProvider does not match another", { identityProvider: "github" }, ann, "false"],
  ["identityProvider is pending before sign-in", { identityProvider: "corp" }, {}, "pending"],

  ["authMethod matches one of amr", { authMethod: "mfa" }, { identity: person({ authMethods: ["pwd", "mfa"] }) }, "true"],
  ["authMethod is false when amr lacks it", { authMethod: "mfa" }, ann, "false"],
  ["authMethod is unknown without amr", { authMethod: "mfa" }, { identity: person({ authMethods: undefined }) }, "unknown"],
  ["authMethod is pending before sign-in", { authMethod: "mfa" }, {}, "pending"],

  ["ip matches a block", { ip: "10.0.0.0/8" }, ip("10.255.0.1"), "true"],
  ["ip misses the neighbour of a block", { ip: "10.0.0.0/8" }, ip("11.0.0.0"), "false"],
  ["ip matches one of a list", { ip: ["192.0.2.1", "2001:db8::/32"] }, ip("2001:db8::1"), "true"],
  ["ip of a mapped address is IPv4", { ip: "10.0.0.0/8" }, ip("::ffff:10.1.2.3"), "true"],
  ["ip block of mapped addresses is IPv4", { ip: "::ffff:10.0.0.0/104" }, ip("10.1.2.3"), "true"],
  ["ip ::/0 holds no IPv4 address", { ip: "::/0" }, ip("10.1.2.3"), "false"],
  ["ip is unknown without an address", { ip: "10.0.0.0/8" }, {}, "unknown"],
  ["ip is unknown for an address with a zone", { ip: "fe80::/10" }, ip("fe80::1%eth0"), "unknown"],

  ["country matches", { country: "DE" }, countryIs("DE"), "true"],
  ["country matches one of a list", { country: ["FR", "DE"] }, countryIs("DE"), "true"],
  ["country does not match another", { country: "FR" }, countryIs("DE"), "false"],
  ["country is unknown when the database lacks the address", { country: "DE" }, countryIs(undefined), "unknown"],

  ["serviceToken matches its name", { serviceToken: "deploy-bot" }, bot, "true"],
  ["serviceToken does not match another", { serviceToken: "backup" }, bot, "false"],
  ["serviceToken is false for people", { serviceToken: "deploy-bot" }, ann, "false"],
  ["serviceToken is false, not pending, for strangers", { serviceToken: "deploy-bot" }, {}, "false"],
  ["anyServiceToken matches every token", { anyServiceToken: true }, bot, "true"],
  ["anyServiceToken is false for people", { anyServiceToken: true }, ann, "false"],
  ["anyServiceToken is false for strangers", { anyServiceToken: true }, {}, "false"],

  ["clientCertificate any matches a verified one", { clientCertificate: "any" }, { clientCertificate: certificate }, "true"],
  ["clientCertificate is false without one", { clientCertificate: "any" }, { clientCertificate: { kind: "none" } }, "false"],
  [
    "clientCertificate is false for one that does not verify",
    { clientCertificate: "any" },
    { clientCertificate: { kind: "refused", problem: "CERT_HAS_EXPIRED" } },
    "false",
  ],
  ["clientCertificate is unknown where nobody asked", { clientCertificate: "any" }, { clientCertificate: undefined }, "unknown"],
  [
    "clientCertificate is pending before its connection",
    { clientCertificate: "any" },
    { clientCertificate: { kind: "pending" } },
    "pending",
  ],
  ["clientCertificate by common name", { clientCertificate: { commonName: "ci" } }, { clientCertificate: certificate }, "true"],
  ["clientCertificate by another common name", { clientCertificate: { commonName: "c" } }, { clientCertificate: certificate }, "false"],
  [
    "clientCertificate by alternative name",
    { clientCertificate: { subjectAlternativeName: "dns:ci.example.com" } },
    { clientCertificate: certificate },
    "true",
  ],
  [
    "clientCertificate by alternative name of another type",
    { clientCertificate: { subjectAlternativeName: "email:ci.example.com" } },
    { clientCertificate: certificate },
    "false",
  ],
  ["clientCertificate by fingerprint", { clientCertificate: { fingerprint: "a".repeat(64) } }, { clientCertificate: certificate }, "true"],
  [
    "clientCertificate by another fingerprint",
    { clientCertificate: { fingerprint: "b".repeat(64) } },
    { clientCertificate: certificate },
    "false",
  ],

  ["method matches", { method: "POST" }, { method: "POST" }, "true"],
  ["method matches one of a list", { method: ["PUT", "POST"] }, { method: "POST" }, "true"],
  ["method does not match another", { method: "POST" }, { method: "GET" }, "false"],
  ["method GET includes HEAD", { method: "GET" }, { method: "HEAD" }, "true"],
  ["method is compared in upper case exactly", { method: "GET" }, { method: "get" }, "false"],

  ["timeWindow contains its first minute", { timeWindow: { from: "00:00", to: "01:00", timezone: "UTC" } }, { nowMs: NEW_YEAR_MS }, "true"],
  ["timeWindow does not contain its end", { timeWindow: { from: "23:00", to: "24:00", timezone: "UTC" } }, { nowMs: NEW_YEAR_MS }, "false"],

  [
    "externalEvaluation says yes",
    { externalEvaluation: { url: "https://e/", keysUrl: "https://e/k" } },
    { ...ann, external: () => true },
    "true",
  ],
  [
    "externalEvaluation says no",
    { externalEvaluation: { url: "https://e/", keysUrl: "https://e/k" } },
    { ...ann, external: () => false },
    "false",
  ],
  ["externalEvaluation without answer is unknown", { externalEvaluation: { url: "https://e/", keysUrl: "https://e/k" } }, ann, "unknown"],
  [
    "externalEvaluation is pending before sign-in",
    { externalEvaluation: { url: "https://e/", keysUrl: "https://e/k" } },
    { external: () => true },
    "pending",
  ],
];

describe("selectors", () => {
  it.each(CASES)("%s", (_title, selector, overrides, expected) => {
    expect(valueOf(selector, overrides)).toBe(expected);
  });

  it("hand the evaluator's own URL to the look-up", () => {
    const asked: string[] = [];
    valueOf(
      { externalEvaluation: { url: "https://e/ask", keysUrl: "https://e/keys" } },
      { ...ann, external: (url) => void asked.push(url) },
    );
    expect(new Set(asked)).toEqual(new Set(["https://e/ask"]));
  });

  it("of a group keep three values inside include, require and exclude", () => {
    const groups = [
      {
        name: "g",
        include: [{ email: "ann@example.com" }, { identityGroup: "eng" }],
        require: [{ country: "DE" }],
        exclude: [{ authMethod: "sms" }],
      },
    ];
    const node = compiledSelector({ group: "g" }, groups);
    const visitor = (country: string | undefined, authMethods: readonly string[] | undefined): RequestFacts =>
      facts({ identity: person({ groups: undefined, authMethods }), ...countryIs(country) });
    expect(node.evaluate(visitor("DE", []), FALSE)).toBe(TRUE);
    expect(node.evaluate(visitor(undefined, []), FALSE)).toBe(UNKNOWN);
    expect(node.evaluate(visitor("DE", undefined), FALSE)).toBe(UNKNOWN);
    expect(node.evaluate(visitor("FR", undefined), FALSE)).toBe(FALSE);
    expect(node.evaluate(visitor("DE", ["sms"]), FALSE)).toBe(FALSE);
  });
});
