// How long to wait before the next attempt to reach the relay: full jitter over a doubling ceiling (T5, R-L8).
// Pure arithmetic with injected randomness; whoever waits does so itself and logs the very number returned here.

/** Ceiling of the first wait; it doubles with each failure. */
export const BACKOFF_BASE_MS = 1_000;
/** No ceiling is higher than this. */
export const BACKOFF_CAP_MS = 30_000;
/** A connection that lived this long was healthy: the next failure starts at the base again. */
export const HEALTHY_AFTER_MS = 30_000;
/** The relay may ask for a longer wait than the cap (Retry-After, GOAWAY), but not for more than this. */
export const MAX_ASKED_WAIT_MS = 60_000;

/** The jitter is what keeps 1,000 connectors from returning in the same second after a restart of the relay. */
export class Backoff {
  readonly #random: () => number;
  #failures = 0;

  /** @param random uniform in [0, 1), as Math.random. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Failures in a row since the last healthy connection. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Counts one failure and returns the wait before the next attempt, in whole milliseconds.
   * @param askedMs what the relay asked for (Retry-After or a GOAWAY delay): replaces the computed wait, at most
   *   {@link MAX_ASKED_WAIT_MS}. The relay jitters what it asks, so it is taken as it is. Zero asks for nothing,
   *   or a relay that answers every attempt with "at once" would be called in a tight loop.
   */
  afterFailure(askedMs?: number): number {
    const ceilingMs = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    if (askedMs !== undefined && askedMs > 0) return Math.min(MAX_ASKED_WAIT_MS, Math.round(askedMs));
    return Math.floor(this.#random() * ceilingMs);
  }

  /** Tells how long the connection that has just ended had been authenticated; a healthy one clears the failures. */
  afterConnection(livedMs: number): void {
    if (livedMs >= HEALTHY_AFTER_MS) this.#failures = 0;
  }
}
