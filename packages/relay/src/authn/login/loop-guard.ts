// Notices a browser that comes back from every sign-in without the cookie it was given, and would go round for ever
// (R-F1). Counts completed round trips per browser and URL. Must not know why the cookie is missing.

import type { Clock } from "@sallyport/shared/clock";

/** Round trips for one URL within {@link LOOP_WINDOW_MS}; the next one stops. */
export const MAX_ROUND_TRIPS = 3;
export const LOOP_WINDOW_MS = 60_000;
/** Browser and URL pairs that are watched; the oldest gives way. */
export const MAX_WATCHED = 20_000;

interface Trips {
  count: number;
  readonly sinceMs: number;
}

export class LoopGuard {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #trips = new Map<string, Trips>();

  constructor(clock: Clock, max: number = MAX_WATCHED) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#trips.size;
  }

  /** A sign-in for this URL was completed, or had to be begun again. */
  completed(binding: string, url: string): void {
    const key = `${binding} ${url}`;
    const trips = this.#current(key);
    if (trips !== undefined) {
      trips.count += 1;
      return;
    }
    if (this.#trips.size >= this.#max) this.#trips.delete(this.#trips.keys().next().value as string);
    this.#trips.set(key, { count: 1, sinceMs: this.#clock.monotonic() });
  }

  /** Whether one more round trip would be too many. */
  isLooping(binding: string, url: string): boolean {
    return (this.#current(`${binding} ${url}`)?.count ?? 0) >= MAX_ROUND_TRIPS;
  }

  #current(key: string): Trips | undefined {
    const trips = this.#trips.get(key);
    if (trips === undefined || this.#clock.monotonic() - trips.sinceMs < LOOP_WINDOW_MS) return trips;
    this.#trips.delete(key);
    return undefined;
  }
}
