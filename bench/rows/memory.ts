// Rows ws-idle-memory, slow-reader-memory and connectors-1000: memory of relay and connector under many idle or slow
// peers. Load and origin are processes of their own; each row has a fresh relay and connector.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemorySampler, residentBytes } from "../../tests/harness/memory.ts";
import type { Program } from "../../tests/harness/program.ts";
import { cpuSeconds } from "../measure/cpu.ts";
import { probe } from "../measure/probe.ts";
import { startOurs } from "../rig/ours.ts";
import type { Ours } from "../rig/ours.ts";
import { startHelper, told } from "../rig/program.ts";
import * as settings from "../settings.ts";
import type { Context, Result, Row } from "./row.ts";

const KIB = 1024;
const MB = 1e6;
const OPENING_TIMEOUT_MS = 180_000;
/** Descriptors that a process has open beside those of the row. */
const SPARE_FILES = 1_000;
const CONNECTOR_PROCESSES = 4;

/** @throws when this process, and so its children, may not open enough files */
function needFiles(count: number): void {
  const limit = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? Number.POSITIVE_INFINITY);
  const needed = count + SPARE_FILES;
  if (limit < needed)
    throw new Error(`this row needs ${needed} open files per process, the limit is ${limit}: raise it (ulimit -n ${needed})`);
}

/**
 * One request through everything, then rest. No load before: memory that garbage took once and gave back would be used
 * again without growing the process, and the row would flatter. What is compiled meanwhile counts as the row's.
 */
async function beginQuietly({ side, headers }: Ours): Promise<void> {
  await probe(side, "/small", headers, settings.SMALL_BYTES);
  await settle();
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, settings.SETTLE_MS));
}

function alive(helpers: readonly Program[]): void {
  for (const helper of helpers)
    if (helper.exit !== undefined) throw new Error(`${helper.name} ended with ${helper.exit.code}:\n${helper.tail()}`);
}

async function idleWebSockets(context: Context): Promise<Result> {
  const count = settings.IDLE_WEBSOCKETS;
  needFiles(count);
  const { nginxPort, sinkPort } = await context.origins();
  await using stack = new AsyncDisposableStack();
  // One connection carries at most 10,000 streams, and the spread over several is not exact.
  const ours = await startOurs(stack, { origins: { "/": nginxPort, "/sink": sinkPort }, connector: { config: { connections: 4 } } });
  await beginQuietly(ours);
  const before = ours.side.pids.map(residentBytes);
  const load = startHelper(stack, "idle-websockets", [
    String(ours.relay.port),
    String(count),
    "/sink/socket",
    // A person's WebSocket names where it comes from (R-H5).
    JSON.stringify({ ...ours.headersOf["/sink"], Origin: `http://${ours.relay.host("sink")}` }),
  ]);
  await told(load, "open", OPENING_TIMEOUT_MS);
  await settle();
  alive([load]);
  const each = ours.side.pids.map((pid, index) => (residentBytes(pid) - (before[index] ?? 0)) / count / KIB);
  return { ours: Math.max(...each), unit: "KiB each", runs: each, notes: [perProcess(each, "KiB")] };
}

async function slowReaders(context: Context): Promise<Result> {
  const count = settings.SLOW_READERS;
  needFiles(count);
  const { nginxPort } = await context.origins();
  await using stack = new AsyncDisposableStack();
  const ours = await startOurs(stack, { origins: { "/": nginxPort } });
  await beginQuietly(ours);
  const samplers = ours.side.pids.map((pid) => new MemorySampler(pid));
  const pace = [String(settings.SLOW_READ_BYTES), String(settings.SLOW_READ_EVERY_MS)];
  const load = startHelper(stack, "slow-readers", [String(ours.relay.port), String(count), "/big", ...pace, JSON.stringify(ours.headers)]);
  await told(load, "reading", OPENING_TIMEOUT_MS);
  await new Promise((resolve) => setTimeout(resolve, settings.SLOW_READ_SECONDS * 1000));
  alive([load]);
  const growth = samplers.map((sampler) => sampler.stop()).map(({ peakBytes, beforeBytes }) => (peakBytes - beforeBytes) / MB);
  return { ours: Math.max(...growth), unit: "MB growth", runs: growth, notes: [perProcess(growth, "MB")] };
}

async function idleConnectors(context: Context): Promise<Result> {
  const count = settings.IDLE_CONNECTORS;
  needFiles(count);
  const { nginxPort } = await context.origins();
  await using stack = new AsyncDisposableStack();
  const ours = await startOurs(stack, { origins: { "/": nginxPort } });
  await beginQuietly(ours);
  const relay = ours.side.pids[0];
  const before = residentBytes(relay);
  const file = join(ours.connector.folder, "many.yaml");
  const services = { app: `http://127.0.0.1:${nginxPort}` };
  // JSON is YAML.
  writeFileSync(
    file,
    JSON.stringify({ relay: ours.relay.authUrl, credential: { file: ours.connector.credential }, connections: 1, services }),
  );
  const share = String(count / CONNECTOR_PROCESSES);
  const helpers = Array.from({ length: CONNECTOR_PROCESSES }, () => startHelper(stack, "connectors", [file, share]));
  await Promise.all(helpers.map((helper) => told(helper, "ready", OPENING_TIMEOUT_MS)));
  await settle();
  const cpuBefore = cpuSeconds(relay);
  await new Promise((resolve) => setTimeout(resolve, settings.IDLE_SECONDS * 1000));
  alive(helpers);
  const cpuPercent = ((cpuSeconds(relay) - cpuBefore) / settings.IDLE_SECONDS) * 100;
  const each = (residentBytes(relay) - before) / count / KIB;
  return { ours: each, unit: "KiB each", runs: [each], figures: { "% of a core": cpuPercent } };
}

function perProcess(values: readonly number[], unit: string): string {
  const [relay = 0, connector = 0] = values;
  return `relay ${relay.toFixed(1)} ${unit}, connector ${connector.toFixed(1)} ${unit}`;
}

export const MEMORY_ROWS: readonly Row[] = [
  {
    id: "ws-idle-memory",
    title: `${settings.IDLE_WEBSOCKETS} idle WebSockets through the tunnel`,
    quick: false,
    goals: [{ of: "ours", atMost: 20 }],
    needs: ["nginx"],
    run: idleWebSockets,
  },
  {
    id: "slow-reader-memory",
    title: `${settings.SLOW_READERS} slow readers of 1 GB each`,
    quick: false,
    goals: [{ of: "ours", atMost: 100 }],
    needs: ["nginx"],
    run: slowReaders,
  },
  {
    id: "connectors-1000",
    title: `${settings.IDLE_CONNECTORS} idle connectors at one relay`,
    quick: false,
    goals: [
      { of: "ours", atMost: 60 },
      { of: "% of a core", atMost: 5 },
    ],
    needs: ["nginx"],
    run: idleConnectors,
  },
];
