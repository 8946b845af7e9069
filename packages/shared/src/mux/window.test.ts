import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_CREDIT_BYTES } from "../protocol/frame.ts";
import {
  addCredit,
  INITIAL_STREAM_WINDOW_BYTES,
  MAX_STREAM_WINDOW_BYTES,
  MIN_STREAM_WINDOW_BYTES,
  ReceiveWindow,
  type WindowRoom,
} from "./window.ts";

const AMPLE: WindowRoom = { pressure: 0, windowRoomBytes: Number.MAX_SAFE_INTEGER, windowShareBytes: Number.MAX_SAFE_INTEGER };

/** A sender and a receiver that exchange everything at once: every half window is drained within a round trip. */
function drain(window: ReceiveWindow, bytes: number, atMs: number, roundTripMs: number, room: Partial<WindowRoom> = {}): number {
  expect(window.receive(bytes)).toBe(true);
  return window.consume(bytes) ? window.grant(atMs, roundTripMs, { ...AMPLE, ...room }) : 0;
}

describe("stream window", () => {
  it("grants nothing before half of it is consumed, then all of that", () => {
    const window = new ReceiveWindow();
    expect(drain(window, INITIAL_STREAM_WINDOW_BYTES / 2 - 1, 0, 1)).toBe(0);
    expect(drain(window, 1, 0, 1)).toBe(INITIAL_STREAM_WINDOW_BYTES / 2);
  });

  it("doubles while half windows are drained within two round trips, up to 16 MiB", () => {
    const window = new ReceiveWindow();
    for (let round = 0; round < 20; round++) drain(window, window.sizeBytes / 2, round * 60, 60);
    expect(window.sizeBytes).toBe(MAX_STREAM_WINDOW_BYTES);
  });

  it("keeps its size when the source, not the credit, is the limit", () => {
    const window = new ReceiveWindow();
    for (let round = 0; round < 20; round++) drain(window, window.sizeBytes / 2, round * 1_000, 60);
    expect(window.sizeBytes).toBe(INITIAL_STREAM_WINDOW_BYTES);
  });

  it("shrinks back to its start under memory pressure (R-L6)", () => {
    const window = new ReceiveWindow();
    for (let round = 0; round < 6; round++) drain(window, window.sizeBytes / 2, round, 60);
    expect(window.sizeBytes).toBeGreaterThan(INITIAL_STREAM_WINDOW_BYTES);
    for (let round = 0; round < 12; round++) drain(window, window.sizeBytes / 2, 100 + round, 60, { pressure: 0.6 });
    expect(window.sizeBytes).toBe(INITIAL_STREAM_WINDOW_BYTES);
  });

  it("grows only as far as there is room for it", () => {
    const window = new ReceiveWindow();
    for (let round = 0; round < 6; round++)
      drain(window, window.sizeBytes / 2, round, 60, { windowRoomBytes: 2 * INITIAL_STREAM_WINDOW_BYTES });
    expect(window.sizeBytes).toBe(4 * INITIAL_STREAM_WINDOW_BYTES);
  });

  it("shrinks to its share, but not below 16 KiB, where all of them together are too large (T13)", () => {
    for (const [windowShareBytes, expected] of [
      [4 * INITIAL_STREAM_WINDOW_BYTES, INITIAL_STREAM_WINDOW_BYTES],
      [2 * MIN_STREAM_WINDOW_BYTES, 2 * MIN_STREAM_WINDOW_BYTES],
      [MIN_STREAM_WINDOW_BYTES, MIN_STREAM_WINDOW_BYTES],
    ] as const) {
      const window = new ReceiveWindow();
      let grantedBytes = 0;
      let consumedBytes = 0;
      for (let round = 0; round < 12; round++) {
        consumedBytes += window.sizeBytes / 2;
        grantedBytes += drain(window, window.sizeBytes / 2, round, 60, { windowRoomBytes: -1, windowShareBytes });
      }
      expect(window.sizeBytes).toBe(expected);
      // The difference was withheld from what was granted again.
      expect(grantedBytes).toBe(consumedBytes - (INITIAL_STREAM_WINDOW_BYTES - expected));
    }
  });

  it("reports bytes beyond the credit", () => {
    expect(new ReceiveWindow().receive(INITIAL_STREAM_WINDOW_BYTES + 1)).toBe(false);
  });

  it("never lets the outstanding credit pass the window, whatever the order of receiving, consuming and pressure", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            share: fc.double({ min: 0, max: 1, noNaN: true }),
            stepMs: fc.nat(200),
            pressure: fc.double({ min: 0, max: 1.2, noNaN: true }),
            windowRoomBytes: fc.integer({ min: -1_000_000, max: 1_000_000 }),
            windowShareBytes: fc.constantFrom(1, 2, 3, 4, 8, 100).map((steps) => steps * MIN_STREAM_WINDOW_BYTES),
          }),
          {
            maxLength: 200,
          },
        ),
        (steps) => {
          const window = new ReceiveWindow();
          let credit = INITIAL_STREAM_WINDOW_BYTES;
          let largest = INITIAL_STREAM_WINDOW_BYTES;
          let unconsumed = 0;
          let nowMs = 0;
          for (const { share, stepMs, ...room } of steps) {
            const received = Math.floor(credit * share);
            expect(window.receive(received)).toBe(true);
            credit -= received;
            unconsumed += received;
            const consumed = Math.floor(unconsumed * share);
            unconsumed -= consumed;
            if (window.consume(consumed)) credit += window.grant((nowMs += stepMs), 50, room);
            largest = Math.max(largest, window.sizeBytes);
            expect(credit + unconsumed).toBeLessThanOrEqual(largest);
            expect(window.sizeBytes).toBeGreaterThanOrEqual(MIN_STREAM_WINDOW_BYTES);
            // A sender that waits for this much gets it once all is consumed, so it never waits for ever (mux-stream.ts).
            if (unconsumed === 0) expect(credit).toBeGreaterThan(MIN_STREAM_WINDOW_BYTES / 2 - 1);
          }
        },
      ),
    );
  });
});

describe("credit", () => {
  it("overflows above 2^31 - 1", () => {
    expect(addCredit(MAX_CREDIT_BYTES - 1, 1)).toBe(MAX_CREDIT_BYTES);
    expect(addCredit(MAX_CREDIT_BYTES, 1)).toBeUndefined();
  });
});
