import { describe, expect, it } from "vitest";
import { BufferBudget, DEFAULT_BUDGET_BYTES, type Holder } from "./budget.ts";

/** A stream that holds bytes and gives them up when evicted. */
class Reader implements Holder {
  evicted = 0;
  unconsumedBytes = 0;
  stalledSinceMs: number;
  readonly #budget: BufferBudget;

  constructor(budget: BufferBudget, stalledSinceMs: number) {
    this.#budget = budget;
    this.stalledSinceMs = stalledSinceMs;
  }

  receive(bytes: number): void {
    this.unconsumedBytes += bytes;
    this.#budget.hold(bytes);
    this.#budget.stall(this);
  }

  consume(bytes: number): void {
    this.unconsumedBytes -= bytes;
    this.#budget.release(bytes);
    if (this.unconsumedBytes === 0) this.#budget.settle(this);
  }

  evict(): void {
    this.evicted++;
    this.#budget.release(this.unconsumedBytes);
    this.unconsumedBytes = 0;
  }
}

describe("buffer budget", () => {
  it("is 64 MiB", () => {
    expect(DEFAULT_BUDGET_BYTES).toBe(64 << 20);
    expect(new BufferBudget().limitBytes).toBe(64 << 20);
  });

  it("tells its pressure", () => {
    const budget = new BufferBudget(1_000);
    budget.hold(250);
    expect(budget.pressure).toBe(0.25);
    budget.release(250);
    expect([budget.pressure, budget.heldBytes]).toEqual([0, 0]);
  });

  it("shares a quarter of itself out between the windows in use, in steps of 16 KiB, and gets it back", () => {
    const budget = new BufferBudget(64 << 20);
    expect([budget.windowRoomBytes, budget.windowShareBytes]).toEqual([16 << 20, 16 << 20]);
    for (let i = 0; i < 500; i++) budget.windowUsed(65_536);
    expect([budget.windowRoomBytes, budget.windowShareBytes]).toEqual([(16 << 20) - 32_768_000, 32_768]);
    for (let i = 0; i < 500; i++) budget.windowResized(-32_768);
    expect(budget.windowRoomBytes).toBeGreaterThan(0);
    for (let i = 0; i < 9_000; i++) budget.windowUsed(65_536);
    expect(budget.windowShareBytes).toBe(16_384);
    for (let i = 0; i < 9_000; i++) budget.windowLeft(65_536);
    for (let i = 0; i < 500; i++) budget.windowLeft(32_768);
    expect([budget.windowRoomBytes, budget.windowShareBytes]).toEqual([16 << 20, 16 << 20]);
  });

  it("evicts nobody while it is just full", () => {
    const budget = new BufferBudget(1_000);
    const reader = new Reader(budget, 1);
    reader.receive(1_000);
    expect([reader.evicted, budget.evictions]).toEqual([0, 0]);
  });

  it("evicts whoever has stalled longest, not who came last or holds most, and only as many as it takes", () => {
    const budget = new BufferBudget(1_000);
    const readers = [5, 1, 9, 3].map((since) => new Reader(budget, since));
    for (const reader of readers) reader.receive(250);
    readers[2]?.receive(300);
    expect(readers.map((reader) => reader.evicted)).toEqual([0, 1, 0, 1]);
    expect([budget.evictions, budget.heldBytes]).toEqual([2, 800]);
  });

  it("never evicts a reader that has settled", () => {
    const budget = new BufferBudget(1_000);
    const fast = new Reader(budget, 1);
    fast.receive(100);
    fast.consume(100);
    const slow = new Reader(budget, 2);
    slow.receive(1_001);
    expect([fast.evicted, slow.evicted, budget.heldBytes]).toEqual([0, 1, 0]);
  });

  it("evicts the very reader that received, when it has stalled longest", () => {
    const budget = new BufferBudget(1_000);
    const reader = new Reader(budget, 1);
    reader.receive(600);
    reader.receive(600);
    expect([reader.evicted, budget.heldBytes]).toEqual([1, 0]);
  });

  it("ends when nobody is left to evict, although the rest is held by readers that do not stall", () => {
    const budget = new BufferBudget(1_000);
    budget.hold(5_000);
    const reader = new Reader(budget, 1);
    reader.receive(1);
    expect([reader.evicted, budget.heldBytes]).toEqual([1, 5_000]);
  });
});
