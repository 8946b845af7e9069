// wrk as the load generator: one thread, kept connections, the next request when the answer is complete. Every answer
// counts: a status other than 200 or a body of another length fails the run. Knows wrk and nothing of the sides.

import { join } from "node:path";
import { mustRun } from "../../tests/harness/program.ts";
import { cpuSecondsOf } from "./cpu.ts";
import { probe } from "./probe.ts";
import type { Rig, Side } from "./side.ts";

const SCRIPT = join(import.meta.dirname, "load.lua");
/** wrk's own clock differs from ours by its start and its end. */
const SPARE_SECONDS = 30;
/** Heads differ by a few bytes from request to request (a counter's digits). */
const BYTES_TOLERANCE = 0.005;

export interface Load {
  readonly path: string;
  readonly visitors: number;
  /** Length of the body that is expected. */
  readonly bodyBytes: number;
  readonly seconds: number;
  /** Whether one header has another value in each request. */
  readonly vary: boolean;
}

export interface Measured {
  readonly requestsPerSecond: number;
  readonly bodyBytesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU microseconds per request of each hop, visitor's side first. */
  readonly cpuUs: readonly number[];
}

interface Summary {
  readonly requests: number;
  readonly bytes: number;
  readonly microseconds: number;
  readonly failures: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** @throws when an answer was not what was expected */
export async function runLoad(rig: Rig, side: Side, load: Load): Promise<Measured> {
  const headers = { ...rig.headers, "X-Trace": "1000000" };
  const { wireBytes } = await probe(side, load.path, headers, load.bodyBytes);
  const before = cpuSecondsOf(side.pids);
  const summary = await runWrk(rig, side, load);
  const cpu = cpuSecondsOf(side.pids).map((after, index) => after - (before[index] ?? 0));
  check(side, load, summary, wireBytes);
  const seconds = summary.microseconds / 1e6;
  return {
    requestsPerSecond: summary.requests / seconds,
    bodyBytesPerSecond: (summary.requests * load.bodyBytes) / seconds,
    p50Us: summary.p50Us,
    p99Us: summary.p99Us,
    cpuUs: cpu.map((used) => (used * 1e6) / summary.requests),
  };
}

async function runWrk(rig: Rig, side: Side, load: Load): Promise<Summary> {
  const shape = ["-t", "1", "-c", String(load.visitors), "-d", `${load.seconds}s`, "-s", SCRIPT, side.url + load.path];
  const script = [load.vary ? "1" : "0", ...Object.entries(rig.headers).flat()];
  const output = await mustRun("wrk", [...shape, "--", ...script], { timeoutMs: (load.seconds + SPARE_SECONDS) * 1000 });
  const line = output.split("\n").findLast((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`wrk printed no result:\n${output}`);
  return JSON.parse(line) as Summary;
}

/** wrk reads bodies without showing them: their length is checked over all of them, by the bytes on the wire. */
function check(side: Side, load: Load, { requests, bytes, failures }: Summary, wireBytes: number): void {
  const what = `${side.name} ${load.path}`;
  if (failures > 0) throw new Error(`${what}: ${failures} of ${requests} requests failed or were not answered with 200`);
  if (requests === 0) throw new Error(`${what}: no request was answered in ${load.seconds} s`);
  // What was under way when time was up has been counted in part.
  const most = (requests + load.visitors) * wireBytes;
  const least = requests * wireBytes;
  if (bytes < least * (1 - BYTES_TOLERANCE) || bytes > most * (1 + BYTES_TOLERANCE)) {
    throw new Error(`${what}: ${requests} answers have ${bytes} bytes instead of ${least} to ${most}: some had another length`);
  }
}
