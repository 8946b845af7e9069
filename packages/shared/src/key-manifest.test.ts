import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { generateTunnelKeyPair } from "./credential-file.ts";
import {
  type KeyManifest,
  MANIFEST_LIFETIME_MS,
  type ManifestJwk,
  manifestSigningInput,
  signManifest,
  verifyManifest,
} from "./key-manifest.ts";

const NOW = Date.UTC(2026, 0, 1);
const root = generateTunnelKeyPair();
const signer = generateKeyPairSync("ec", { namedCurve: "P-256" });
const manifest: KeyManifest = {
  version: 7,
  issuedAt: NOW,
  expiresAt: NOW + MANIFEST_LIFETIME_MS,
  keys: [jwkOf(signer.publicKey, "key-1")],
  nextRoot: undefined,
};

function jwkOf(key: KeyObject, kid: string): ManifestJwk {
  const { x = "", y = "" } = key.export({ format: "jwk" });
  return { kty: "EC", crv: "P-256", x, y, kid, alg: "ES256" };
}

function signed(header: object, payload: object | string): string {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  const input = `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${Buffer.from(text).toString("base64url")}`;
  return `${input}.${sign(null, Buffer.from(input), root.privateKey).toString("base64url")}`;
}

const header = JSON.parse(
  Buffer.from(manifestSigningInput(manifest, root.publicKey).split(".")[0] ?? "", "base64url").toString(),
) as object;
const payload = JSON.parse(
  Buffer.from(manifestSigningInput(manifest, root.publicKey).split(".")[1] ?? "", "base64url").toString(),
) as object;

describe("a key manifest", () => {
  test("signed by the pinned root is accepted and yields its keys", () => {
    const result = verifyManifest(signManifest(manifest, root.privateKey), root.publicKey, NOW, 7);
    if (result.kind !== "valid") throw new Error(result.problem);
    expect(result.manifest).toEqual(manifest);
    const key = result.keys.get("key-1");
    expect(key?.alg).toBe("ES256");
    expect(key?.key.equals(createPublicKey(signer.privateKey))).toBe(true);
  });

  test("carries the next root", () => {
    const nextRoot = generateTunnelKeyPair().publicKey;
    const result = verifyManifest(signManifest({ ...manifest, nextRoot }, root.privateKey), root.publicKey, NOW, 0);
    expect(result.kind === "valid" && result.manifest.nextRoot).toEqual(nextRoot);
  });

  test("signed by another root is refused, even under the pinned root's name", () => {
    const other = generateTunnelKeyPair();
    expect(verifyManifest(signManifest(manifest, other.privateKey), root.publicKey, NOW, 0)).toEqual({ kind: "invalid", problem: "type" });
    const input = manifestSigningInput(manifest, root.publicKey);
    const forged = `${input}.${sign(null, Buffer.from(input), other.privateKey).toString("base64url")}`;
    expect(verifyManifest(forged, root.publicKey, NOW, 0)).toEqual({ kind: "invalid", problem: "signature" });
  });

  test("with any altered character is refused", () => {
    const token = signManifest(manifest, root.privateKey);
    for (let i = 0; i < token.length; i += 7) {
      const altered = token.slice(0, i) + (token[i] === "A" ? "B" : "A") + token.slice(i + 1);
      expect(verifyManifest(altered, root.publicKey, NOW, 0).kind).toBe("invalid");
    }
  });

  test("of a lower version, expired, or from the future is refused (R-K5)", () => {
    const token = signManifest(manifest, root.privateKey);
    expect(verifyManifest(token, root.publicKey, NOW, 8)).toEqual({ kind: "invalid", problem: "rolled-back" });
    expect(verifyManifest(token, root.publicKey, NOW + MANIFEST_LIFETIME_MS, 0)).toEqual({ kind: "invalid", problem: "expired" });
    expect(verifyManifest(token, root.publicKey, NOW - 31_000, 0)).toEqual({ kind: "invalid", problem: "not-yet-valid" });
    expect(verifyManifest(token, root.publicKey, NOW - 29_000, 0).kind).toBe("valid");
  });

  const headers: ReadonlyArray<readonly [string, object]> = [
    ["alg none", { ...header, alg: "none" }],
    ["another type", { ...header, typ: "JWT" }],
    ["a critical member", { ...header, crit: ["b64"], b64: false }],
    ["an embedded key", { ...header, jwk: {} }],
  ];
  test.each(headers)("with %s in its header is refused", (_name, changed) => {
    expect(verifyManifest(signed(changed, payload), root.publicKey, NOW, 0)).toEqual({ kind: "invalid", problem: "type" });
  });

  const payloads: ReadonlyArray<readonly [string, object | string]> = [
    ["a version that is text", { ...payload, version: "7" }],
    ["no expiry", { ...payload, exp: undefined }],
    ["an expiry beyond numbers", JSON.stringify(payload).replace(/"exp":\d+/, '"exp":1e400')],
    ["keys that are no list", { ...payload, keys: {} }],
    ["a symmetric key", { ...payload, keys: [{ kty: "oct", k: "AAAA", kid: "a", alg: "HS256" }] }],
    ["a point off the curve", { ...payload, keys: [{ ...manifest.keys[0], x: "AAAA" }] }],
    ["one kid twice", { ...payload, keys: [manifest.keys[0], manifest.keys[0]] }],
    ["a next root of the wrong size", { ...payload, nextRoot: "AAAA" }],
    ["no object", "7"],
  ];
  test.each(payloads)("with %s is refused although its signature is right", (_name, changed) => {
    expect(verifyManifest(signed(header, changed), root.publicKey, NOW, 0)).toEqual({ kind: "invalid", problem: "malformed" });
  });
});
