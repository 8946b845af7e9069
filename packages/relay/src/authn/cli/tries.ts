// Counts wrong codes per person and address, so that nobody finds a stranger's code by trying (RFC 8628 section 5.1).
// Bounded; must not know what the codes are for.

import type { Clock } from "@sallyport/shared/clock";

const WINDOW_MS = 900_000;
const MAX_TRIES = 10;
const MAX_KEYS = 10_000;

export class Tries {
  readonly #clock: Clock;
  /** Insertion order is that of expiry. */
  readonly #counts = new Map<string, { count: number; readonly expiresAtMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  mayTry(key: string): boolean {
    this.#forgetExpired();
    return (this.#counts.get(key)?.count ?? 0) < MAX_TRIES;
  }

  failed(key: string): void {
    const known = this.#counts.get(key);
    if (known !== undefined) known.count++;
    else {
      if (this.#counts.size >= MAX_KEYS) this.#counts.delete(this.#counts.keys().next().value as string);
      this.#counts.set(key, { count: 1, expiresAtMs: this.#clock.monotonic() + WINDOW_MS });
    }
  }

  #forgetExpired(): void {
    const nowMs = this.#clock.monotonic();
    for (const [key, { expiresAtMs }] of this.#counts) {
      if (expiresAtMs > nowMs) return;
      this.#counts.delete(key);
    }
  }
}
