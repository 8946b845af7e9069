// How often something may happen per key within a window: mails and tries of one-time PINs. Bounded: when full, what
// happened longest ago is forgotten. Must not know what is counted.

import type { Clock } from "@sallyport/shared/clock";

export class WindowLimit {
  readonly #max: number;
  readonly #windowMs: number;
  readonly #maxKeys: number;
  readonly #clock: Clock;
  /** Key -> when the window began (monotonic) and how often since; oldest window first. */
  readonly #windows = new Map<string, { readonly sinceMs: number; count: number }>();

  constructor(options: { readonly max: number; readonly windowMs: number; readonly maxKeys: number; readonly clock: Clock }) {
    this.#max = options.max;
    this.#windowMs = options.windowMs;
    this.#maxKeys = options.maxKeys;
    this.#clock = options.clock;
  }

  /** Milliseconds until it may happen again; 0: now. */
  waitMs(key: string): number {
    const window = this.#windows.get(key);
    if (window === undefined || window.count < this.#max) return 0;
    return Math.max(0, window.sinceMs + this.#windowMs - this.#clock.monotonic());
  }

  count(key: string): void {
    const nowMs = this.#clock.monotonic();
    const window = this.#windows.get(key);
    if (window !== undefined && nowMs - window.sinceMs < this.#windowMs) {
      window.count++;
      return;
    }
    this.#windows.delete(key);
    for (const [oldest, { sinceMs }] of this.#windows) {
      if (this.#windows.size < this.#maxKeys && nowMs - sinceMs < this.#windowMs) break;
      this.#windows.delete(oldest);
    }
    this.#windows.set(key, { sinceMs: nowMs, count: 1 });
  }

  remaining(key: string): number {
    const window = this.#windows.get(key);
    const live = window !== undefined && this.#clock.monotonic() - window.sinceMs < this.#windowMs;
    return live ? Math.max(0, this.#max - window.count) : this.#max;
  }
}
