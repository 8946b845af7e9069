import { createPublicKey, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@sallyport/shared/clock";
import { ed25519PublicKey } from "@sallyport/shared/credential-file";
import { verifyManifest } from "@sallyport/shared/key-manifest";
import { compactVerify, importJWK } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KEY_LIFETIME_MS, KEY_OVERLAP_MS, KEY_RETENTION_MS, PUBLISH_AHEAD_MS } from "./key-schedule.ts";
import type { KeyStore } from "./keys.ts";
import { openState, type State } from "./state.ts";

const DAY_MS = 86_400_000;
let folder: string;
let clock: ManualClock;
let state: State;
let keys: KeyStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-keys-"));
  clock = new ManualClock();
  reopen();
});
afterEach(() => {
  state.close();
  rmSync(folder, { recursive: true });
});

function reopen(): void {
  state?.close();
  state = openState({ folder, clock });
  keys = state.keys;
}

function manifest(lowestVersion = 0) {
  const token = Buffer.from(keys.currentManifest() ?? new Uint8Array()).toString("latin1");
  const result = verifyManifest(token, keys.rootPublicKey, clock.now(), lowestVersion);
  if (result.kind !== "valid") throw new Error(result.problem);
  return { token, ...result };
}

describe("keys", () => {
  test("of a new state sign at once, and are the same after a restart", () => {
    const before = {
      root: keys.rootPublicKey,
      kid: keys.signingKey("assertion").kid,
      secret: keys.secret("cookies"),
      token: manifest().token,
    };
    reopen();
    expect({
      root: keys.rootPublicKey,
      kid: keys.signingKey("assertion").kid,
      secret: keys.secret("cookies"),
      token: manifest().token,
    }).toEqual(before);
  });

  test("have one purpose each (R-G3)", () => {
    const kids = (["assertion", "token", "record"] as const).map((purpose) => keys.signingKey(purpose).kid);
    expect(new Set(kids).size).toBe(3);
    expect(keys.verificationKeys("assertion").has(keys.signingKey("token").kid)).toBe(false);
    expect(keys.secret("a")).not.toEqual(keys.secret("b"));
    expect(keys.secret("a", 64)).toHaveLength(64);
  });

  test("are published as public JWKs that verify what the signing key signs", async () => {
    const { kid, privateKey } = keys.signingKey("assertion");
    const jwk = keys.jwks().keys.find((key) => key.kid === kid);
    expect(Object.keys(jwk ?? {}).toSorted()).toEqual(["alg", "crv", "kid", "kty", "x", "y"]);
    const input = `${Buffer.from('{"alg":"ES256"}').toString("base64url")}.e30`;
    const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url");
    await expect(compactVerify(`${input}.${signature}`, await importJWK(jwk as object, "ES256"))).resolves.toBeDefined();
  });

  test("rotate by command: published first, signing an hour later, the old one kept until its tokens are over (R-G6)", () => {
    const old = keys.signingKey("assertion").kid;
    const next = keys.rotate("assertion").key.kid;
    expect(keys.jwks().keys.map((key) => key.kid)).toEqual([old, next]);
    expect(keys.signingKey("assertion").kid).toBe(old);
    clock.advance(PUBLISH_AHEAD_MS);
    expect(keys.signingKey("assertion").kid).toBe(next);
    clock.advance(KEY_OVERLAP_MS - 1);
    expect(keys.verificationKeys("assertion").has(old)).toBe(true);
    clock.advance(1);
    expect(keys.verificationKeys("assertion").has(old)).toBe(false);
  });

  test("rotate by themselves: in a year some key always signs, is published long enough before, and the list stays short (R-G6)", () => {
    const publishedSince = new Map<string, number>([[keys.signingKey("assertion").kid, -Infinity]]);
    const signed = new Set<string>();
    for (let hour = 0; hour < 365 * 24; hour += 6) {
      clock.advance(6 * 3_600_000);
      for (const { kid } of keys.jwks().keys) if (!publishedSince.has(kid)) publishedSince.set(kid, clock.now());
      const { kid } = keys.signingKey("assertion");
      expect(keys.verificationKeys("assertion").has(kid)).toBe(true);
      signed.add(kid);
    }
    expect(signed.size).toBe(Math.ceil((365 * DAY_MS) / KEY_LIFETIME_MS));
    for (const key of keys.list())
      if (key.createdAt > 0 && key.activeAt !== key.createdAt) expect(key.activeAt - key.createdAt).toBe(PUBLISH_AHEAD_MS);
    expect(keys.list().length).toBeLessThan(4 + 2 * (2 + Math.ceil(KEY_RETENTION_MS / KEY_LIFETIME_MS)));
  });

  test("that are revoked are gone at once, and another signs at once (R-G6)", () => {
    const old = keys.signingKey("token").kid;
    const heard: string[] = [];
    keys.onChanged(() => heard.push("changed"));
    expect(keys.revoke(old)?.key.kid).toBe(old);
    expect(keys.verificationKeys("token").has(old)).toBe(false);
    expect(keys.signingKey("token").kid).not.toBe(old);
    expect(heard).toEqual(["changed"]);
    expect(keys.revoke(old)).toBeUndefined();
    expect(keys.revoke("unknown")).toBeUndefined();
    reopen();
    expect(keys.verificationKeys("token").has(old)).toBe(false);
  });

  test("sign even when the clock was moved back before they were made", () => {
    clock.jump(-30 * DAY_MS);
    expect(keys.signingKey("assertion").kid).toBe(keys.jwks().keys[0]?.kid);
  });
});

describe("the manifest", () => {
  test("is a JWS that a standard library verifies", async () => {
    const { protectedHeader } = await compactVerify(manifest().token, ed25519PublicKey(keys.rootPublicKey));
    expect(protectedHeader).toMatchObject({ alg: "EdDSA", typ: "sallyport-manifest+jwt" });
  });

  test("names exactly the published assertion keys and grows in version with each change", () => {
    const first = manifest();
    keys.rotate("assertion");
    const second = manifest(first.manifest.version + 1);
    expect([...second.keys.keys()]).toEqual(keys.jwks().keys.map((key) => key.kid));
    keys.revoke(keys.signingKey("assertion").kid);
    const third = manifest(second.manifest.version + 1);
    expect([...third.keys.keys()]).toEqual(keys.jwks().keys.map((key) => key.kid));
  });

  test("does not change with keys that connectors do not verify", () => {
    const before = manifest().token;
    keys.rotate("token");
    expect(manifest().token).toBe(before);
  });

  test("is renewed while the relay runs, and after it was off for longer than the manifest is good for", () => {
    clock.advance(80 * DAY_MS);
    expect(manifest().manifest.expiresAt).toBeGreaterThan(clock.now() + 80 * DAY_MS);
    state.close();
    clock.advance(100 * DAY_MS);
    reopen();
    expect(manifest().manifest.expiresAt).toBeGreaterThan(clock.now() + 80 * DAY_MS);
  });

  test("with the root offline waits for a signature made elsewhere; the old keys go on until it is brought back", () => {
    const rootKey = keys.takeRootOffline();
    expect(createPublicKey(rootKey).equals(ed25519PublicKey(keys.rootPublicKey))).toBe(true);
    reopen();
    expect(keys.rootOnline).toBe(false);
    const old = keys.signingKey("assertion").kid;
    const { toSign, key } = keys.rotate("assertion");
    if (toSign === undefined) throw new Error("nothing to sign");
    clock.advance(PUBLISH_AHEAD_MS + 1000);
    expect(keys.signingKey("assertion").kid).toBe(old);
    expect(() => keys.adoptManifest(`${toSign}.AAAA`)).toThrow(expect.objectContaining({ code: "ERR_KEYS_MANIFEST" }));
    keys.adoptManifest(`${toSign}.${sign(null, Buffer.from(toSign), rootKey).toString("base64url")}`);
    expect(keys.signingKey("assertion").kid).toBe(key.kid);
    expect(keys.manifestToSign()).toBeUndefined();
    expect(() => keys.takeRootOffline()).toThrow(expect.objectContaining({ code: "ERR_KEYS_ROOT" }));
  });
});

describe("the key for origins written for Cloudflare Access", () => {
  test("is made when it is needed first, once; the root vouches for it, and our own key set stays as it is", () => {
    keys.maintain();
    expect(keys.published("access")).toEqual([]);
    const ours = keys.jwks();
    keys.ensure("access");
    keys.ensure("access");
    const [key, ...more] = keys.published("access");
    expect([key?.algorithm, more]).toEqual(["RS256", []]);
    expect(keys.jwks()).toEqual(ours);
    expect(manifest().keys.get(key?.kid ?? "")).toMatchObject({ alg: "RS256" });
    reopen();
    expect(keys.signingKey("access").kid).toBe(key?.kid);
  });

  test("with the root offline, signs nothing until the root has signed the manifest that names it (R-K5)", () => {
    const rootKey = keys.takeRootOffline();
    keys.ensure("access");
    expect(() => keys.signingKey("access")).toThrow(expect.objectContaining({ code: "ERR_KEYS_NONE" }));
    expect(keys.signingKey("assertion").kid).toBeDefined();
    const toSign = keys.manifestToSign() ?? "";
    keys.adoptManifest(`${toSign}.${sign(null, Buffer.from(toSign), rootKey).toString("base64url")}`);
    expect(manifest().keys.has(keys.signingKey("access").kid)).toBe(true);
  });

  test("that is revoked leaves the manifest at once", () => {
    keys.ensure("access");
    const revoked = keys.signingKey("access").kid;
    keys.revoke(revoked);
    expect([...manifest().keys.keys()]).not.toContain(revoked);
    expect(manifest().keys.has(keys.signingKey("access").kid)).toBe(true);
  });

  test("is published an hour before it signs, like the others", () => {
    keys.ensure("access");
    const first = keys.signingKey("access").kid;
    clock.advance(KEY_LIFETIME_MS - PUBLISH_AHEAD_MS);
    keys.maintain();
    expect([keys.published("access").length, keys.signingKey("access").kid]).toEqual([2, first]);
    clock.advance(PUBLISH_AHEAD_MS);
    expect(keys.signingKey("access").kid).not.toBe(first);
    clock.advance(KEY_OVERLAP_MS);
    expect(keys.published("access").map(({ kid }) => kid)).not.toContain(first);
  });
});
