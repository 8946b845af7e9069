// One-use codes that a confirmed command line exchanges for its token (R-E4): worth nothing without the verifier that never
// left the command, after one try, or after a minute. Must not know tokens or HTTP.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";

export const CLI_CODE_LIFETIME_MS = 60_000;
/** Most codes that wait; the oldest gives way. */
export const MAX_CLI_CODES = 10_000;
const CODE_BYTES = 32;
/** RFC 7636 section 4.1. */
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;

/** What a person has let a command line have. */
export interface CliGrant {
  /** The person's own session, in the browser that confirmed. */
  readonly sessionId: string;
  readonly hostname: string;
  readonly path: string;
  readonly machine: string;
  readonly challenge: string;
}

interface Waiting {
  readonly grant: CliGrant;
  readonly redirectUri: string;
  readonly expiresAtMs: number;
}

export class CliCodes {
  readonly #clock: Clock;
  readonly #max: number;
  /** By code; insertion order is that of expiry. */
  readonly #waiting = new Map<string, Waiting>();

  constructor(clock: Clock, max: number = MAX_CLI_CODES) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** @returns the code, 256 random bits in base64url */
  issue(grant: CliGrant, redirectUri: string): string {
    this.#makeRoom();
    const code = randomBytes(CODE_BYTES).toString("base64url");
    this.#waiting.set(code, { grant, redirectUri, expiresAtMs: this.#clock.monotonic() + CLI_CODE_LIFETIME_MS });
    return code;
  }

  /** Uses a code up, whatever comes of it. @returns undefined for every reason alike */
  take(code: string, verifier: string, redirectUri: string): CliGrant | undefined {
    const found = this.#waiting.get(code);
    this.#waiting.delete(code);
    if (found === undefined || found.expiresAtMs <= this.#clock.monotonic() || found.redirectUri !== redirectUri) return undefined;
    return matchesChallenge(verifier, found.grant.challenge) ? found.grant : undefined;
  }

  #makeRoom(): void {
    const nowMs = this.#clock.monotonic();
    for (const [code, { expiresAtMs }] of this.#waiting) {
      if (expiresAtMs > nowMs && this.#waiting.size < this.#max) return;
      this.#waiting.delete(code);
    }
  }
}

/** RFC 7636 section 4.6, S256. */
export function matchesChallenge(verifier: string, challenge: string): boolean {
  if (!VERIFIER.test(verifier)) return false;
  const computed = Buffer.from(createHash("sha256").update(verifier, "latin1").digest("base64url"), "latin1");
  const expected = Buffer.from(challenge, "latin1");
  return computed.length === expected.length && timingSafeEqual(computed, expected);
}
