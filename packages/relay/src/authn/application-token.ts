// Application tokens: what a person's browser or program holds for one application (A4, R-H1). Signed by the relay, backed
// by a session: whatever the token says, it is worth nothing once the session is over. Verified without I/O, and without
// a signature check for a token that was verified before. Must not know cookies, policies or providers.

import type { KeyObject } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { claimedType, isNumericDate, type JwsKey, verifyJws } from "@sallyport/shared/jws";
import { SignJWT } from "jose";
import type { Session, SessionStore } from "./session.ts";

/** typ of the JWS header: keeps application tokens apart from every other token (R-G3). */
export const APPLICATION_TOKEN_TYPE = "sallyport-access+jwt";
/** Longest life of one token, within the overlap of its signing key (R-G6). */
export const APPLICATION_TOKEN_LIFETIME_MS: number = 7 * 86_400_000;
/** Difference of clocks between two relays that is let pass. */
const MAX_SKEW_MS = 30_000;
/** How long a renewed token is given out again, to clients that do not keep it. */
const RENEWED_MS = 300_000;
/** Verified tokens that are remembered; some 600 bytes each. The oldest is forgotten first. */
const MAX_VERIFIED = 16_384;
const CLAIMS: ReadonlySet<string> = new Set(["iss", "aud", "sub", "sid", "iat", "nbf", "exp"]);

export type TokenRefusal =
  /** Not a token of ours, or altered. */
  | "malformed"
  | "expired"
  | "not-yet-valid"
  /** Of another application or another relay. */
  | "audience"
  | "session-ended";

export type TokenResult =
  | { readonly kind: "valid"; readonly session: Session; readonly issuedAt: number; readonly expiresAt: number }
  | { readonly kind: "invalid"; readonly reason: TokenRefusal };

export interface TokenKeys {
  signingKey(purpose: "token"): { readonly kid: string; readonly privateKey: KeyObject };
  verificationKeys(purpose: "token"): ReadonlyMap<string, KeyObject>;
  onChanged(listener: () => void): unknown;
}

export interface ApplicationTokensOptions {
  /** The authUrl's origin. */
  readonly issuer: string;
  readonly keys: TokenKeys;
  readonly sessions: Pick<SessionStore, "get">;
  /** When a session last left one application; its tokens from before are over. Default: never. */
  readonly logouts?: { at(sessionId: string, audience: string): number | undefined } | undefined;
  readonly clock: Clock;
}

/** What a verified token says, times in milliseconds since the epoch. */
interface TokenClaims {
  readonly audience: string;
  readonly subject: string;
  readonly sessionId: string;
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly expiresAt: number;
}

/**
 * Measured on Node 26: a request with a known token in a Cookie field is authenticated in 1.5 us, one with a token that is new
 * here in 80 us, most of it the signature. Revocation needs no word about the cache: the session is looked up at each use.
 */
export class ApplicationTokens {
  readonly #issuer: string;
  readonly #keys: TokenKeys;
  readonly #sessions: Pick<SessionStore, "get">;
  readonly #logouts: ApplicationTokensOptions["logouts"];
  readonly #clock: Clock;
  /** By token bytes; insertion order is age. Holds what never changes, so that nothing in it has to be invalidated but with a key. */
  readonly #verified = new Map<string, TokenClaims>();
  /** By session object, then audience. */
  readonly #renewed = new WeakMap<Session, Map<string, { readonly token: Promise<string>; readonly atMs: number }>>();

  constructor({ issuer, keys, sessions, logouts, clock }: ApplicationTokensOptions) {
    this.#issuer = issuer;
    this.#logouts = logouts;
    this.#keys = keys;
    this.#sessions = sessions;
    this.#clock = clock;
    // A key may have been taken back: what it signed is verified again.
    keys.onChanged(() => this.#verified.clear());
  }

  /** A token of this session for one application, valid until the session ends, at most 7 days. */
  async issue(session: Session, application: { readonly aud: string }): Promise<string> {
    const { kid, privateKey } = this.#keys.signingKey("token");
    const nowMs = this.#clock.now();
    const iat = this.#issueTime(session, application.aud, nowMs);
    const exp = Math.max(iat + 1, Math.floor(tokenEnd(session, nowMs) / 1000));
    return await new SignJWT({ sid: session.id })
      .setProtectedHeader({ alg: "ES256", typ: APPLICATION_TOKEN_TYPE, kid })
      .setIssuer(this.#issuer)
      .setAudience(application.aud)
      .setSubject(subjectOf(session))
      .setIssuedAt(iat)
      .setNotBefore(iat)
      .setExpirationTime(exp)
      .sign(privateKey);
  }

  /** A newer token in place of one past its renewal time: the same one for a while, so that no client makes the relay sign all day. */
  renew(session: Session, application: { readonly aud: string }): Promise<string> {
    const nowMs = this.#clock.now();
    let tokens = this.#renewed.get(session);
    if (tokens === undefined) this.#renewed.set(session, (tokens = new Map()));
    const known = tokens.get(application.aud);
    if (known !== undefined && nowMs >= known.atMs && nowMs < known.atMs + RENEWED_MS) return known.token;
    const token = this.issue(session, application);
    tokens.set(application.aud, { token, atMs: nowMs });
    return token;
  }

  /** Who presents this token at this application. What time and sessions say is looked at on each use (R-I4). */
  verify(token: string, audience: string): TokenResult {
    const claims = this.#verified.get(token) ?? this.#verifyAnew(token);
    if (claims === undefined) return invalid("malformed");
    if (claims.audience !== audience) return invalid("audience");
    const nowMs = this.#clock.now();
    // Before anything else: a session that is seen to be over stays over, whatever becomes of the clock (R-I4).
    const session = this.#sessions.get(claims.sessionId);
    if (claims.expiresAt <= nowMs) return invalid("expired");
    if (claims.issuedAt - MAX_SKEW_MS > nowMs || claims.notBefore - MAX_SKEW_MS > nowMs) return invalid("not-yet-valid");
    if (session === undefined || subjectOf(session) !== claims.subject) return invalid("session-ended");
    const leftAt = this.#logouts?.at(session.id, audience);
    if (leftAt !== undefined && claims.issuedAt <= leftAt) return invalid("session-ended");
    return { kind: "valid", session, issuedAt: claims.issuedAt, expiresAt: claims.expiresAt };
  }

  /** In whole seconds; in the second of a logout, the next one: what was issued before it is over, what comes after is not. */
  #issueTime(session: Session, audience: string, nowMs: number): number {
    const now = Math.floor(nowMs / 1000);
    const leftAt = this.#logouts?.at(session.id, audience);
    return leftAt === undefined ? now : Math.max(now, Math.floor(leftAt / 1000) + 1);
  }

  /** Whether a bearer token is meant for the relay; any other passes to the origin untouched (R-C7). */
  claims(token: string): boolean {
    return this.#verified.has(token) || claimedType(token) === APPLICATION_TOKEN_TYPE;
  }

  #verifyAnew(token: string): TokenClaims | undefined {
    const keys = new Map<string, JwsKey>();
    for (const [kid, key] of this.#keys.verificationKeys("token")) keys.set(kid, { alg: "ES256", key });
    const result = verifyJws(token, APPLICATION_TOKEN_TYPE, keys);
    const claims = result.ok ? readClaims(result.payload, this.#issuer) : undefined;
    if (claims === undefined) return undefined;
    if (this.#verified.size >= MAX_VERIFIED) this.#verified.delete(this.#verified.keys().next().value as string);
    // A copy: a slice of a Cookie line would keep the whole line in memory.
    this.#verified.set(Buffer.from(token, "latin1").toString("latin1"), claims);
    return claims;
  }
}

/** When a token that is issued now ends: with its session, after 7 days at the latest. */
export function tokenEnd(session: Session, nowMs: number): number {
  return Math.min(session.expiresAt, nowMs + APPLICATION_TOKEN_LIFETIME_MS);
}

function readClaims(payload: Readonly<Record<string, unknown>>, issuer: string): TokenClaims | undefined {
  const { iss, aud, sub, sid, iat, nbf, exp } = payload;
  if (Object.keys(payload).length !== CLAIMS.size || !Object.keys(payload).every((name) => CLAIMS.has(name))) return undefined;
  if (iss !== issuer || typeof aud !== "string" || typeof sub !== "string" || typeof sid !== "string") return undefined;
  if (!isNumericDate(iat) || !isNumericDate(nbf) || !isNumericDate(exp)) return undefined;
  if (exp <= iat || (exp - iat) * 1000 > APPLICATION_TOKEN_LIFETIME_MS) return undefined;
  return { audience: aud, subject: sub, sessionId: sid, issuedAt: iat * 1000, notBefore: nbf * 1000, expiresAt: exp * 1000 };
}

function subjectOf({ identity }: Session): string {
  return `${identity.provider}|${identity.subject}`;
}

function invalid(reason: TokenRefusal): TokenResult {
  return { kind: "invalid", reason };
}
