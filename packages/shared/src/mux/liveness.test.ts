import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock.ts";
import { Liveness, LIVENESS_TICK_MS } from "./liveness.ts";

class Bench {
  readonly clock = new ManualClock();
  readonly pings: Buffer[] = [];
  readonly liveness: Liveness;
  busy = false;
  arrivingBytes = 0;
  deadAtMs: number | undefined;

  constructor() {
    this.liveness = new Liveness(this.clock, this);
    this.liveness.start();
  }

  sendPing(payload: Buffer): void {
    this.pings.push(payload);
  }

  onDead(): void {
    this.deadAtMs = this.clock.monotonic();
    this.liveness.stop();
  }

  /** The peer is heard every half second for so long. */
  talk(forMs: number): void {
    for (let atMs = 0; atMs < forMs; atMs += 500) {
      this.liveness.heard();
      this.clock.advance(500);
    }
    this.liveness.heard();
  }
}

/** One timer at a time, which fires as late as one likes. */
class LateClock extends ManualClock {
  #task: (() => void) | undefined;
  #lateMs = 0;

  override monotonic(): number {
    return this.#lateMs;
  }

  override after(_delayMs: number, task: () => void): { cancel(): void } {
    this.#task = task;
    return { cancel: () => (this.#task = undefined) };
  }

  fire(afterMs: number): void {
    this.#lateMs += afterMs;
    const task = this.#task;
    this.#task = undefined;
    task?.();
  }
}

describe("liveness", () => {
  it("takes a message that is still arriving for life, however slow the line (64 kbit/s), and its standstill for silence", () => {
    const bench = new Bench();
    bench.talk(3_000);
    for (let i = 0; i < 60; i++) {
      bench.arrivingBytes += 8_000;
      bench.clock.advance(1_000);
    }
    expect(bench.deadAtMs).toBeUndefined();
    const fromMs = bench.clock.monotonic();
    bench.clock.advance(20_000);
    expect((bench.deadAtMs ?? Infinity) - fromMs).toBeLessThanOrEqual(14_000);
  });

  it("notices a peer that falls silent at any moment within 14 s, and not before 8 s (R-L8)", () => {
    for (let talkMs = 0; talkMs <= 9_000; talkMs += 500) {
      const bench = new Bench();
      bench.talk(talkMs);
      bench.clock.advance(60_000);
      expect(bench.deadAtMs).toBeGreaterThanOrEqual(talkMs + 8_000);
      expect(bench.deadAtMs).toBeLessThanOrEqual(talkMs + 14_000);
      expect(bench.clock.pendingTimers).toBe(0);
    }
  });

  it("keeps a peer that answers, however idle the connection", () => {
    const bench = new Bench();
    for (let i = 0; i < 1_000; i++) {
      bench.clock.advance(LIVENESS_TICK_MS);
      const ping = bench.pings.at(-1);
      if (ping !== undefined) {
        bench.liveness.heard();
        bench.liveness.pong(ping);
      }
    }
    expect(bench.deadAtMs).toBeUndefined();
    bench.liveness.stop();
  });

  it("pings a silent peer at every look, a talking one only while streams are open", () => {
    const bench = new Bench();
    expect(bench.pings).toHaveLength(1);
    bench.talk(12_000);
    expect(bench.pings).toHaveLength(1);
    bench.busy = true;
    bench.talk(12_000);
    expect(bench.pings).toHaveLength(5);
    bench.busy = false;
    bench.clock.advance(2 * LIVENESS_TICK_MS);
    expect(bench.pings).toHaveLength(6);
    bench.liveness.stop();
  });

  it("does not take a pause of its own process for the peer's silence", () => {
    const bench = new Bench();
    bench.liveness.stop();
    // Stopped for a minute: the timer fires late, once, before what waits in the socket has been read.
    const late = new LateClock();
    const liveness = new Liveness(late, bench);
    liveness.start();
    late.fire(60_000);
    expect(bench.deadAtMs).toBeUndefined();
    liveness.heard();
    for (let i = 0; i < 3; i++) late.fire(3_000);
    expect(bench.deadAtMs).toBeUndefined();
    late.fire(3_000);
    expect(bench.deadAtMs).toBeDefined();
  });

  it("measures the round trip, smoothed, and believes only the answer to its last ping", () => {
    const bench = new Bench();
    const [first] = bench.pings as [Buffer];
    bench.clock.advance(40);
    bench.liveness.pong(first);
    expect(bench.liveness.roundTripMs).toBe(40);
    bench.liveness.pong(first);
    expect(bench.liveness.roundTripMs).toBe(40);
    bench.busy = true;
    bench.liveness.heard();
    bench.clock.advance(LIVENESS_TICK_MS);
    const second = bench.pings.at(-1) as Buffer;
    bench.liveness.pong(Buffer.alloc(8, 0xff));
    bench.liveness.pong(first);
    expect(bench.liveness.roundTripMs).toBe(40);
    bench.clock.advance(80);
    bench.liveness.pong(second);
    expect(bench.liveness.roundTripMs).toBeGreaterThan(40);
    expect(bench.liveness.roundTripMs).toBeLessThan(90);
    bench.liveness.stop();
  });

  it("leaves no timer behind", () => {
    const bench = new Bench();
    bench.talk(10_000);
    bench.liveness.stop();
    expect(bench.clock.pendingTimers).toBe(0);
    bench.clock.advance(60_000);
    expect([bench.deadAtMs, bench.pings.length]).toEqual([undefined, 1]);
  });
});
