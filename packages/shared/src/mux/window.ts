// Credit arithmetic of one stream and of the connection (docs/protocol.md section 6). Pure: time and round trip are arguments.

import { MAX_CREDIT_BYTES } from "../protocol/frame.ts";

export const INITIAL_STREAM_WINDOW_BYTES = 65_536;
export const MAX_STREAM_WINDOW_BYTES = 16_777_216;
export const CONNECTION_WINDOW_BYTES = 16_777_216;

/**
 * Draining half a window this fast counts as "within two round trips" however short those are: below it the turns of two event
 * loops, not the network, are what the sender waits for (measured: downloads over loopback stayed at 64 KiB and half their speed).
 */
export const MIN_FAST_DRAIN_MS = 8;

/** Adds granted credit. @returns undefined on overflow, which is a violation. */
export function addCredit(credit: number, granted: number): number | undefined {
  const sum = credit + granted;
  return sum > MAX_CREDIT_BYTES ? undefined : sum;
}

/** The receiving side of one stream: what the peer may still send, and how much to grant when bytes are consumed. */
export class ReceiveWindow {
  readonly initialBytes: number;
  /** Current window; 64 KiB to 16 MiB. */
  sizeBytes: number;
  #creditBytes: number;
  #consumedBytes = 0;
  #grantedAtMs = -1;

  constructor(initialBytes: number = INITIAL_STREAM_WINDOW_BYTES) {
    this.initialBytes = initialBytes;
    this.sizeBytes = initialBytes;
    this.#creditBytes = initialBytes;
  }

  /** Accounts for received bytes. @returns false when they exceed the credit, which is a violation. */
  receive(bytes: number): boolean {
    this.#creditBytes -= bytes;
    return this.#creditBytes >= 0;
  }

  /** True when {@link grant} would return something: saves reading the clock for every chunk. */
  consume(bytes: number): boolean {
    this.#consumedBytes += bytes;
    return this.#consumedBytes >= this.sizeBytes / 2;
  }

  /**
   * Credit to send now that half the window is consumed. The window doubles when that took at most two round trips
   * (the sender was waiting for credit, not for its source), and shrinks back under memory pressure.
   * @param pressure share of the process-wide buffer budget in use, 0 to 1 and more
   * @param roomBytes most that the window may grow by now
   * @returns bytes of credit, possibly 0
   */
  grant(nowMs: number, roundTripMs: number, pressure: number, roomBytes: number = Number.POSITIVE_INFINITY): number {
    const fast = this.#grantedAtMs >= 0 && nowMs - this.#grantedAtMs <= Math.max(2 * roundTripMs, MIN_FAST_DRAIN_MS);
    this.#grantedAtMs = nowMs;
    const before = this.sizeBytes;
    if (pressure > 0.5) this.sizeBytes = Math.max(this.initialBytes, before / 2);
    else if (fast && before <= roomBytes) this.sizeBytes = Math.min(MAX_STREAM_WINDOW_BYTES, before * 2);
    const owed = this.#consumedBytes + this.sizeBytes - before;
    const granted = Math.max(0, owed);
    // What a shrinking window still owes is taken from what is consumed next.
    this.#consumedBytes = owed - granted;
    this.#creditBytes += granted;
    return granted;
  }
}
