// What a row of the benchmark is: an id of the list of speed goals, how it is measured, what it aims at.

import type { Compared } from "../measure/pairs.ts";
import type { Origins, Bed } from "../rig/rig.ts";
import type { Settings } from "../settings.ts";

export interface Goal {
  /** What is held against it: `ratio`, `ours` where a row has a limit of its own, or one of {@link Result.figures}. */
  readonly of: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** A further figure of the same row, under the same goals. */
export interface Variant extends Compared {
  readonly name: string;
}

export interface Result {
  readonly ours: number;
  /** Absent where a row has no reference. */
  readonly reference?: number;
  readonly ratio?: number;
  readonly unit: string;
  readonly runs: readonly unknown[];
  /** Further figures, by unit. */
  readonly figures?: Readonly<Record<string, number>>;
  readonly variants?: readonly Variant[];
  /** What a reader needs beside the figures. */
  readonly notes?: readonly string[];
}

export interface Context {
  readonly settings: Settings;
  origins(): Promise<Origins>;
  /** Both sides over plain HTTP; started once. */
  plain(): Promise<Bed>;
  /** Both sides with TLS on the visitor's leg and between the hops; started once. */
  tls(): Promise<Bed>;
  /** A row that needs two figures of the same runs keeps them here. */
  once<T>(key: string, work: () => Promise<T>): Promise<T>;
  progress(text: string): void;
}

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly quick: boolean;
  /** The first goal, then the final one. */
  readonly goals: readonly Goal[];
  /** Programs it needs beyond Node. */
  readonly needs: readonly string[];
  run(context: Context): Promise<Result>;
}

export function isMet(goal: Goal, result: Result): boolean {
  const value = goal.of === "ratio" ? result.ratio : goal.of === "ours" ? result.ours : result.figures?.[goal.of];
  if (value === undefined) return false;
  return value >= (goal.atLeast ?? Number.NEGATIVE_INFINITY) && value <= (goal.atMost ?? Number.POSITIVE_INFINITY);
}
