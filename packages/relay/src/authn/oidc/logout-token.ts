// Back-channel logout (OpenID Connect Back-Channel Logout 1.0): whose sessions a provider wants ended. Each token counts
// once (R-F10). Must not know sessions.

import type { Clock } from "@sallyport/shared/clock";
import type { JWTPayload } from "jose";
import { verifyToken, type TokenRules } from "./id-token.ts";

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
const MAX_AGE_S = 120;
/** Ids are remembered longer than a token can be valid, tolerance on both ends included. */
const REMEMBER_MS = 600_000;
const MAX_REMEMBERED = 10_000;

export interface LoggedOut {
  readonly subject: string | undefined;
  readonly providerSessionId: string | undefined;
}

export class LogoutTokens {
  readonly #clock: Clock;
  /** Token id -> when it may be forgotten, oldest first. Only ids of tokens that verified get in. */
  readonly #used = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns undefined for a token that was used before. @throws ProviderRefusal for one that does not verify */
  async accept(token: string, rules: TokenRules): Promise<LoggedOut | undefined> {
    const { payload } = await verifyToken(token, rules, { requiredClaims: ["iat", "jti", "events"], maxTokenAge: MAX_AGE_S });
    const loggedOut = readLogout(payload);
    return loggedOut !== undefined && this.#firstUse(payload.jti as string) ? loggedOut : undefined;
  }

  #firstUse(id: string): boolean {
    const nowMs = this.#clock.monotonic();
    for (const [used, forgetAtMs] of this.#used) {
      if (forgetAtMs > nowMs && this.#used.size < MAX_REMEMBERED) break;
      this.#used.delete(used);
    }
    if (this.#used.has(id)) return false;
    this.#used.set(id, nowMs + REMEMBER_MS);
    return true;
  }
}

/** Section 2.4: an events member, no nonce (so that no ID token passes), and at least one of sub and sid. */
function readLogout(payload: JWTPayload): LoggedOut | undefined {
  const { events, sub, sid, jti } = payload;
  const isEvent = typeof events === "object" && events !== null && isObject((events as Record<string, unknown>)[EVENT]);
  if (!isEvent || payload["nonce"] !== undefined || typeof jti !== "string" || jti.length > 256) return undefined;
  if ((sub !== undefined && typeof sub !== "string") || (sid !== undefined && typeof sid !== "string")) return undefined;
  return sub === undefined && sid === undefined ? undefined : { subject: sub, providerSessionId: sid as string | undefined };
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
