import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LONE_QUANTUM_BYTES, QUANTUM_BYTES, TurnScheduler, type Turn, type TurnResult } from "./scheduler.ts";

const FRAME_BYTES = 65_536;

/** Has `left` bytes to send in pieces of `pieceBytes`, like a stream with chunks of one size. */
class Source implements Turn {
  deficitBytes = 0;
  scheduled = false;
  sent = 0;
  readonly pieceBytes: number;
  left: number;

  constructor(left: number, pieceBytes: number) {
    this.left = left;
    this.pieceBytes = pieceBytes;
  }

  take(allowanceBytes: number): TurnResult {
    let sentBytes = 0;
    while (sentBytes < allowanceBytes && this.left > 0) {
      const piece = Math.min(this.pieceBytes, this.left);
      this.left -= piece;
      sentBytes += piece;
    }
    this.sent += sentBytes;
    return { sentBytes, more: this.left > 0 };
  }
}

describe("turn scheduler", () => {
  it("gives every stream the same share within one frame, whatever the size of its chunks", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: FRAME_BYTES }), { minLength: 2, maxLength: 12 }),
        fc.integer({ min: 20, max: 400 }),
        (pieces, turns) => {
          const scheduler = new TurnScheduler();
          const sources = pieces.map((piece) => new Source(Number.MAX_SAFE_INTEGER, piece));
          for (const source of sources) scheduler.add(source);
          for (let turn = 0; turn < turns * sources.length; turn++) scheduler.runTurn();
          const shares = sources.map((source) => source.sent);
          expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(2 * FRAME_BYTES + LONE_QUANTUM_BYTES);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("lets a small answer through after at most one turn of each stream before it", () => {
    const scheduler = new TurnScheduler();
    const downloads = Array.from({ length: 8 }, () => new Source(Number.MAX_SAFE_INTEGER, FRAME_BYTES));
    for (const download of downloads) scheduler.add(download);
    for (let turn = 0; turn < 100; turn++) scheduler.runTurn();
    const small = new Source(100, 100);
    scheduler.add(small);
    const before = downloads.reduce((sum, download) => sum + download.sent, 0);
    while (small.left > 0) scheduler.runTurn();
    expect(downloads.reduce((sum, download) => sum + download.sent, 0) - before).toBeLessThanOrEqual(8 * (QUANTUM_BYTES + FRAME_BYTES));
  });

  it("forgets a stream that has nothing left and takes it back later", () => {
    const scheduler = new TurnScheduler();
    const source = new Source(10, 10);
    scheduler.add(source);
    scheduler.add(source);
    expect(scheduler.waiting).toBe(1);
    expect(scheduler.runTurn()).toBe(10);
    expect(scheduler.waiting).toBe(0);
    expect(scheduler.runTurn()).toBe(0);
    source.left = 5;
    scheduler.add(source);
    expect(scheduler.runTurn()).toBe(5);
  });
});
