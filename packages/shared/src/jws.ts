// Verifies a compact JWS (RFC 7515) the strict way, for every token that Sallyport itself signed: the connector verifies
// assertions with it, the relay application tokens. Synchronous, so that a request path can wait for it. The algorithm
// comes from the key, never from the token (RFC 8725 section 3.1). Must not know claims, clocks or what a token is for.

import { type KeyObject, verify } from "node:crypto";

/** No longer token is looked at (R-G7). */
export const MAX_JWS_LENGTH = 8_192;

/** A public key with the one algorithm that it is used with (R-G1). */
export interface JwsKey {
  readonly alg: "ES256" | "RS256";
  readonly key: KeyObject;
}

/** What is wrong with a token; names nothing of what it holds. */
export type JwsProblem = "malformed" | "type" | "unknown-key" | "algorithm" | "signature" | "payload";

export type JwsResult =
  | { readonly ok: true; readonly payload: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly problem: JwsProblem };

const TOKEN = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;
const HEADER_MEMBERS: ReadonlySet<string> = new Set(["alg", "typ", "kid"]);
const ES256_SIGNATURE_BYTES = 64;

/**
 * @param typ the only `typ` that is accepted: keeps kinds of token apart (R-G3)
 * @param keys by kid: a fixed map, so that no kid makes anybody fetch or read anything (R-G2)
 */
export function verifyJws(token: string, typ: string, keys: ReadonlyMap<string, JwsKey>): JwsResult {
  const match = token.length > MAX_JWS_LENGTH ? null : TOKEN.exec(token);
  if (match === null) return failed("malformed");
  const [, header = "", payload = "", signature = ""] = match;
  const members = decodeObject(header);
  // Anything beyond these three (crit, jwk, jku, b64, zip, ...) asks for something that is not supported here.
  if (members === undefined || members["typ"] !== typ || !Object.keys(members).every((name) => HEADER_MEMBERS.has(name)))
    return failed("type");
  const key = typeof members["kid"] === "string" ? keys.get(members["kid"]) : undefined;
  if (key === undefined) return failed("unknown-key");
  if (members["alg"] !== key.alg) return failed("algorithm");
  if (!signedBy(key, `${header}.${payload}`, signature)) return failed("signature");
  const claims = decodeObject(payload);
  return claims === undefined ? failed("payload") : { ok: true, payload: claims };
}

/** The `typ` that a token claims to have, unverified: tells whose token it is, nothing more. Undefined for anything else than a JWS. */
export function claimedType(token: string): string | undefined {
  const match = token.length > MAX_JWS_LENGTH ? null : TOKEN.exec(token);
  const typ = match === null ? undefined : decodeObject(match[1] as string)?.["typ"];
  return typeof typ === "string" ? typ : undefined;
}

/** A NumericDate (RFC 7519 section 2) as we write it: whole seconds, positive, exact (R-G5). */
export function isNumericDate(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function signedBy({ alg, key }: JwsKey, input: string, encodedSignature: string): boolean {
  const signature = Buffer.from(encodedSignature, "base64url");
  // One signature has one spelling: the unused bits of the last character are zero (RFC 4648 section 3.5).
  if (signature.toString("base64url") !== encodedSignature) return false;
  const data = Buffer.from(input, "latin1");
  if (alg === "RS256") return verify("RSA-SHA256", data, key, signature);
  return signature.length === ES256_SIGNATURE_BYTES && verify("SHA256", data, { key, dsaEncoding: "ieee-p1363" }, signature);
}

/** An object, written as JSON.stringify writes it: so no member twice, which two parsers might read differently. */
function decodeObject(encoded: string): Record<string, unknown> | undefined {
  try {
    const text = Buffer.from(encoded, "base64url").toString("utf8");
    const value: unknown = JSON.parse(text);
    const plain = typeof value === "object" && value !== null && !Array.isArray(value) && JSON.stringify(value) === text;
    return plain ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function failed(problem: JwsProblem): JwsResult {
  return { ok: false, problem };
}
