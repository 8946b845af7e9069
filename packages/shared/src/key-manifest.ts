// The key manifest: which public keys sign assertions, signed by the relay's root key, which the connector's
// credential pins. A relay database that was stolen or altered can therefore not bring new keys to a connector.
// A compact JWS (RFC 7515) with Ed25519 (RFC 8037), written by the relay and verified by the connector.
// Pure: no I/O, no clock of its own.

import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { ed25519PublicKey, rawPublicKey } from "./credential-file.ts";

export const MANIFEST_TYPE = "sallyport-manifest+jwt";
/** How long a manifest is good for. After that a connector that got no newer one answers 403. */
export const MANIFEST_LIFETIME_MS: number = 90 * 86_400_000;
/** Longest manifest that is read. A key takes about 220 bytes. */
export const MAX_MANIFEST_BYTES = 16_384;
/** Most keys in a manifest. */
export const MAX_MANIFEST_KEYS = 32;
/** How far in the future a manifest may have been issued (R-G4). */
const SKEW_MS = 30_000;

/** A public key of the manifest as JWK (RFC 7517), with exactly these members. */
export type ManifestJwk =
  | { readonly kty: "EC"; readonly crv: "P-256"; readonly x: string; readonly y: string; readonly kid: string; readonly alg: "ES256" }
  | { readonly kty: "RSA"; readonly n: string; readonly e: string; readonly kid: string; readonly alg: "RS256" };

export interface KeyManifest {
  /** Increases with each change; a connector refuses a lower one than it has seen. 1 to 2^53 - 1. */
  readonly version: number;
  /** Milliseconds since the epoch, whole seconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly keys: readonly ManifestJwk[];
  /** Raw public key of the root that follows this one: a connector that accepted this manifest trusts it too. */
  readonly nextRoot: Uint8Array | undefined;
}

/** One usable key of a verified manifest. */
export interface ManifestKey {
  readonly alg: "ES256" | "RS256";
  readonly key: KeyObject;
}

export type ManifestProblem = "malformed" | "type" | "signature" | "expired" | "not-yet-valid" | "rolled-back";

export type ManifestResult =
  | { readonly kind: "valid"; readonly manifest: KeyManifest; readonly keys: ReadonlyMap<string, ManifestKey> }
  | { readonly kind: "invalid"; readonly problem: ManifestProblem };

/** Base64url SHA-256 of the raw root key, shortened: names a root in logs and in the header of a manifest. */
export function rootKeyId(rawRootKey: Uint8Array): string {
  return createHash("sha256").update(rawRootKey).digest("base64url").slice(0, 16);
}

/** What a root key signs: header and payload, encoded and joined. Also what `keys rotate` exports for an offline root. */
export function manifestSigningInput(manifest: KeyManifest, rawRootKey: Uint8Array): string {
  const header = { alg: "EdDSA", typ: MANIFEST_TYPE, kid: rootKeyId(rawRootKey) };
  const payload = {
    version: manifest.version,
    iat: Math.floor(manifest.issuedAt / 1000),
    exp: Math.floor(manifest.expiresAt / 1000),
    keys: manifest.keys,
    ...(manifest.nextRoot === undefined ? {} : { nextRoot: Buffer.from(manifest.nextRoot).toString("base64url") }),
  };
  return `${encode(header)}.${encode(payload)}`;
}

/** Signs a manifest with an Ed25519 root key. */
export function signManifest(manifest: KeyManifest, rootKey: KeyObject): string {
  const input = manifestSigningInput(manifest, rawPublicKey(rootKey));
  return `${input}.${sign(null, Buffer.from(input, "latin1"), rootKey).toString("base64url")}`;
}

/**
 * Verifies a manifest: type, signature by exactly this root, time, version, and the shape of each key.
 * @param lowestVersion the highest version accepted before; 0 when there was none. The same version is accepted again.
 */
export function verifyManifest(token: string, rawRootKey: Uint8Array, nowMs: number, lowestVersion: number): ManifestResult {
  if (token.length > MAX_MANIFEST_BYTES) return invalid("malformed");
  const parts = token.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) return invalid("malformed");
  // The header is compared as a whole: no algorithm, critical member or embedded key can be chosen by the sender.
  if (header !== encode({ alg: "EdDSA", typ: MANIFEST_TYPE, kid: rootKeyId(rawRootKey) })) return invalid("type");
  const signed = Buffer.from(`${header}.${payload}`, "latin1");
  if (!verify(null, signed, ed25519PublicKey(rawRootKey), Buffer.from(signature, "base64url"))) return invalid("signature");
  const manifest = readPayload(payload);
  if (manifest === undefined) return invalid("malformed");
  const keys = importKeys(manifest.keys);
  if (keys === undefined) return invalid("malformed");
  if (manifest.version < lowestVersion) return invalid("rolled-back");
  if (manifest.issuedAt > nowMs + SKEW_MS) return invalid("not-yet-valid");
  if (manifest.expiresAt <= nowMs) return invalid("expired");
  return { kind: "valid", manifest, keys };
}

function readPayload(encoded: string): KeyManifest | undefined {
  const value = decode(encoded);
  if (value === undefined) return undefined;
  const { version, iat, exp, keys, nextRoot } = value;
  if (!isPositiveInteger(version) || !isPositiveInteger(iat) || !isPositiveInteger(exp)) return undefined;
  if (!Array.isArray(keys) || keys.length > MAX_MANIFEST_KEYS) return undefined;
  const next = nextRoot === undefined ? undefined : typeof nextRoot === "string" ? Buffer.from(nextRoot, "base64url") : Buffer.alloc(0);
  if (next !== undefined && next.length !== 32) return undefined;
  return {
    version,
    issuedAt: iat * 1000,
    expiresAt: exp * 1000,
    keys: keys as readonly ManifestJwk[],
    nextRoot: next === undefined ? undefined : new Uint8Array(next),
  };
}

function importKeys(jwks: readonly unknown[]): Map<string, ManifestKey> | undefined {
  const keys = new Map<string, ManifestKey>();
  for (const jwk of jwks) {
    const key = importKey(jwk);
    if (key === undefined || keys.has(key.kid)) return undefined;
    keys.set(key.kid, { alg: key.alg, key: key.key });
  }
  return keys;
}

function importKey(jwk: unknown): { kid: string; alg: ManifestKey["alg"]; key: KeyObject } | undefined {
  if (typeof jwk !== "object" || jwk === null) return undefined;
  const { kid, alg, kty, crv, x, y, n, e } = jwk as Record<string, unknown>;
  if (typeof kid !== "string" || kid.length === 0 || kid.length > 64) return undefined;
  try {
    if (kty === "EC" && crv === "P-256" && alg === "ES256" && typeof x === "string" && typeof y === "string") {
      return { kid, alg, key: createPublicKey({ key: { kty, crv, x, y }, format: "jwk" }) };
    }
    if (kty === "RSA" && alg === "RS256" && typeof n === "string" && typeof e === "string") {
      return { kid, alg, key: createPublicKey({ key: { kty, n, e }, format: "jwk" }) };
    }
  } catch {
    // Not a point of the curve, or not a number: the same as any other malformed key.
  }
  return undefined;
}

function isPositiveInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value), "utf8").toString("base64url");
}

function decode(encoded: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function invalid(problem: ManifestProblem): ManifestResult {
  return { kind: "invalid", problem };
}
