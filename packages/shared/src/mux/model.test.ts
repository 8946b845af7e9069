// Two multiplexers against a simple model, under random interleavings of everything their owners and the network can do:
// every byte arrives in order exactly once, or its stream is reset; credit and budget come back at the end.

import fc from "fast-check";
import { expect, it } from "vitest";
import { ManualClock } from "../clock.ts";
import type { Fields } from "../http/fields.ts";
import { GoawayReason, ResetCode } from "../protocol/codes.ts";
import { StreamKind, type OpenHead, type ResponseHead } from "../protocol/head.ts";
import { BufferBudget } from "./budget.ts";
import { MuxConnection, type CloseCause } from "./connection.ts";
import { memoryTransports } from "./memory-transport.ts";
import type { Stream, StreamHandler } from "./stream.ts";

const HEAD: OpenHead = {
  kind: StreamKind.HTTP,
  service: "s",
  assertion: 0,
  method: "POST",
  path: "/",
  authority: "a",
  fields: [],
  contentLength: undefined,
};
/** Small, so that credit and the budget run out all the time. */
const LIMITS = { maxStreams: 6, streamWindowBytes: 4_096, connectionWindowBytes: 16_384 };
const TRAILERS: Fields = ["Checksum", "1"];

type Side = "relay" | "connector";
const other = (side: Side): Side => (side === "relay" ? "connector" : "relay");

/** Byte `at` of what one half sends: says where it belongs. */
const byteOf = (id: number, side: Side, at: number): number => (at * 31 + id * 7 + (side === "relay" ? 0 : 101) + (at >> 8)) & 0xff;

/** One half of one stream, as its owner and as the model see it. */
class Half implements StreamHandler {
  readonly side: Side;
  stream: Stream | undefined;
  sentBytes = 0;
  ended = false;
  trailers: Fields = [];
  finalHeadSent: boolean;
  headsSent = 0;
  headsReceived = 0;
  receivedBytes = 0;
  unconsumedBytes = 0;
  /** Set by onEnd. */
  heardTrailers: Fields | undefined;
  reset: ResetCode | undefined;
  resetHere = false;
  consumes = true;
  paused = false;
  readonly #wrong: string[];

  constructor(side: Side, wrong: string[]) {
    this.side = side;
    this.finalHeadSent = side === "relay";
    this.#wrong = wrong;
  }

  get over(): boolean {
    return this.reset !== undefined || this.resetHere;
  }

  onHead(_head: ResponseHead, end: boolean): void {
    this.#told("head");
    this.headsReceived++;
    if (end) this.heardTrailers = [];
  }

  onData(chunk: Uint8Array): void {
    this.#told("data");
    const id = this.stream?.id ?? 0;
    for (const byte of chunk) {
      if (byte !== byteOf(id, other(this.side), this.receivedBytes))
        return void this.#wrong.push(`byte ${this.receivedBytes} of stream ${id} at the ${this.side}`);
      this.receivedBytes++;
    }
    this.unconsumedBytes += chunk.length;
    if (this.consumes) this.consume(this.unconsumedBytes);
  }

  onEnd(trailers: Fields): void {
    this.#told("end");
    this.heardTrailers = trailers;
  }

  onReset(code: ResetCode): void {
    if (this.over) this.#wrong.push(`a second reset at the ${this.side}`);
    this.reset = code;
    this.unconsumedBytes = 0;
  }

  onDrain(): void {
    if (this.over) this.#wrong.push(`drain after a reset at the ${this.side}`);
    this.paused = false;
  }

  #told(what: string): void {
    if (this.over) this.#wrong.push(`${what} after a reset at the ${this.side}`);
    if (this.heardTrailers !== undefined) this.#wrong.push(`${what} after the end at the ${this.side}`);
    if (what !== "head" && this.side === "relay" && this.headsReceived === 0) this.#wrong.push(`${what} before a head`);
  }

  consume(bytes: number): void {
    const consumed = Math.min(bytes, this.unconsumedBytes);
    this.unconsumedBytes -= consumed;
    this.stream?.consume(consumed);
  }

  head(interim: boolean, end: boolean): void {
    if (this.finalHeadSent || this.stream?.open !== true || this.ended) return;
    this.stream.sendHead({ status: interim ? 103 : 200, fields: [] }, end && !interim);
    this.headsSent++;
    this.finalHeadSent = !interim;
    if (end && !interim) this.ended = true;
  }

  write(size: number): void {
    if (!this.finalHeadSent || this.ended || this.stream === undefined || this.over || this.paused) return;
    const chunk = Buffer.alloc(size);
    const id = this.stream.id;
    for (let i = 0; i < size; i++) chunk[i] = byteOf(id, this.side, this.sentBytes + i);
    this.sentBytes += size;
    this.paused = !this.stream.write(chunk);
  }

  end(trailers: Fields): void {
    if (!this.finalHeadSent || this.ended || this.over) return;
    this.ended = true;
    this.trailers = trailers;
    this.stream?.end(trailers);
  }

  cancel(): void {
    // After a clean end in both directions it only lets go of what is unconsumed.
    if (this.stream?.open === true) this.resetHere = true;
    this.stream?.reset(ResetCode.CANCEL);
    this.unconsumedBytes = 0;
  }
}

class World {
  readonly wrong: string[] = [];
  readonly faults: unknown[] = [];
  readonly causes: Record<Side, CloseCause[]> = { relay: [], connector: [] };
  readonly halves: Record<Side, Map<number, Half>> = { relay: new Map(), connector: new Map() };
  readonly clock = new ManualClock();
  readonly ends = memoryTransports();
  readonly budgets: Record<Side, BufferBudget>;
  readonly mux: Record<Side, MuxConnection>;
  /** Nobody cut, closed or drained it. */
  whole = true;

  constructor(budgetBytes: number) {
    this.budgets = { relay: new BufferBudget(budgetBytes), connector: new BufferBudget(budgetBytes) };
    this.mux = { relay: this.#make("relay"), connector: this.#make("connector") };
  }

  #make(role: Side): MuxConnection {
    return new MuxConnection({
      role,
      transport: this.ends[role === "relay" ? 0 : 1],
      budget: this.budgets[role],
      clock: this.clock,
      limits: LIMITS,
      peerLimits: LIMITS,
      handler: {
        acceptStream: (stream, _open, end) => {
          const half = new Half("connector", this.wrong);
          half.stream = stream;
          if (end) half.heardTrailers = [];
          this.halves.connector.set(stream.id, half);
          return half;
        },
        onFault: (error) => this.faults.push(error),
        onClosed: (cause) => this.causes[role].push(cause),
      },
    });
  }

  open(end: boolean): void {
    const half = new Half("relay", this.wrong);
    half.stream = this.mux.relay.openStream(HEAD, end, half);
    if (half.stream === undefined) return;
    half.ended = end;
    this.halves.relay.set(half.stream.id, half);
  }

  /** The half that a number means; undefined while there is none. */
  half(side: Side, number: number): Half | undefined {
    const all = [...this.halves[side].values()];
    return all.length === 0 ? undefined : all[number % all.length];
  }

  get all(): Half[] {
    return [...this.halves.relay.values(), ...this.halves.connector.values()];
  }

  async turns(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

type Plain =
  | "open"
  | "end"
  | "trailers"
  | "reset"
  | "stall"
  | "stop"
  | "go"
  | "resume"
  | "goaway"
  | "cut"
  | "close"
  | "interim"
  | "head"
  | "headEnd";
type Command = { readonly side: Side; readonly n: number } & (
  | { readonly do: Plain }
  | { readonly do: "write" | "consume"; readonly bytes: number }
  | { readonly do: "turn"; readonly turns: number }
);

async function run(world: World, command: Command): Promise<void> {
  const half = world.half(command.side, command.n);
  const end = world.ends[command.side === "relay" ? 0 : 1];
  switch (command.do) {
    case "open":
      return world.open(command.n % 3 === 0);
    case "interim":
      return world.half("connector", command.n)?.head(true, false);
    case "head":
    case "headEnd":
      return world.half("connector", command.n)?.head(false, command.do === "headEnd");
    case "write":
      return half?.write(command.bytes);
    case "end":
      return half?.end([]);
    case "trailers":
      return half?.end(TRAILERS);
    case "reset":
      return half?.cancel();
    case "stop":
      if (half !== undefined) half.consumes = false;
      return;
    case "go":
      if (half !== undefined) half.consumes = true;
      return half?.consume(half.unconsumedBytes);
    case "consume":
      return half?.consume(command.bytes);
    case "stall":
      return end.stall();
    case "resume":
      return end.resume();
    case "turn":
      return world.turns(command.turns);
    case "goaway":
      world.whole = false;
      return world.mux[command.side].goaway(GoawayReason.SHUTDOWN, 0, "");
    case "close":
      world.whole = false;
      return world.mux[command.side].close(GoawayReason.SHUTDOWN, "");
    case "cut":
      world.whole = false;
      return end.cut();
  }
}

/** Everybody does what is left to do, until nothing moves any more. */
async function settle(world: World): Promise<void> {
  for (const end of world.ends) end.resume();
  for (let round = 0; round < 40; round++) {
    for (const half of world.all) {
      half.consumes = true;
      half.consume(half.unconsumedBytes);
      if (half.side === "connector") half.head(false, false);
      if (!half.paused) half.end([]);
    }
    await world.turns(4);
    if (world.mux.relay.streamCount === 0 && world.mux.connector.streamCount === 0) break;
  }
  // The last credit is still on its way.
  await world.turns(4);
}

function check(world: World, evictions: boolean): void {
  expect({ wrong: world.wrong, faults: world.faults }).toEqual({ wrong: [], faults: [] });
  for (const [id, relay] of world.halves.relay) {
    const connector = world.halves.connector.get(id);
    const whole = !relay.over && connector?.over === false;
    if (!whole) {
      // Nobody resets a stream by itself: an owner did, or the connection went, or the budget was spent.
      const codes = [relay.reset, connector?.reset].filter((code) => code !== undefined);
      const allowed = relay.resetHere || connector?.resetHere === true || !world.whole || (evictions && codes.includes(ResetCode.OVERLOAD));
      expect({ id, codes, allowed }).toMatchObject({ allowed: true });
      continue;
    }
    for (const [from, to] of [
      [relay, connector],
      [connector, relay],
    ] as const) {
      expect({ id, bytes: to.receivedBytes, trailers: to.heardTrailers }).toEqual({ id, bytes: from.sentBytes, trailers: from.trailers });
      if (to === relay) expect(to.headsReceived).toBe(Math.min(from.headsSent, 9));
    }
  }
  for (const side of ["relay", "connector"] as const) {
    expect([side, world.mux[side].streamCount, world.budgets[side].heldBytes]).toEqual([side, 0, 0]);
    expect(world.causes[side].map((cause) => cause.kind).filter((kind) => kind === "violation" || kind === "dead")).toEqual([]);
    // What was received and not yet returned is less than half of the window.
    if (world.whole) expect(world.mux[side].writer.creditBytes).toBeGreaterThan(LIMITS.connectionWindowBytes / 2);
    expect(world.mux[side].writer.creditBytes).toBeLessThanOrEqual(LIMITS.connectionWindowBytes);
  }
}

const place = { side: fc.constantFrom<Side>("relay", "connector"), n: fc.nat(20) };
const simple = (...names: readonly Plain[]): fc.Arbitrary<Command> => fc.record({ ...place, do: fc.constantFrom(...names) });
const sized: fc.Arbitrary<Command> = fc.record({
  ...place,
  do: fc.constant("write" as const),
  bytes: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 40_000 })),
});
const consumed: fc.Arbitrary<Command> = fc.record({
  ...place,
  do: fc.constant("consume" as const),
  bytes: fc.integer({ min: 1, max: 9_000 }),
});
const turned: fc.Arbitrary<Command> = fc.record({ ...place, do: fc.constant("turn" as const), turns: fc.integer({ min: 1, max: 4 }) });
const peaceful: ReadonlyArray<fc.WeightedArbitrary<Command>> = [
  { weight: 5, arbitrary: simple("open") },
  { weight: 4, arbitrary: simple("head") },
  { weight: 1, arbitrary: simple("interim", "headEnd") },
  { weight: 10, arbitrary: sized },
  { weight: 3, arbitrary: simple("end", "trailers") },
  { weight: 3, arbitrary: simple("stop", "stop", "go", "stall", "resume") },
  { weight: 3, arbitrary: consumed },
  { weight: 8, arbitrary: turned },
];
const withResets: ReadonlyArray<fc.WeightedArbitrary<Command>> = [...peaceful, { weight: 2, arbitrary: simple("reset") }];
const withEnds: ReadonlyArray<fc.WeightedArbitrary<Command>> = [
  ...withResets.map(({ weight, arbitrary }) => ({ weight: weight * 4, arbitrary })),
  { weight: 1, arbitrary: simple("goaway", "goaway", "cut", "close") },
];

/** @returns how many streams were evicted in all runs, and how many MiB delivered: a property that never gets deep proves nothing */
async function property(
  weights: ReadonlyArray<fc.WeightedArbitrary<Command>>,
  budgetBytes: number,
  numRuns: number,
): Promise<{ readonly evicted: number; readonly deliveredMib: number }> {
  let evicted = 0;
  let deliveredBytes = 0;
  const commands = fc.array(fc.oneof(...weights), { minLength: 1, maxLength: 150, size: "max" });
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const world = new World(budgetBytes);
      for (const command of list) await run(world, command);
      await settle(world);
      check(world, budgetBytes < 1 << 20);
      for (const half of world.all) deliveredBytes += half.receivedBytes;
      evicted += world.budgets.relay.evictions + world.budgets.connector.evictions;
      world.ends[0].cut();
      expect([world.causes.relay.length, world.causes.connector.length, world.clock.pendingTimers]).toEqual([1, 1, 0]);
    }),
    { numRuns },
  );
  return { evicted, deliveredMib: Math.floor(deliveredBytes / (1 << 20)) };
}

it.each([
  ["delivers every byte of every stream while nobody resets anything", peaceful],
  ["delivers every byte or resets the stream when owners reset", withResets],
  ["delivers every byte or resets the stream when connections drain, close and break", withEnds],
] as const)("%s", async (_title, weights) => {
  const { evicted, deliveredMib } = await property(weights, 64 << 20, 250);
  expect(evicted).toBe(0);
  expect(deliveredMib).toBeGreaterThan(0);
});

it("evicts stalled streams and nothing else while the budget is spent all the time", async () => {
  const { evicted } = await property([...withResets, { weight: 12, arbitrary: simple("stop") }], 3_000, 250);
  expect(evicted).toBeGreaterThan(20);
});
