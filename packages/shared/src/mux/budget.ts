// One bound for everything received but not yet handed on, over all connections of the process (R-L6). Windows bound one
// stream; this bounds their sum. Above half of it windows stop growing; at the end of it the longest-stalled stream goes.

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

export class BufferBudget {
  readonly limitBytes: number;
  readonly #stalled = new Set<Holder>();
  #heldBytes = 0;
  #grownBytes = 0;
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
   * How much larger windows may become, together: credit once granted cannot be taken back, so that all of them together must
   * fit when every reader stalls at once.
   */
  get growthRoomBytes(): number {
    return this.limitBytes / 2 - this.#grownBytes;
  }

  /** A window became this much larger than it began, or smaller again. */
  grew(bytes: number): void {
    this.#grownBytes += bytes;
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
