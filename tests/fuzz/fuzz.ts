// The fuzzer: takes targets in turns until its time is over, mutates what it has, keeps inputs that led somewhere new, and
// everything that broke a promise. What it keeps in the corpus folder is where the next run begins.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../fault/hostile-frames-random.ts";
import { mutated } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";

/** How long one target goes on before the next. */
const TURN_MS = 100;
/** Inputs of one target that are mutated further; older ones give way. */
const MAX_POOL = 1_000;
/** Inputs of one target in the corpus folder. */
const MAX_KEPT = 64;
const MAX_KEPT_BYTES = 4_096;
/** No input within MAX_INPUT_BYTES may take longer, measured three times: all that is read is read in linear time. */
const MAX_EXECUTION_MS = 100;
/** Crashes of one target after which it is left alone. */
const MAX_CRASHES = 10;

export interface FuzzOptions {
  readonly targets: readonly FuzzTarget[];
  readonly seed: number;
  readonly durationMs: number;
  /** Holds a folder for each target; undefined: nothing is read or kept. */
  readonly corpus?: string;
  /** Whether new inputs go into the corpus. Default true. */
  readonly keep?: boolean;
}

export interface Crash {
  readonly message: string;
  readonly input: Buffer;
}

export interface FuzzReport {
  readonly name: string;
  executions: number;
  /** Words of outcomes seen. */
  readonly outcomes: Set<string>;
  readonly crashes: Crash[];
  slowestMs: number;
}

interface Running {
  readonly target: FuzzTarget;
  readonly pool: Buffer[];
  readonly report: FuzzReport;
}

export async function fuzz({ targets, seed, durationMs, corpus: known, keep: keeps = true }: FuzzOptions): Promise<readonly FuzzReport[]> {
  const random = new Random(seed);
  const corpus = keeps ? known : undefined;
  const deadlineMs = performance.now() + durationMs;
  const all = targets.map((target): Running => ({
    target,
    pool: [...target.seeds(), ...readKept(known, target.name)],
    report: { name: target.name, executions: 0, outcomes: new Set(), crashes: [], slowestMs: 0 },
  }));
  // First everything that is known, so that what was found once is tried in every run.
  for (const one of all) for (const input of one.pool.slice()) await execute(one, input, random, corpus);
  while (performance.now() < deadlineMs) {
    for (const one of all) await turn(one, random, Math.min(deadlineMs, performance.now() + TURN_MS), corpus);
  }
  return all.map(({ report }) => report);
}

async function turn(one: Running, random: Random, untilMs: number, corpus: string | undefined): Promise<void> {
  while (performance.now() < untilMs && one.report.crashes.length < MAX_CRASHES) {
    await execute(one, mutated(one.pool, one.target.words, random), random, corpus);
  }
}

async function execute({ target, pool, report }: Running, input: Buffer, random: Random, corpus: string | undefined): Promise<void> {
  report.executions++;
  try {
    const outcome = await timed(target, input, random, report);
    if (report.outcomes.has(outcome)) return;
    report.outcomes.add(outcome);
    if (pool.length >= MAX_POOL) pool.splice(random.below(pool.length), 1);
    pool.push(input);
    if (input.length <= MAX_KEPT_BYTES) keep(corpus, target.name, input, MAX_KEPT);
  } catch (error) {
    report.crashes.push({ message: describe(error), input });
    keep(corpus, target.name, input, Infinity);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error.stack ?? error.message).split("\n").slice(0, 5).join("\n");
}

async function timed(target: FuzzTarget, input: Buffer, random: Random, report: FuzzReport): Promise<string> {
  let tookMs = Infinity;
  let outcome = "";
  for (let tries = 0; tries < 3 && tookMs > MAX_EXECUTION_MS; tries++) {
    // Time of the processor: a machine that has other work to do is no finding.
    const before = process.cpuUsage();
    outcome = await target.run(input, random);
    const { user, system } = process.cpuUsage(before);
    tookMs = Math.min(tookMs, (user + system) / 1_000);
  }
  report.slowestMs = Math.max(report.slowestMs, tookMs);
  if (tookMs > MAX_EXECUTION_MS) throw new Error(`${tookMs.toFixed(0)} ms for ${input.length} bytes`);
  return outcome;
}

function readKept(corpus: string | undefined, name: string): readonly Buffer[] {
  const folder = corpus === undefined ? "" : join(corpus, name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .toSorted()
    .map((file) => readFileSync(join(folder, file)));
}

/** Named by what is in it. */
function keep(corpus: string | undefined, name: string, input: Buffer, most: number): void {
  if (corpus === undefined) return;
  const folder = join(corpus, name);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${createHash("sha256").update(input).digest("hex").slice(0, 16)}.bin`);
  if (!existsSync(file) && readdirSync(folder).length < most) writeFileSync(file, input);
}
