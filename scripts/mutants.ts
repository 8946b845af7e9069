// `pnpm mutants`: switches the guard of each security requirement off in turn, in a copy of the tree, and shows that the test
// which names the requirement fails then. A test that passes without its guard proves nothing.
//
//   pnpm mutants                    all of them
//   pnpm mutants --group A          one group
//   pnpm mutants --only R-A3,R-D4   single requirements
//   pnpm mutants --jobs 4           that many at once (default 1)
//
// Ends with 1 when a mutant survives, a patch no longer applies, or the tests fail without any mutant.

import { parseArgs } from "node:util";
import { MUTANTS } from "../tests/mutants/all.ts";
import type { Mutant } from "../tests/mutants/mutant.ts";
import { tryMutant, tryUnchanged, type Verdict } from "../tests/mutants/run.ts";
import { createScratch, type Scratch } from "../tests/mutants/scratch.ts";
import { root, run, since } from "./lib/run.ts";

interface Outcome {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
}

const { values: options } = parseArgs({ options: { only: { type: "string" }, group: { type: "string" }, jobs: { type: "string" } } });
const MAX_JOBS = 16;

function chosen(): readonly Mutant[] {
  const ids = options.only?.split(",");
  return MUTANTS.filter(({ id }) => ids?.includes(id) !== false && options.group?.includes(id.charAt(2)) !== false);
}

function jobs(): number {
  return Math.max(1, Math.min(MAX_JOBS, Number(options.jobs ?? 1) || 1));
}

async function work(scratch: Scratch, queue: Mutant[], outcomes: Outcome[]): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const startedAtMs = performance.now();
    const verdict = await tryMutant(scratch.root, mutant);
    outcomes.push({ mutant, verdict });
    const detail = verdict.kind === "killed" ? `by "${verdict.by}"` : verdict.kind === "unclear" ? verdict.why : "no test noticed";
    process.stdout.write(`${verdict.kind.padEnd(8)} ${mutant.id.padEnd(6)} ${mutant.off}: ${detail} (${since(startedAtMs)})\n`);
  }
}

async function main(): Promise<number> {
  const queue = [...chosen()];
  if (queue.length === 0) {
    process.stderr.write("no mutant is chosen by these options\n");
    return 2;
  }
  const built = await run("tsc", ["-b", "packages/relay", "packages/connector"], { capture: true });
  if (built.code !== 0) {
    process.stderr.write(built.output);
    return 1;
  }
  using stack = new DisposableStack();
  const copies = Array.from({ length: Math.min(jobs(), queue.length) }, () => stack.use(createScratch(root)));
  const tests = [...new Set(queue.flatMap((mutant) => mutant.tests))];
  const ids = [...new Set(queue.map(({ id }) => id))];
  const startedAtMs = performance.now();
  const problem = await tryUnchanged((copies[0] as Scratch).root, ids, tests);
  if (problem !== undefined) {
    process.stdout.write(`the tests fail without any mutant:\n${problem}\n`);
    return 1;
  }
  process.stdout.write(`the tests of ${ids.length} requirements pass in ${tests.length} files (${since(startedAtMs)})\n`);
  const total = queue.length;
  const outcomes: Outcome[] = [];
  await Promise.all(copies.map((copy) => work(copy, queue, outcomes)));
  const alive = outcomes.filter(({ verdict }) => verdict.kind !== "killed");
  process.stdout.write(`\n${total - alive.length} of ${total} mutants killed, of ${ids.length} requirements, in ${since(startedAtMs)}\n`);
  for (const { mutant, verdict } of alive) process.stdout.write(`${verdict.kind}: ${mutant.id} ${mutant.off} (${mutant.file})\n`);
  return alive.length === 0 ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
process.exitCode = await main();
