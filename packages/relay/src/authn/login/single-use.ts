// Ids that were used and must not be used again until they expire anyway (R-F1). Bounded in all and per source, so that one
// address can fill neither the memory nor everybody's way in: a source may hold as many as are free beside it (dynamic
// thresholds, Choudhury and Hahne 1998). Must not know what the ids stand for.

import type { Clock } from "@sallyport/shared/clock";

/** Most ids that are remembered; some 200 bytes each. One source alone gets half, two get a third each, and so on. */
export const MAX_USED_IDS = 100_000;

/** `full`: no room to remember it, for this source or at all, so it must not pass either. */
export type Claim = "claimed" | "used" | "full";

interface Used {
  readonly expiresAt: number;
  readonly source: string;
}

export class SingleUse {
  readonly #clock: Clock;
  readonly #max: number;
  /** By id; insertion order is nearly that of expiry. */
  readonly #used = new Map<string, Used>();
  readonly #perSource = new Map<string, number>();

  constructor(clock: Clock, max: number = MAX_USED_IDS) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#used.size;
  }

  /** Marks an id as used. @param source whom its room counts for */
  claim(id: string, expiresAt: number, source: string): Claim {
    if (this.#used.has(id)) return "used";
    this.#forgetExpired();
    const held = this.#perSource.get(source) ?? 0;
    if (held >= this.#max - this.#used.size) return "full";
    this.#used.set(id, { expiresAt, source });
    this.#perSource.set(source, held + 1);
    return "claimed";
  }

  #forgetExpired(): void {
    const now = this.#clock.now();
    for (const [id, { expiresAt, source }] of this.#used) {
      if (expiresAt > now) return;
      this.#used.delete(id);
      const held = (this.#perSource.get(source) ?? 1) - 1;
      if (held === 0) this.#perSource.delete(source);
      else this.#perSource.set(source, held);
    }
  }
}
