// `pnpm fuzz`: hostile input for every reader, as long as told.
//
//   pnpm fuzz --minutes 10               all targets, ten minutes (default 1)
//   pnpm fuzz --target path,host         some of them
//   pnpm fuzz --seed 7                   the same inputs again, as far as time allows (default: from the clock)
//
// What breaks a promise is printed and kept in tests/fuzz/corpus/, where every later run and the test begin. Ends with 1 then.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { fuzz, type FuzzReport } from "./fuzz.ts";
import { FUZZ_TARGETS } from "./targets.ts";

const CORPUS = join(import.meta.dirname, "corpus");

function line({ name, executions, outcomes, crashes, slowestMs }: FuzzReport): string {
  return `${name.padEnd(16)} ${String(executions).padStart(10)} executions ${String(outcomes.size).padStart(4)} outcomes  slowest ${slowestMs.toFixed(1).padStart(6)} ms  ${crashes.length} crashes`;
}

const { values } = parseArgs({ options: { minutes: { type: "string" }, target: { type: "string" }, seed: { type: "string" } } });
const names = values.target?.split(",");
const targets = FUZZ_TARGETS.filter(({ name }) => names === undefined || names.includes(name));
const minutes = Number(values.minutes ?? 1);
const seed = Number(values.seed ?? Date.now() % 2 ** 32);
if (targets.length === 0 || !(minutes > 0) || !Number.isInteger(seed)) {
  process.stderr.write(
    `pnpm fuzz [--minutes N] [--seed N] [--target NAME,...]; targets: ${FUZZ_TARGETS.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(2);
}
process.stdout.write(`seed ${seed}, ${minutes} min, ${targets.length} targets\n`);
const reports = await fuzz({ targets, seed, durationMs: minutes * 60_000, corpus: CORPUS });
for (const report of reports) {
  process.stdout.write(`${line(report)}\n`);
  for (const { message, input } of report.crashes)
    process.stdout.write(`  ${message}\n  ${JSON.stringify(input.toString("latin1").slice(0, 500))}\n`);
}
const crashes = reports.reduce((sum, report) => sum + report.crashes.length, 0);
process.stdout.write(`${reports.reduce((sum, { executions }) => sum + executions, 0)} executions, ${crashes} crashes\n`);
process.exit(crashes === 0 ? 0 : 1);
