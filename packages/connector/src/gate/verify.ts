// The signature and shape of an assertion: a compact JWS (RFC 7515) by a key of the manifest. Pure. The algorithm comes
// from the key, never from the token (RFC 8725 section 3.1); who may use it when is the gate's business.

import { verify } from "node:crypto";
import type { ManifestKey } from "@sallyport/shared/key-manifest";

/** typ of the header: keeps assertions apart from every other token (R-G3). */
export const ASSERTION_TYPE = "sallyport-assertion+jwt";
/** No longer token is looked at (R-G7). */
export const MAX_TOKEN_LENGTH = 8_192;
/** Longest life an assertion may claim (R-G4). */
export const MAX_LIFETIME_MS = 300_000;
/** Difference of the two machines' clocks that is let pass (R-G4). */
export const MAX_SKEW_MS = 30_000;

export type AssertionKind = "person" | "service" | "bypass";

/** What the gate decides by; the rest is the origin's to read. Times in ms since 1970. */
export interface AssertionClaims {
  readonly issuer: string;
  readonly audience: string;
  readonly tunnel: string;
  readonly service: string;
  readonly kind: AssertionKind;
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly expiresAt: number;
}

export type AssertionResult =
  | { readonly ok: true; readonly claims: AssertionClaims }
  /** Fit for a log: says what is wrong with the token and holds nothing of it. */
  | { readonly ok: false; readonly problem: string };

const TOKEN = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;
const HEADER_MEMBERS: ReadonlySet<string> = new Set(["alg", "typ", "kid"]);
const ES256_SIGNATURE_BYTES = 64;

/** Verifies signature and shape; times are checked for order, not against a clock. */
export function verifyAssertion(token: string, keys: ReadonlyMap<string, ManifestKey>): AssertionResult {
  const match = token.length > MAX_TOKEN_LENGTH ? null : TOKEN.exec(token);
  if (match === null) return problem("assertion is malformed");
  const [, header = "", payload = "", signature = ""] = match;
  const members = decode(header);
  // Anything beyond these three (crit, jwk, jku, b64, zip, ...) asks for something that is not supported here.
  if (members === undefined || members["typ"] !== ASSERTION_TYPE || !Object.keys(members).every((name) => HEADER_MEMBERS.has(name))) {
    return problem("assertion has another type");
  }
  const key = typeof members["kid"] === "string" ? keys.get(members["kid"]) : undefined;
  if (key === undefined) return problem("assertion by an unknown key");
  if (members["alg"] !== key.alg) return problem("assertion with another algorithm than its key");
  if (!signedBy(key, `${header}.${payload}`, Buffer.from(signature, "base64url"))) return problem("signature does not verify");
  const claims = readClaims(decode(payload));
  return claims === undefined ? problem("assertion lacks a claim") : { ok: true, claims };
}

function signedBy({ alg, key }: ManifestKey, input: string, signature: Buffer): boolean {
  const data = Buffer.from(input, "latin1");
  if (alg === "RS256") return verify("RSA-SHA256", data, key, signature);
  return signature.length === ES256_SIGNATURE_BYTES && verify("SHA256", data, { key, dsaEncoding: "ieee-p1363" }, signature);
}

function readClaims(payload: Readonly<Record<string, unknown>> | undefined): AssertionClaims | undefined {
  if (payload === undefined) return undefined;
  const { iss, aud, tunnel, service, kind, iat, nbf, exp, jti, sub } = payload;
  const texts = [iss, aud, tunnel, service, jti, ...(kind === "bypass" ? [] : [sub])];
  if (!texts.every((text) => typeof text === "string" && text !== "")) return undefined;
  if (kind !== "person" && kind !== "service" && kind !== "bypass") return undefined;
  if (!isTime(iat) || !isTime(nbf) || !isTime(exp)) return undefined;
  if (exp <= iat || (exp - iat) * 1_000 > MAX_LIFETIME_MS) return undefined;
  const [issuer, audience] = [iss as string, aud as string];
  return {
    issuer,
    audience,
    tunnel: tunnel as string,
    service: service as string,
    kind,
    issuedAt: iat * 1_000,
    notBefore: nbf * 1_000,
    expiresAt: exp * 1_000,
  };
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

/** An object, written as JSON.stringify writes it: so no member twice, which two parsers might read differently. */
function decode(encoded: string): Record<string, unknown> | undefined {
  try {
    const text = Buffer.from(encoded, "base64url").toString("utf8");
    const value: unknown = JSON.parse(text);
    const plain = typeof value === "object" && value !== null && !Array.isArray(value) && JSON.stringify(value) === text;
    return plain ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function problem(text: string): AssertionResult {
  return { ok: false, problem: text };
}
