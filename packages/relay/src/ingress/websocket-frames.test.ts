import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closeFrame, WebSocketFrameFollower } from "./websocket-frames.ts";

function frame(payloadBytes: number, masked: boolean, form: 7 | 16 | 64): Buffer {
  const mask = masked ? 0x80 : 0;
  const head =
    form === 7
      ? [0x82, mask | payloadBytes]
      : form === 16
        ? [0x82, mask | 126, payloadBytes >> 8, payloadBytes & 0xff]
        : [0x82, mask | 127, 0, 0, 0, 0, 0, 0, payloadBytes >> 8, payloadBytes & 0xff];
  // A payload that looks like frame headers must not be read as such.
  return Buffer.concat([Buffer.from(head), masked ? Buffer.from([1, 2, 3, 4]) : Buffer.alloc(0), Buffer.alloc(payloadBytes, 0x82)]);
}

const anyFrame = fc
  .record({
    payloadBytes: fc.oneof(fc.integer({ min: 0, max: 130 }), fc.integer({ min: 0, max: 3_000 })),
    masked: fc.boolean(),
    form: fc.constantFrom(7 as const, 16 as const, 64 as const),
  })
  .map(({ payloadBytes, masked, form }) => frame(payloadBytes, masked, form === 7 && payloadBytes > 125 ? 16 : form));

describe("the follower of WebSocket frames", () => {
  it("is at a boundary exactly between frames, however the bytes are split", () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }),
        (frames, steps) => {
          const bytes = Buffer.concat(frames);
          const boundaries = new Set([0]);
          let at = 0;
          for (const one of frames) boundaries.add((at += one.length));
          const follower = new WebSocketFrameFollower();
          for (let position = 0, turn = 0; position < bytes.length; turn++) {
            expect(follower.atBoundary).toBe(boundaries.has(position));
            const step = Math.min(steps[turn % steps.length] as number, bytes.length - position);
            follower.push(bytes.subarray(position, position + step));
            position += step;
          }
          expect(follower.atBoundary).toBe(true);
        },
      ),
    );
  });

  it("counts lengths beyond 32 bits exactly", () => {
    const follower = new WebSocketFrameFollower();
    follower.push(Buffer.from([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]));
    const chunk = new Uint8Array(2 ** 20);
    for (let i = 0; i < 4_095; i++) follower.push(chunk);
    follower.push(chunk.subarray(1));
    expect(follower.atBoundary).toBe(false);
    follower.push(chunk.subarray(0, 1));
    expect(follower.atBoundary).toBe(true);
  });

  it("never claims a boundary again after a length that no number holds", () => {
    const follower = new WebSocketFrameFollower();
    follower.push(Buffer.from([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]));
    follower.push(Buffer.from([0x82, 0]));
    expect(follower.atBoundary).toBe(false);
  });

  it("starts at a boundary, and its close frame is one unmasked frame", () => {
    const follower = new WebSocketFrameFollower();
    expect(follower.atBoundary).toBe(true);
    const close = closeFrame(1008, "signed out");
    expect(Buffer.from(close).toString("latin1")).toBe("\x88\x0c\x03\xf0signed out");
    follower.push(close);
    expect(follower.atBoundary).toBe(true);
    expect(() => closeFrame(1008, "é".repeat(62))).toThrow(/123 bytes/);
    expect(() => closeFrame(999, "")).toThrow(/1000/);
  });
});
