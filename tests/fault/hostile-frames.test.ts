// The wire protocol under attack (R-K7): a million frames that break it in every way there is. No crash, no leak, nothing but
// violations reported, each code of them seen. Repeat a run with HOSTILE_SEED, change its length with HOSTILE_FRAMES.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import { VIOLATION_CODES, type ViolationCode } from "@sallyport/shared/protocol/violation";
import { expect, test } from "vitest";
import { generateToConnector, generateToRelay } from "./hostile-frames-generate.ts";
import { attackHandshakes } from "./hostile-frames-handshake.ts";
import { inMessages, mutate } from "./hostile-frames-mutate.ts";
import { Random } from "./hostile-frames-random.ts";
import { recordSessions, type Session } from "./hostile-frames-record.ts";
import { Target } from "./hostile-frames-target.ts";
import { attackWebSockets } from "./hostile-frames-websocket.ts";

const SEED = Number(process.env["HOSTILE_SEED"] ?? 20_261_124);
const FRAMES = Number(process.env["HOSTILE_FRAMES"] ?? 1_000_000);
const HANDSHAKES = 2_000;
const WEBSOCKETS = 150;
/** Of ten sessions so many are mutations of recorded ones. */
const MUTATED_OF_TEN = 7;
/** What a process may keep after a million frames; a connection that leaks costs a quarter of a MiB of slab alone. */
const MAX_GROWTH_BYTES = 24 << 20;

interface Tally {
  readonly hits: Map<ViolationCode, number>;
  sessions: number;
  mutatedFrames: number;
  generatedFrames: number;
  /** Sessions that broke nothing: the mutation kept them valid. */
  fine: number;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

async function heldBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Feeds one hostile session to a fresh connection, and checks that nothing of it stays. */
function attack(sessions: readonly Session[], budget: BufferBudget, random: Random, tally: Tally): void {
  const session = random.pick(sessions);
  const role = random.once(2) ? "relay" : "connector";
  const mutated = random.below(10) < MUTATED_OF_TEN;
  const target = new Target(role, session, budget, random);
  let frames: Buffer[];
  if (mutated) frames = mutate(role === "relay" ? session.toRelay : session.toConnector, random);
  else frames = role === "relay" ? generateToRelay(200, session.opens.length, random) : generateToConnector(200, random);
  let fed = 0;
  for (const { message, frames: count } of inMessages(frames, random)) {
    if (target.closed) break;
    target.give(message);
    fed += count;
  }
  if (mutated) tally.mutatedFrames += fed;
  else tally.generatedFrames += fed;
  tally.sessions++;
  const cause = target.finish();
  if (cause?.kind === "violation") tally.hits.set(cause.violation.code, (tally.hits.get(cause.violation.code) ?? 0) + 1);
  else tally.fine++;
  assertNothingLeft(target);
}

/** Plain comparisons: this runs for every session. */
function assertNothingLeft({ mux, clock, causes, faults, broken }: Target): void {
  const left = { closes: causes.length, streams: mux.streamCount, timers: clock.pendingTimers, faults, broken };
  if (left.closes !== 1 || left.streams !== 0 || left.timers !== 0 || faults.length > 0 || broken.length > 0) {
    expect(left).toEqual({ closes: 1, streams: 0, timers: 0, faults: [], broken: [] });
  }
}

test(`${FRAMES.toLocaleString("en")} hostile frames: no crash, no leak, every violation code seen`, async () => {
  console.info(`seed ${SEED} (HOSTILE_SEED)`);
  const random = new Random(SEED);
  const sessions = await recordSessions();
  // Small enough to be spent, so that streams are evicted in the middle of an attack.
  const budget = new BufferBudget(48 << 10);
  const tally: Tally = { hits: new Map(), sessions: 0, mutatedFrames: 0, generatedFrames: 0, fine: 0 };
  for (let i = 0; i < 200; i++) attack(sessions, budget, random, { ...tally, hits: new Map() });
  const beforeBytes = await heldBytes();
  const startedAt = performance.now();
  while (tally.mutatedFrames + tally.generatedFrames < FRAMES) {
    attack(sessions, budget, random, tally);
    // Connections that drained close at the end of a turn.
    if (tally.sessions % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const tookMs = performance.now() - startedAt;
  const growthBytes = (await heldBytes()) - beforeBytes;
  await attackHandshakes(sessions, HANDSHAKES, random, tally.hits);
  const survivors = await attackWebSockets(sessions, WEBSOCKETS, random, tally.hits);
  report(tally, tookMs, growthBytes, budget);
  expect(budget.heldBytes).toBe(0);
  expect(budget.evictions).toBeGreaterThan(0);
  expect(growthBytes).toBeLessThan(MAX_GROWTH_BYTES);
  expect(tally.mutatedFrames).toBeGreaterThanOrEqual(FRAMES / 2);
  expect(VIOLATION_CODES.filter((code) => !tally.hits.has(code))).toEqual([]);
  expect(survivors).toEqual({ served: WEBSOCKETS, unexpected: [] });
});

function report(
  { hits, sessions, mutatedFrames, generatedFrames, fine }: Tally,
  tookMs: number,
  growthBytes: number,
  budget: BufferBudget,
): void {
  const frames = mutatedFrames + generatedFrames;
  console.info(
    [
      `${frames} frames (${mutatedFrames} of mutated recordings) in ${sessions} sessions of ${(frames / sessions).toFixed(0)} on average, ${(tookMs / 1000).toFixed(1)} s`,
      `${fine} sessions broke nothing; ${budget.evictions} streams evicted; memory ${(growthBytes / 1024).toFixed(0)} KiB more than before`,
      ...VIOLATION_CODES.map((code) => `${String(hits.get(code) ?? 0).padStart(8)}  ${code}`),
    ].join("\n"),
  );
}
