// R-K5: the connector verifies who is asking for itself: a relay in wrong hands gets nothing through without an assertion
// signed by a key that the pinned root vouches for.

import { generateKeyPairSync } from "node:crypto";
import { generateTunnelKeyPair } from "@sallyport/shared/credential-file";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../harness/scratch.ts";
import { RecordingOrigin } from "./support/origin.ts";
import { startRogueRelay, type RogueRelay } from "./support/rogue-relay.ts";

const stack = new AsyncDisposableStack();
const origin = new RecordingOrigin();
let rogue: RogueRelay;
beforeAll(async () => {
  await origin.listen();
  rogue = await startRogueRelay(stack, { open: origin.url, admin: origin.url });
});
afterAll(async () => {
  await stack.disposeAsync();
  await origin.close();
});

const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
const nowS = (): number => Math.floor(Date.now() / 1000);

test("R-K5: a right assertion reaches the origin exactly once, whatever fields the relay adds", async () => {
  const token = rogue.token();
  const fields = ["Sallyport-Jwt-Assertion", "forged", "sallyport-jwt-assertion", "forged"];
  expect(await rogue.open({ fields }, { token })).toMatchObject({ status: 200 });
  expect(origin.requests.at(-1)?.values("sallyport-jwt-assertion")).toEqual([token]);
});

test("R-K5: the assertion of a bypass is verified, and not forwarded", async () => {
  const token = rogue.token(rogue.claims({ kind: "bypass", sub: undefined }));
  expect(await rogue.open({ fields: ["Sallyport-Jwt-Assertion", "forged"] }, { token })).toMatchObject({ status: 200 });
  expect(origin.requests.at(-1)?.values("sallyport-jwt-assertion")).toEqual([]);
});

const FORGED: readonly (readonly [string, () => string | undefined])[] = [
  ["none", () => undefined],
  ["nonsense", () => "x"],
  ["three empty parts", () => ".."],
  ["one of 10,000 characters", () => `${rogue.token()}${"A".repeat(8_000)}`.slice(0, 8_192)],
  ["without a signature", () => `${rogue.token().split(".").slice(0, 2).join(".")}.`],
  ["alg none", () => rogue.token(rogue.claims(), { alg: "none" })],
  ["alg None without signature", () => `${rogue.token(rogue.claims(), { alg: "None" }).split(".").slice(0, 2).join(".")}.AAAA`],
  ["HS256 by the public key", () => rogue.hmacToken()],
  ["alg RS256 with an EC signature", () => rogue.token(rogue.claims(), { alg: "RS256" })],
  ["a stranger's key", () => rogue.token(rogue.claims(), {}, stranger.privateKey)],
  [
    "a stranger's key that comes along as jwk",
    () => rogue.token(rogue.claims(), { jwk: stranger.publicKey.export({ format: "jwk" }) }, stranger.privateKey),
  ],
  ["jku", () => rogue.token(rogue.claims(), { jku: "http://127.0.0.1/keys" })],
  ["crit", () => rogue.token(rogue.claims(), { crit: ["exp"] })],
  ["b64", () => rogue.token(rogue.claims(), { b64: false })],
  ["zip", () => rogue.token(rogue.claims(), { zip: "DEF" })],
  ["an unknown kid", () => rogue.token(rogue.claims(), { kid: "k2" })],
  ["kid __proto__", () => rogue.token(rogue.claims(), { kid: "__proto__" })],
  ["kid ../../dev/null", () => rogue.token(rogue.claims(), { kid: "../../dev/null" })],
  ["no kid", () => rogue.token(rogue.claims(), { kid: undefined })],
  ["kid that is a number", () => rogue.token(rogue.claims(), { kid: 1 })],
  ["another type", () => rogue.token(rogue.claims(), { typ: "JWT" })],
  ["an application token's type", () => rogue.token(rogue.claims(), { typ: "sallyport-app+jwt" })],
  ["another tunnel", () => rogue.token(rogue.claims({ tunnel: "lab" }))],
  ["no tunnel", () => rogue.token(rogue.claims({ tunnel: undefined }))],
  ["another service", () => rogue.token(rogue.claims({ service: "admin" }))],
  ["another relay", () => rogue.token(rogue.claims({ iss: "https://evil.example" }))],
  ["the issuer with a slash", () => rogue.token(rogue.claims({ iss: `${rogue.url}/` }))],
  ["an expired one", () => rogue.token(rogue.claims({ iat: nowS() - 400, nbf: nowS() - 400, exp: nowS() - 100 }))],
  ["one from the future", () => rogue.token(rogue.claims({ iat: nowS() + 100, nbf: nowS() + 100, exp: nowS() + 200 }))],
  ["one not valid yet", () => rogue.token(rogue.claims({ nbf: nowS() + 100 }))],
  ["one that lives an hour", () => rogue.token(rogue.claims({ exp: nowS() + 3_600 }))],
  ["no exp", () => rogue.token(rogue.claims({ exp: undefined }))],
  ["exp as text", () => rogue.token(rogue.claims({ exp: String(nowS() + 100) }))],
  ["a negative exp", () => rogue.token(rogue.claims({ exp: -1 }))],
  ["no sub", () => rogue.token(rogue.claims({ sub: undefined }))],
  ["no jti", () => rogue.token(rogue.claims({ jti: undefined }))],
  ["an unknown kind", () => rogue.token(rogue.claims({ kind: "admin" }))],
  ["a list of audiences", () => rogue.token(rogue.claims({ aud: ["https://app.example.test", "x"] }))],
];

test.each(FORGED)("R-K5: %s: refused by the connector, with a line in its own log, and the origin hears nothing", async (_name, make) => {
  const requests = origin.requests.length;
  const lines = rogue.logLines.length;
  expect(await rogue.open({}, { token: make() })).toMatchObject({ reset: "ASSERTION_REFUSED" });
  expect(origin.requests).toHaveLength(requests);
  const logged = rogue.logLines.slice(lines).find(({ msg }) => msg === "assertion refused");
  expect(logged).toMatchObject({ level: "warn", service: "open" });
});

test.each<[string, readonly string[]]>([
  ["an assertion of the Access contract", ["Cf-Access-Jwt-Assertion", "forged", "Cookie", "CF_Authorization=forged"]],
  ["its cookie", ["Cookie", "a=1; CF_Authorization=forged"]],
  ["its email", ["Cf-Access-Authenticated-User-Email", "root@example.com"]],
  ["its email, as CGI reads it", ["cf_access_authenticated_user_email", "root@example.com"]],
])("R-K5: %s that no key of the manifest signed is refused, also beside a right assertion of ours", async (_name, fields) => {
  const requests = origin.requests.length;
  expect(await rogue.open({ fields })).toMatchObject({ reset: "ASSERTION_REFUSED" });
  expect(origin.requests).toHaveLength(requests);
});

test("R-K5: a token that was once verified is judged again at each use", async () => {
  const token = rogue.token(rogue.claims());
  expect(await rogue.open({}, { token })).toMatchObject({ status: 200 });
  expect(await rogue.open({ service: "admin" }, { token })).toMatchObject({ reset: "ASSERTION_REFUSED" });
});

describe("R-K5: manifests of keys", () => {
  async function send(manifest: string): Promise<string> {
    const before = rogue.manifestVerdicts.length;
    rogue.mux.sendKeys(manifest);
    await eventually(() => rogue.manifestVerdicts.length > before, { what: "the connector's verdict" });
    return rogue.manifestVerdicts.at(-1) ?? "";
  }
  const strange = (): Parameters<RogueRelay["manifest"]>[0] => ({
    keys: [{ ...stranger.publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256" } as never],
    version: 100,
  });

  test.each([
    ["another root", () => rogue.manifest(strange(), generateTunnelKeyPair().privateKey)],
    ["no signature", () => `${rogue.manifest(strange()).split(".").slice(0, 2).join(".")}.`],
    ["a changed payload", () => rogue.manifest(strange()).replace(/\.[^.]+\./, `.${rogue.manifest().split(".")[1]}.`)],
    ["a lower version", () => rogue.manifest({ ...strange(), version: 4 })],
    ["an expired one", () => rogue.manifest({ ...strange(), issuedAt: Date.now() - 10_000_000, expiresAt: Date.now() - 5_000 })],
    ["one from the future", () => rogue.manifest({ ...strange(), issuedAt: Date.now() + 3_600_000 })],
    ["nonsense", () => "x.y.z"],
  ])("%s brings no key in, and the keys known before stay", async (_name, make) => {
    expect(await send(make())).not.toMatch(/^accepted/);
    expect(await rogue.open({}, { token: rogue.token(rogue.claims(), {}, stranger.privateKey) })).toMatchObject({
      reset: "ASSERTION_REFUSED",
    });
    expect(await rogue.open()).toMatchObject({ status: 200 });
  });

  test("a key that the next version leaves out stops at once; a lower version does not bring it back", async () => {
    const token = rogue.token();
    expect(await rogue.open({}, { token })).toMatchObject({ status: 200 });
    expect(await send(rogue.manifest({ ...strange(), version: 6 }))).toBe("accepted 6");
    expect(await rogue.open({}, { token })).toMatchObject({ reset: "ASSERTION_REFUSED" });
    expect(await send(rogue.manifest({ version: 5 }))).not.toMatch(/^accepted/);
    expect(await rogue.open({}, { token })).toMatchObject({ reset: "ASSERTION_REFUSED" });
    expect(await send(rogue.manifest({ version: 7 }))).toBe("accepted 7");
    expect(await rogue.open({}, { token })).toMatchObject({ status: 200 });
  });

  test("a new root counts only when the old one has named it", async () => {
    const next = generateTunnelKeyPair();
    expect(await send(rogue.manifest({ version: 8 }, next.privateKey))).not.toMatch(/^accepted/);
    expect(await send(rogue.manifest({ version: 8, nextRoot: next.publicKey }))).toBe("accepted 8");
    expect(await send(rogue.manifest({ version: 9 }, next.privateKey))).toBe("accepted 9");
    expect(await send(rogue.manifest({ version: 10 }))).not.toMatch(/^accepted/);
  });
});
