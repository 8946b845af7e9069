// PINs that were sent and not used yet. Kept in memory only, as salted scrypt hashes; each is good for 10 minutes, one use
// and a few tries (R-J2). Must not know mail or who may sign in.

import { randomBytes, randomInt, scrypt, scryptSync, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Clock } from "@sallyport/shared/clock";

export const PIN_DIGITS = 6;
export const PIN_LIFETIME_MS = 600_000;
export const MAX_TRIES = 5;
const MAX_CHALLENGES = 10_000;
// 4 MiB and some 10 ms: enough that a copy of the memory is not a list of PINs within their 10 minutes per core and
// hash, little enough to be verified between two requests. Tries are bounded far below what guessing needs.
const COST = { N: 4_096, r: 8, p: 1 } as const;
const HASH_BYTES = 32;

const hashLater: (pin: string, salt: Buffer) => Promise<Buffer> = promisify(
  (pin: string, salt: Buffer, done: (error: Error | null, hash: Buffer) => void) => scrypt(pin, salt, HASH_BYTES, COST, done),
);

export interface Challenge {
  readonly email: string;
  readonly salt: Buffer;
  readonly hash: Buffer;
  /** Monotonic. */
  readonly expiresAtMs: number;
  triesLeft: number;
}

export class PinChallenges {
  readonly #clock: Clock;
  readonly #challenges = new Map<string, Challenge>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The same work for every address, whether or not a mail goes out. */
  async create(email: string): Promise<{ readonly id: string; readonly pin: string }> {
    const pin = randomInt(10 ** PIN_DIGITS)
      .toString()
      .padStart(PIN_DIGITS, "0");
    const salt = randomBytes(16);
    const hash = await hashLater(pin, salt);
    const id = randomBytes(32).toString("base64url");
    this.#forget();
    this.#challenges.set(id, { email, salt, hash, expiresAtMs: this.#clock.monotonic() + PIN_LIFETIME_MS, triesLeft: MAX_TRIES });
    return { id, pin };
  }

  get(id: string): Challenge | undefined {
    const challenge = this.#challenges.get(id);
    return challenge !== undefined && challenge.expiresAtMs > this.#clock.monotonic() && challenge.triesLeft > 0 ? challenge : undefined;
  }

  /** Uses up one try, and the challenge itself when the PIN is right or no try is left. */
  try(id: string, challenge: Challenge, pin: string): boolean {
    challenge.triesLeft--;
    const right = timingSafeEqual(scryptSync(pin, challenge.salt, HASH_BYTES, COST), challenge.hash);
    if (right || challenge.triesLeft === 0) this.#challenges.delete(id);
    return right;
  }

  /** Oldest first, which is the order of expiry too. */
  #forget(): void {
    const nowMs = this.#clock.monotonic();
    for (const [id, { expiresAtMs }] of this.#challenges) {
      if (expiresAtMs > nowMs && this.#challenges.size < MAX_CHALLENGES) return;
      this.#challenges.delete(id);
    }
  }
}
