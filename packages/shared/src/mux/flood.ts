// A bound on what costs us something and gives the sender nothing (docs/protocol.md section 7). Counts first and reads the
// clock only when the count is used up, so that it is free for a peer that behaves.

import type { Clock } from "../clock.ts";

export const FLOOD_PERIOD_MS = 10_000;
/** PING, GOAWAY, HELLO and KEYS in a period, and apart from those the WebSocket's own pings and pongs. */
export const MAX_CONTROLS_PER_PERIOD = 200;
/** WINDOW frames for streams that are closed already, in a period: some may cross an END or RESET. */
export const MAX_IDLE_CREDITS_PER_PERIOD = 10_000;

export class FloodGuard {
  readonly #clock: Clock;
  readonly #max: number;
  #startMs: number;
  #count = 0;

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
    this.#startMs = clock.monotonic();
  }

  /** Counts one. @returns whether it came too soon after the permitted number of others */
  hit(): boolean {
    if (++this.#count <= this.#max) return false;
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#startMs < FLOOD_PERIOD_MS) return true;
    this.#startMs = nowMs;
    this.#count = 1;
    return false;
  }
}
