// Ids that were used and must not be used again until they expire anyway (R-F1). Bounded: when it is full, the one that
// expires first is forgotten last, since ids come in the order of their expiry. Must not know what the ids stand for.

import type { Clock } from "@sallyport/shared/clock";

/** Most ids that are remembered; some 100 bytes each. */
export const MAX_USED_IDS = 100_000;

export class SingleUse {
  readonly #clock: Clock;
  readonly #max: number;
  /** Id to expiry; insertion order is nearly that of expiry. */
  readonly #used = new Map<string, number>();

  constructor(clock: Clock, max: number = MAX_USED_IDS) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#used.size;
  }

  /** Marks an id as used. @returns false when it was used before, and when there is no room to remember it: then nobody passes */
  claim(id: string, expiresAt: number): boolean {
    if (this.#used.has(id)) return false;
    this.#forgetExpired();
    if (this.#used.size >= this.#max) return false;
    this.#used.set(id, expiresAt);
    return true;
  }

  #forgetExpired(): void {
    const now = this.#clock.now();
    for (const [id, expiresAt] of this.#used) {
      if (expiresAt > now) return;
      this.#used.delete(id);
    }
  }
}
