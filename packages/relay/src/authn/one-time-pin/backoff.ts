// Makes whoever guesses wait: twice as long after each wrong try (R-J2). Per key, so that nobody waits for somebody else's
// tries. Bounded: when full, who failed longest ago is forgotten. Must not know what is tried.

import type { Clock } from "@sallyport/shared/clock";

/** Wait after the first wrong try; 2 s after the second, 4 s after the third, and so on. */
export const FIRST_WAIT_MS = 1_000;

export class Backoff {
  readonly #forgetMs: number;
  readonly #maxKeys: number;
  readonly #clock: Clock;
  /** Monotonic; who failed longest ago first. */
  readonly #failures = new Map<string, { readonly count: number; readonly atMs: number }>();

  /** @param options.forgetMs a key that did not fail for so long begins anew */
  constructor(options: { readonly forgetMs: number; readonly maxKeys: number; readonly clock: Clock }) {
    this.#forgetMs = options.forgetMs;
    this.#maxKeys = options.maxKeys;
    this.#clock = options.clock;
  }

  /** Milliseconds until the next try; 0: now. */
  waitMs(key: string): number {
    const failures = this.#failures.get(key);
    if (failures === undefined) return 0;
    const passedMs = this.#clock.monotonic() - failures.atMs;
    return passedMs >= this.#forgetMs ? 0 : Math.max(0, FIRST_WAIT_MS * 2 ** (failures.count - 1) - passedMs);
  }

  failed(key: string): void {
    const nowMs = this.#clock.monotonic();
    const before = this.#failures.get(key);
    this.#failures.delete(key);
    for (const [oldest, { atMs }] of this.#failures) {
      if (this.#failures.size < this.#maxKeys && nowMs - atMs < this.#forgetMs) break;
      this.#failures.delete(oldest);
    }
    const count = before === undefined || nowMs - before.atMs >= this.#forgetMs ? 1 : before.count + 1;
    this.#failures.set(key, { count, atMs: nowMs });
  }

  succeeded(key: string): void {
    this.#failures.delete(key);
  }
}
