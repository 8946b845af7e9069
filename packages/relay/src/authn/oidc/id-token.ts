// Verification of ID tokens (OpenID Connect Core section 3.1.3.7): signature, algorithm, issuer, audience, authorized
// party, times, nonce, at_hash. openid-client checks most claims of a token from the token endpoint but not its signature;
// here all of it is checked, wherever the token came from.

import { createHash, timingSafeEqual } from "node:crypto";
import { errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from "jose";
import { equalInConstantTime } from "@sallyport/shared/secret";
import type { Clock } from "@sallyport/shared/clock";
import { ProviderRefusal } from "../provider-problem.ts";
import type { ProviderKeys } from "./keys.ts";
import { CLOCK_TOLERANCE_S } from "./metadata.ts";

/** Characters; the largest that are seen have some 10,000. */
const MAX_TOKEN_LENGTH = 65_536;
/** A token from the token endpoint was made just now. */
const MAX_AGE_S = 600;

export interface TokenRules {
  readonly issuer: string;
  readonly clientId: string;
  readonly algorithms: readonly string[];
  readonly jwksUri: string;
  readonly keys: ProviderKeys;
  readonly clock: Clock;
}

export interface IdTokenExpectations {
  /** Undefined only for a refreshed token, which need not repeat it (section 12.2). */
  readonly nonce: string | undefined;
  readonly accessToken: string | undefined;
  /** Of the login, for a refreshed token. */
  readonly subject: string | undefined;
}

/** @throws ProviderRefusal provider-invalid naming the rule that it breaks */
export async function verifyIdToken(token: string, rules: TokenRules, expected: IdTokenExpectations): Promise<JWTPayload> {
  const { payload, alg } = await verifyToken(token, rules, { requiredClaims: ["sub", "exp", "iat"], maxTokenAge: MAX_AGE_S });
  checkAuthorizedParty(payload, rules.clientId);
  if (expected.nonce !== undefined && !(typeof payload["nonce"] === "string" && equalInConstantTime(payload["nonce"], expected.nonce)))
    refuse("the ID token's nonce is not that of this sign-in");
  if (expected.subject !== undefined && payload.sub !== expected.subject) refuse("the refreshed ID token is about somebody else");
  if (expected.accessToken !== undefined && payload["at_hash"] !== undefined) checkHash(payload["at_hash"], expected.accessToken, alg);
  return payload;
}

/** Signature, algorithm, issuer, audience and times of any token that a provider signed for this relay. */
export async function verifyToken(
  token: string,
  rules: TokenRules,
  options: JWTVerifyOptions,
): Promise<{ readonly payload: JWTPayload; readonly alg: string }> {
  if (token.length > MAX_TOKEN_LENGTH) refuse("the token is too long");
  try {
    const { payload, protectedHeader } = await jwtVerify(token, (header, input) => rules.keys.find(rules.jwksUri, header, input), {
      ...options,
      algorithms: joseAlgorithms(rules.algorithms),
      issuer: rules.issuer,
      audience: rules.clientId,
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(rules.clock.now()),
    });
    return { payload, alg: protectedHeader.alg };
  } catch (error) {
    // jose's errors hold the whole payload; their code says enough.
    if (error instanceof errors.JOSEError) refuse(`the token does not verify: ${explain(error)}`);
    throw error;
  }
}

/** RFC 9864 gives EdDSA with Ed25519 a name of its own; providers use either. */
function joseAlgorithms(algorithms: readonly string[]): string[] {
  return algorithms.flatMap((one) => (one === "EdDSA" ? ["EdDSA", "Ed25519"] : [one]));
}

function explain(error: errors.JOSEError): string {
  const claim = error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired ? ` (${error.claim})` : "";
  return `${error.code}${claim}`;
}

/** Core section 3.1.3.7 steps 4 and 5. */
function checkAuthorizedParty({ aud, azp }: JWTPayload, clientId: string): void {
  if (azp !== undefined && azp !== clientId) refuse("the ID token's authorized party is another client");
  if (azp === undefined && Array.isArray(aud) && aud.length > 1) refuse("the ID token has several audiences and no authorized party");
}

/** Core section 3.1.3.6: the left half of the digest that the signature algorithm uses. */
function checkHash(hash: unknown, accessToken: string, alg: string): void {
  const digest = createHash(alg.startsWith("Ed") ? "sha512" : "sha256")
    .update(accessToken)
    .digest();
  const half = digest.subarray(0, digest.length / 2);
  const given = typeof hash === "string" ? Buffer.from(hash, "base64url") : Buffer.alloc(0);
  if (given.length !== half.length || !timingSafeEqual(given, half)) refuse("the ID token belongs to another access token");
}

function refuse(message: string): never {
  throw new ProviderRefusal("provider-invalid", message);
}
