// Credit arithmetic of one stream and of the connection (docs/protocol.md section 6). Pure: time and round trip are arguments.

import { MAX_CREDIT_BYTES } from "../protocol/frame.ts";

export const INITIAL_STREAM_WINDOW_BYTES = 65_536;
/** Where the share of the buffer budget is less, windows shrink down to this. */
export const MIN_STREAM_WINDOW_BYTES = 16_384;
export const MAX_STREAM_WINDOW_BYTES = 16_777_216;
export const CONNECTION_WINDOW_BYTES = 16_777_216;

/**
 * Draining half a window this fast counts as "within two round trips" however short those are: below it the turns of two event
 * loops, not the network, are what the sender waits for (measured: downloads over loopback stayed at 64 KiB and half their speed).
 */
export const MIN_FAST_DRAIN_MS = 8;

/** What the process has left for windows: a part of BufferBudget. */
export interface WindowRoom {
  /** Share of the budget in use, 0 to 1 and more. */
  readonly pressure: number;
  /** Most that this window may grow by; negative when all of them together are too large. */
  readonly windowRoomBytes: number;
  /** What is left to each of them then. */
  readonly windowShareBytes: number;
}

/** Adds granted credit. @returns undefined on overflow, which is a violation. */
export function addCredit(credit: number, granted: number): number | undefined {
  const sum = credit + granted;
  return sum > MAX_CREDIT_BYTES ? undefined : sum;
}

/** The receiving side of one stream: what the peer may still send, and how much to grant when bytes are consumed. */
export class ReceiveWindow {
  readonly initialBytes: number;
  /** Current window; 16 KiB to 16 MiB. */
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
   * Credit to send now that half the window is consumed. The window doubles when that took at most two round trips (the
   * sender was waiting for credit, not for its source) and there is room; it shrinks where there is none.
   * @returns bytes of credit, possibly 0
   */
  grant(nowMs: number, roundTripMs: number, room: WindowRoom): number {
    const fast = this.#grantedAtMs >= 0 && nowMs - this.#grantedAtMs <= Math.max(2 * roundTripMs, MIN_FAST_DRAIN_MS);
    this.#grantedAtMs = nowMs;
    const before = this.sizeBytes;
    if (room.pressure > 0.5 || (room.windowRoomBytes < 0 && before > room.windowShareBytes)) {
      this.sizeBytes = Math.min(before, Math.max(before / 2, Math.min(this.initialBytes, room.windowShareBytes)));
    } else if (fast && before <= room.windowRoomBytes) this.sizeBytes = Math.min(MAX_STREAM_WINDOW_BYTES, before * 2);
    const owed = this.#consumedBytes + this.sizeBytes - before;
    const granted = Math.max(0, owed);
    // What a shrinking window still owes is taken from what is consumed next.
    this.#consumedBytes = owed - granted;
    this.#creditBytes += granted;
    return granted;
  }
}
