import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { ManualClock } from "@sallyport/shared/clock";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { beforeEach, expect, test } from "vitest";
import type { PersonIdentity } from "../authn/identity.ts";
import { ACCESS_ASSERTION_LIFETIME_MS, AccessAssertionIssuer, accessTag, personUuid } from "./access-assertion.ts";

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const audience = { tag: accessTag("https://wiki.example.com") };
const ann: PersonIdentity = {
  kind: "person",
  provider: "corp",
  subject: "ann",
  email: "ann@example.com",
  name: undefined,
  groups: undefined,
  authMethods: undefined,
  claims: {},
  sessionId: "s",
};

let clock: ManualClock;
let key: { kid: string; privateKey: KeyObject };
let issuer: AccessAssertionIssuer;

beforeEach(() => {
  clock = new ManualClock();
  key = { kid: "one", privateKey };
  issuer = new AccessAssertionIssuer("https://auth.example.com", { signingKey: () => key }, clock);
});

test("a token is signed once and given out for four minutes", async () => {
  const first = issuer.get(audience, ann, "DE");
  expect(first).toBeInstanceOf(Promise);
  const token = await first;
  clock.advance(239_999);
  expect(issuer.get(audience, ann, "DE")).toBe(token);
  clock.advance(1);
  expect(await issuer.get(audience, ann, "DE")).not.toBe(token);
});

test("requests at the same time share one signature", async () => {
  const tokens = await Promise.all([issuer.get(audience, ann, "DE"), issuer.get(audience, ann, "DE")]);
  expect(tokens[0]).toBe(tokens[1]);
});

test("another country, application or identity has a token of its own", async () => {
  const token = await issuer.get(audience, ann, "DE");
  const others = await Promise.all([
    issuer.get(audience, ann, "FR"),
    issuer.get(audience, ann, undefined),
    issuer.get({ tag: accessTag("https://other.example.com") }, ann, "DE"),
    issuer.get(audience, { ...ann, subject: "bob" }, "DE"),
  ]);
  expect(new Set([token, ...others]).size).toBe(5);
  expect([token, ...others].map((one) => decodeJwt(one)["country"])).toEqual(["DE", "FR", undefined, "DE", "DE"]);
});

test("a new key, and a clock that was set back, mean a new token", async () => {
  const token = await issuer.get(audience, ann, undefined);
  key = { kid: "two", privateKey };
  const second = await issuer.get(audience, ann, undefined);
  expect([decodeProtectedHeader(token).kid, decodeProtectedHeader(second).kid]).toEqual(["one", "two"]);
  let now = 10_000_000;
  const movable = { now: () => now, monotonic: () => 0, after: () => ({ cancel: () => {} }) };
  const past = new AccessAssertionIssuer("https://auth.example.com", { signingKey: () => key }, movable);
  const ahead = await past.get(audience, ann, undefined);
  now = 5_000_000;
  expect(decodeJwt(await past.get(audience, ann, undefined)).iat).toBe(5_000);
  expect(decodeJwt(ahead).iat).toBe(10_000);
});

test("whom a token is about is known while it is valid, by exactly its bytes", async () => {
  const token = await issuer.get(audience, ann, undefined);
  expect(issuer.identityIn(token)).toBe(ann);
  expect(issuer.identityIn(`${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`)).toBeUndefined();
  clock.advance(ACCESS_ASSERTION_LIFETIME_MS);
  expect(issuer.identityIn(token)).toBeUndefined();
});

test("a person's UUID depends on provider and subject alone", () => {
  expect(personUuid(ann)).toBe(personUuid({ ...ann, email: "new@example.com", sessionId: "t" }));
  expect(personUuid(ann)).not.toBe(personUuid({ ...ann, provider: "other" }));
});

test("the AUD tag is what `printf %s URL | sha256sum` prints", () => {
  expect(accessTag("https://grafana.example.com")).toBe("61bc5cde10abee3c2b8f4780febf64fc23d4f2bb6819ee36be0252fa25bfedd6");
});
