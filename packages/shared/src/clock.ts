// Time as a dependency, so that deadlines are tested by moving a clock instead of waiting.

export interface Timer {
  /** Idempotent: a timer that fired or was cancelled stays cancelled. */
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. May jump in both directions. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start: what intervals and deadlines are measured with. */
  monotonic(): number;
  /** Runs `task` once after `delayMs` (>= 0). The timer never keeps the process alive by itself. */
  after(delayMs: number, task: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs: number, task: () => void): Timer {
    const handle = setTimeout(task, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** A clock for tests: time moves only when {@link ManualClock.advance} is called. */
export class ManualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  #sequence = 0;
  readonly #pending = new Map<number, { readonly dueMs: number; readonly task: () => void }>();

  constructor(nowMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, task: () => void): Timer {
    const id = ++this.#sequence;
    this.#pending.set(id, { dueMs: this.#monotonicMs + Math.max(0, delayMs), task });
    return { cancel: () => void this.#pending.delete(id) };
  }

  /** Number of timers not fired or cancelled: zero after a clean close. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Moves both clocks forward and runs what falls due, in order of due time then creation. */
  advance(byMs: number): void {
    const endMs = this.#monotonicMs + byMs;
    for (;;) {
      let next: [number, { readonly dueMs: number; readonly task: () => void }] | undefined;
      for (const entry of this.#pending) {
        if (entry[1].dueMs <= endMs && (next === undefined || entry[1].dueMs < next[1].dueMs)) next = entry;
      }
      if (next === undefined) break;
      const [id, { dueMs, task }] = next;
      this.#pending.delete(id);
      this.#nowMs += Math.max(0, dueMs - this.#monotonicMs);
      this.#monotonicMs = Math.max(this.#monotonicMs, dueMs);
      task();
    }
    this.#nowMs += endMs - this.#monotonicMs;
    this.#monotonicMs = endMs;
  }

  /** Moves only the wall clock, as an administrator or NTP would. */
  jump(byMs: number): void {
    this.#nowMs += byMs;
  }
}
