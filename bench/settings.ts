// How long and how much the benchmarks run: the one place for durations, counts and sizes. Must not know any row.

export interface Settings {
  /** A B A B ...: how many pairs of runs make a median. */
  readonly pairs: number;
  readonly runSeconds: number;
  /** Load on our side before the first pair: with too little of it the compiler is still at work and shows as CPU (NOTES.md). */
  readonly warmUpSeconds: number;
  readonly transferPairs: number;
}

export const QUICK: Settings = { pairs: 3, runSeconds: 1, warmUpSeconds: 6, transferPairs: 2 };
export const FULL: Settings = { pairs: 7, runSeconds: 4, warmUpSeconds: 10, transferPairs: 5 };

export const SMALL_BYTES = 100;
export const SMALL_VISITORS = 64;
export const BODY_BYTES = 65_536;
export const BODY_VISITORS = 32;
export const TRANSFER_BYTES = 1_000_000_000;

export const DOWNLOADERS = 8;
export const HOL_VISITORS = 4;

export const LINE_BYTES = 100_000_000;
/** One way; the round trip is twice that. */
export const LINE_DELAY_MS = 30;
/** 200 Mbit/s. */
export const LINE_BYTES_PER_SECOND = 25_000_000;
/** What the line takes in advance of its speed, as a router's queue does: one round trip. */
export const LINE_QUEUE_BYTES = 1_500_000;

export const IDLE_WEBSOCKETS = 10_000;
export const SLOW_READERS = 1_000;
/** Each slow reader takes one block of this size, then waits. */
export const SLOW_READ_BYTES = 65_536;
export const SLOW_READ_EVERY_MS = 1_000;
export const SLOW_READ_SECONDS = 20;
export const IDLE_CONNECTORS = 1_000;
export const IDLE_SECONDS = 15;
/** Memory is read when it has settled: this long after the last change. */
export const SETTLE_MS = 5_000;

export const POLICIES = 1_000;
export const RULES_PER_POLICY = 20;
export const DECISIONS = 1_000_000;

export const STARTS = 5;
