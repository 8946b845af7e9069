// Turns between streams that have something to send (deficit round robin, RFC-free: Shreedhar and Varghese 1995). Pure: knows no frames.

/** One participant. The scheduler owns the two bookkeeping members. */
export interface Turn {
  deficitBytes: number;
  scheduled: boolean;
  /**
   * Sends up to about `allowanceBytes`; may exceed it by less than one frame, which is paid back in later turns.
   * @returns bytes sent and whether more can be sent right away
   */
  take(allowanceBytes: number): TurnResult;
}

export interface TurnResult {
  readonly sentBytes: number;
  readonly more: boolean;
}

/** Bytes a stream may send before the next one gets its turn. */
export const QUANTUM_BYTES = 32_768;
/** The same when nobody else waits. */
export const LONE_QUANTUM_BYTES = 65_536;

export class TurnScheduler {
  #ring: Turn[] = [];
  #next = 0;

  get waiting(): number {
    return this.#ring.length - this.#next;
  }

  /** Puts a stream at the end of the line; no-op while it is in it. */
  add(turn: Turn): void {
    if (turn.scheduled) return;
    turn.scheduled = true;
    this.#ring.push(turn);
  }

  /** Runs one turn. @returns bytes sent; 0 when nobody waits or the first in line could not send. */
  runTurn(): number {
    if (this.#next === this.#ring.length) return 0;
    const turn = this.#ring[this.#next++] as Turn;
    const quantum = this.#next === this.#ring.length ? LONE_QUANTUM_BYTES : QUANTUM_BYTES;
    this.#compact();
    turn.scheduled = false;
    const allowance = turn.deficitBytes + quantum;
    if (allowance <= 0) {
      turn.deficitBytes = allowance;
      this.add(turn);
      return 0;
    }
    const { sentBytes, more } = turn.take(allowance);
    turn.deficitBytes = more ? Math.min(0, allowance - sentBytes) : 0;
    if (more) this.add(turn);
    return sentBytes;
  }

  /** The line is an array with a moving start; it is moved back once the dead part dominates, and emptied with the line. */
  #compact(): void {
    if (this.#next === this.#ring.length) {
      // Otherwise up to 64 streams of the past would be kept alive by an idle connection.
      this.#ring.length = 0;
      this.#next = 0;
      return;
    }
    if (this.#next < 64 || this.#next * 2 < this.#ring.length) return;
    this.#ring = this.#ring.slice(this.#next);
    this.#next = 0;
  }
}
