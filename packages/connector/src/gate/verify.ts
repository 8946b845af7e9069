// The signature and shape of an assertion: a compact JWS by a key of the manifest. Pure. Who may use it when is the gate's
// business.

import { isNumericDate, type JwsKey, type JwsProblem, verifyJws } from "@sallyport/shared/jws";

/** typ of the header: keeps assertions apart from every other token (R-G3). */
export const ASSERTION_TYPE = "sallyport-assertion+jwt";
/** Longest life an assertion may claim (R-G4). */
export const MAX_LIFETIME_MS = 300_000;
/** Difference of the two machines' clocks that is let pass (R-G4). */
export const MAX_SKEW_MS = 30_000;

export type AssertionKind = "person" | "service" | "bypass";

/** From when to when a token is good, in ms since 1970. */
export interface TokenTimes {
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly expiresAt: number;
}

/** What the gate decides by; the rest is the origin's to read. */
export interface AssertionClaims extends TokenTimes {
  readonly issuer: string;
  readonly audience: string;
  readonly tunnel: string;
  readonly service: string;
  readonly kind: AssertionKind;
  /** `<provider>|<subject>` of a person, the service token's id of a program; empty for a bypass. */
  readonly subject: string;
  /** Verified, in the spelling in which addresses are compared. */
  readonly email: string | undefined;
  readonly groups: readonly string[];
}

export type AssertionResult =
  | { readonly ok: true; readonly claims: AssertionClaims }
  /** Fit for a log: says what is wrong with the token and holds nothing of it. */
  | { readonly ok: false; readonly problem: string };

const PROBLEM_WORDS: Readonly<Record<JwsProblem, string>> = {
  malformed: "assertion is malformed",
  type: "assertion has another type",
  "unknown-key": "assertion by an unknown key",
  algorithm: "assertion with another algorithm than its key",
  signature: "signature does not verify",
  payload: "assertion lacks a claim",
};

/** Verifies signature and shape; times are checked for order, not against a clock. */
export function verifyAssertion(token: string, keys: ReadonlyMap<string, JwsKey>): AssertionResult {
  const result = verifyJws(token, ASSERTION_TYPE, keys);
  if (!result.ok) return problem(PROBLEM_WORDS[result.problem]);
  const claims = readClaims(result.payload);
  return claims === undefined ? problem("assertion lacks a claim") : { ok: true, claims };
}

function readClaims(payload: Readonly<Record<string, unknown>>): AssertionClaims | undefined {
  const { iss, aud, tunnel, service, kind, jti, sub, email, groups } = payload;
  const texts = [iss, aud, tunnel, service, jti, ...(kind === "bypass" ? [] : [sub])];
  if (!texts.every((text) => typeof text === "string" && text !== "")) return undefined;
  if (kind !== "person" && kind !== "service" && kind !== "bypass") return undefined;
  const times = readTimes(payload);
  if (times === undefined) return undefined;
  const [issuer, audience] = [iss as string, aud as string];
  const person = kind === "person";
  return {
    ...times,
    issuer,
    audience,
    tunnel: tunnel as string,
    service: service as string,
    kind,
    subject: kind === "bypass" ? "" : (sub as string),
    // Only people have these, and only as what they should be: anything else meets no demand.
    email: person && typeof email === "string" ? email : undefined,
    groups: person && Array.isArray(groups) ? groups.filter((group) => typeof group === "string") : [],
  };
}

/** The times of a token of at most {@link MAX_LIFETIME_MS}, in order; undefined for anything else. */
export function readTimes({ iat, nbf, exp }: Readonly<Record<string, unknown>>): TokenTimes | undefined {
  if (!isNumericDate(iat) || !isNumericDate(nbf) || !isNumericDate(exp)) return undefined;
  if (exp <= iat || (exp - iat) * 1_000 > MAX_LIFETIME_MS) return undefined;
  return { issuedAt: iat * 1_000, notBefore: nbf * 1_000, expiresAt: exp * 1_000 };
}

function problem(text: string): AssertionResult {
  return { ok: false, problem: text };
}
