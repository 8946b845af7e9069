// `pnpm bench`: speed of relay and connector as ratios to two nginx hops, taken in the same run. Starts and ends
// everything itself, on loopback; fails when an answer is not what it should be.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadavg } from "node:os";
import { setup as build } from "../tests/harness/build.ts";
import { killAllOnSignals } from "../tests/harness/program.ts";
import { createContext } from "./context.ts";
import { missingPrograms } from "./needs.ts";
import { readOptions, USAGE } from "./options.ts";
import type { Options } from "./options.ts";
import { commit, HEADING, lines, machine, toJson } from "./report.ts";
import type { Measurement } from "./report.ts";
import { ROWS } from "./rows/all.ts";
import type { Context, Row } from "./rows/row.ts";

const ROOT = join(import.meta.dirname, "..");
const BUSY_LOAD = 0.5;

async function measure(rows: readonly Row[], context: Context): Promise<readonly Measurement[]> {
  const measurements: Measurement[] = [];
  process.stdout.write(`${HEADING}\n`);
  for (const row of rows) {
    context.progress(`${row.id}: ${row.title}`);
    try {
      const measurement = { row, result: await row.run(context) };
      measurements.push(measurement);
      process.stdout.write(`${lines(measurement)}\n`);
    } catch (error) {
      process.stdout.write(`${row.id}  FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return measurements;
}

async function run(options: Options): Promise<number> {
  const rows = ROWS.filter(({ id, quick }) => (options.rows === undefined ? quick || !options.quick : options.rows.includes(id)));
  const missing = missingPrograms(rows);
  if (missing !== undefined) {
    process.stderr.write(missing);
    return 2;
  }
  const about = { machine: machine(), node: process.version, commit: commit(ROOT), quick: options.quick };
  const busy = loadavg()[0] ?? 0;
  if (busy > BUSY_LOAD) process.stderr.write(`note: the machine is busy (load ${busy.toFixed(1)}): read the ratios, not the figures\n`);
  if (options.build) await build();
  await using stack = new AsyncDisposableStack();
  const measurements = await measure(rows, createContext(stack, options));
  if (options.json !== undefined) writeFileSync(options.json, toJson(measurements, about));
  return measurements.length === rows.length ? 0 : 1;
}

killAllOnSignals();
const options = readOptions(process.argv.slice(2));
if (typeof options === "string") {
  process.stderr.write(options === "" ? USAGE : `${options}\n${USAGE}`);
  process.exitCode = options === "" ? 0 : 2;
} else {
  process.exitCode = await run(options);
}
