// One bound for everything received but not yet handed on, over all connections of the process (R-L6). Windows bound one
// stream; this bounds their sum: a quarter of it is shared out between the windows in use, which grow into it while there is room
// and shrink to their share when there is not. At the end of it the longest-stalled stream goes.

import { MIN_STREAM_WINDOW_BYTES } from "./window.ts";

/** A stream as the budget sees it. */
export interface Holder {
  /** Received bytes not yet consumed. */
  readonly unconsumedBytes: number;
  /** Monotonic time of its last progress. */
  readonly stalledSinceMs: number;
  /** Resets the stream with OVERLOAD and releases what it holds. */
  evict(): void;
}

export const DEFAULT_BUDGET_BYTES = 67_108_864;
/**
 * Part of the budget for windows in use. The rest is for those that are not drained yet, each of which may bring 64 KiB: that many
 * new readers can stall beside the old ones before one must go. A quarter is 16 MiB, the largest window, or 1,024 of the smallest.
 */
const WINDOW_PART = 1 / 4;

export class BufferBudget {
  readonly limitBytes: number;
  readonly #stalled = new Set<Holder>();
  #heldBytes = 0;
  #windows = 0;
  #windowBytes = 0;
  /** Streams reset for memory so far, for metrics. */
  evictions = 0;

  constructor(limitBytes: number = DEFAULT_BUDGET_BYTES) {
    this.limitBytes = limitBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Share in use: 0 is empty, 1 is full. */
  get pressure(): number {
    return this.#heldBytes / this.limitBytes;
  }

  /**
   * How much larger the windows in use may become, together; negative when they are too large. Granted credit cannot be taken
   * back, so all of them must fit when every reader stalls at once.
   */
  get windowRoomBytes(): number {
    return this.limitBytes * WINDOW_PART - this.#windowBytes;
  }

  /** What each window in use may have when there is no room: whole steps of the smallest window, at least one. */
  get windowShareBytes(): number {
    const steps = Math.floor((this.limitBytes * WINDOW_PART) / Math.max(1, this.#windows) / MIN_STREAM_WINDOW_BYTES);
    return Math.max(1, steps) * MIN_STREAM_WINDOW_BYTES;
  }

  /**
   * A window came into use: its first half was drained, so that its stream moves more than a small answer or a few messages.
   * Windows that were never drained are not counted: ten thousand quiet WebSockets would take the room from every download.
   */
  windowUsed(bytes: number): void {
    this.#windows++;
    this.#windowBytes += bytes;
  }

  /** A window in use became this much larger, or smaller when negative. */
  windowResized(bytes: number): void {
    this.#windowBytes += bytes;
  }

  /** The stream of a window in use has ended. */
  windowLeft(bytes: number): void {
    this.#windows--;
    this.#windowBytes -= bytes;
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /** Registers a stream whose owner did not consume at once; evicts while the budget is exceeded. */
  stall(holder: Holder): void {
    this.#stalled.add(holder);
    while (this.#heldBytes > this.limitBytes && this.#stalled.size > 0) this.#evictLongestStalled();
  }

  /** The stream holds nothing any more. */
  settle(holder: Holder): void {
    this.#stalled.delete(holder);
  }

  #evictLongestStalled(): void {
    let victim: Holder | undefined;
    for (const holder of this.#stalled) {
      if (victim === undefined || holder.stalledSinceMs < victim.stalledSinceMs) victim = holder;
    }
    if (victim === undefined) return;
    this.#stalled.delete(victim);
    this.evictions++;
    victim.evict();
  }
}
