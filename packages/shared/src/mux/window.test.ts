import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_CREDIT_BYTES } from "../protocol/frame.ts";
import { addCredit, INITIAL_STREAM_WINDOW_BYTES, MAX_STREAM_WINDOW_BYTES, ReceiveWindow } from "./window.ts";

/** A sender and a receiver that exchange everything at once: every half window is drained within a round trip. */
function drain(window: ReceiveWindow, bytes: number, atMs: number, roundTripMs: number, pressure = 0): number {
  expect(window.receive(bytes)).toBe(true);
  return window.consume(bytes) ? window.grant(atMs, roundTripMs, pressure) : 0;
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
    for (let round = 0; round < 12; round++) drain(window, window.sizeBytes / 2, 100 + round, 60, 0.6);
    expect(window.sizeBytes).toBe(INITIAL_STREAM_WINDOW_BYTES);
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
          for (const { share, stepMs, pressure } of steps) {
            const received = Math.floor(credit * share);
            expect(window.receive(received)).toBe(true);
            credit -= received;
            unconsumed += received;
            const consumed = Math.floor(unconsumed * share);
            unconsumed -= consumed;
            if (window.consume(consumed)) credit += window.grant((nowMs += stepMs), 50, pressure);
            largest = Math.max(largest, window.sizeBytes);
            expect(credit + unconsumed).toBeLessThanOrEqual(largest);
            expect(window.sizeBytes).toBeGreaterThanOrEqual(INITIAL_STREAM_WINDOW_BYTES);
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
