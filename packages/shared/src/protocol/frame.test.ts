import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CloseCode, GoawayReason, PERMANENT_GOAWAY_REASONS, ResetCode } from "./codes.ts";
import * as frame from "./frame.ts";
import { encodeFrame, FrameType, markFrameEnd, readFrames, writeFrameHeader } from "./frame.ts";
import { ProtocolViolation, VIOLATION_CODES } from "./violation.ts";

const SPECIFICATION = readFileSync(new URL("../../../../docs/protocol.md", import.meta.url), "utf8");

interface Seen {
  readonly type: number;
  readonly end: boolean;
  readonly streamId: number;
  readonly payload: string;
}

function read(message: Buffer): Seen[] {
  const seen: Seen[] = [];
  readFrames(message, {
    onFrame: (type, end, streamId, bytes, start, stop) =>
      seen.push({ type, end, streamId, payload: bytes.toString("latin1", start, stop) }),
  });
  return seen;
}

function violation(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolViolation) return error.code;
    throw error;
  }
  return "none";
}

describe("numbers of the wire", () => {
  it("has these frame types for ever", () => {
    expect(FrameType).toEqual({
      CHALLENGE: 0x01,
      PROOF: 0x02,
      HELLO: 0x03,
      KEYS: 0x04,
      OPEN: 0x05,
      HEAD: 0x06,
      DATA: 0x07,
      END: 0x08,
      RESET: 0x09,
      WINDOW: 0x0a,
      PING: 0x0b,
      PONG: 0x0c,
      GOAWAY: 0x0d,
      ASSERTION: 0x0e,
    });
    expect(frame.FIRST_EXTENSION_TYPE).toBe(0x80);
  });

  it("has these reset codes, goaway reasons and close codes for ever", () => {
    expect(ResetCode).toEqual({
      CANCEL: 0x00,
      REFUSED: 0x01,
      INTERNAL: 0x02,
      STREAM_PROTOCOL: 0x03,
      OVERLOAD: 0x04,
      REVOKED: 0x05,
      IDLE_TIMEOUT: 0x06,
      SERVICE_UNKNOWN: 0x10,
      ASSERTION_REFUSED: 0x11,
      ORIGIN_UNREACHABLE: 0x12,
      ORIGIN_CONNECT_TIMEOUT: 0x13,
      ORIGIN_HEADER_TIMEOUT: 0x14,
      ORIGIN_TLS: 0x15,
      ORIGIN_CLOSED: 0x16,
      ORIGIN_PROTOCOL: 0x17,
      REQUEST_INVALID: 0x18,
      CONNECTION_LOST: 0xffff,
    });
    expect(GoawayReason).toEqual({
      SHUTDOWN: 0,
      EXHAUSTED: 1,
      CREDENTIAL_REVOKED: 2,
      CREDENTIAL_UNKNOWN: 3,
      TUNNEL_REMOVED: 4,
      PROTOCOL_ERROR: 5,
      VERSION: 6,
      HOSTNAME_NOT_GRANTED: 7,
      OVERLOAD: 8,
    });
    expect([...PERMANENT_GOAWAY_REASONS].toSorted()).toEqual([2, 3, 4, 6, 7]);
    expect(CloseCode).toEqual({
      NORMAL: 1000,
      GOING_AWAY: 1001,
      POLICY_VIOLATION: 1008,
      PROTOCOL_ERROR: 4000,
      AUTHENTICATION_FAILED: 4001,
      HANDSHAKE_TIMEOUT: 4002,
      LIVENESS_TIMEOUT: 4003,
    });
  });

  it("has these names and limits", () => {
    expect(frame.PROTOCOL_V1).toBe("sallyport.v1");
    expect(frame.TUNNEL_PATH).toBe("/.sallyport/tunnel");
    expect(frame.FRAME_HEADER_BYTES).toBe(8);
    expect(frame.MAX_FRAME_PAYLOAD_BYTES).toBe(262_144);
    expect(frame.MAX_MESSAGE_BYTES).toBe(1_048_576);
    expect(frame.MAX_STREAM_ID).toBe(2_147_483_647);
    expect(frame.MAX_CREDIT_BYTES).toBe(2_147_483_647);
    expect(frame.MAX_RESET_TEXT_BYTES).toBe(200);
    expect(frame.MAX_GOAWAY_TEXT_BYTES).toBe(1_024);
    expect(frame.MAX_ASSERTION_NUMBER).toBe(4_096);
    expect(frame.MAX_ASSERTION_BYTES).toBe(8_192);
    expect(frame.MAX_INTERIM_HEADS).toBe(8);
  });

  it("says in the specification what the code says: types, codes, reasons, violations", () => {
    const rows = new Set([...SPECIFICATION.matchAll(/^\| (0x[0-9a-f]{2}) \| ([A-Z_]+) \|/gm)].map((row) => `${row[1]} ${row[2]}`));
    const hex = (value: number): string => `0x${value.toString(16).padStart(2, "0")}`;
    const { CONNECTION_LOST: _local, ...onTheWire } = ResetCode;
    const implemented = [FrameType, onTheWire, GoawayReason].flatMap((table) =>
      Object.entries(table).map(([name, value]) => `${hex(value)} ${name}`),
    );
    expect([...rows].toSorted()).toEqual(implemented.toSorted());
    const violations = [...SPECIFICATION.matchAll(/^\| (ERR_PROTOCOL_[A-Z_]+) \|/gm)].map((row) => row[1]);
    expect(violations).toEqual([...VIOLATION_CODES]);
  });
});

describe("frames", () => {
  it("lays out type, 24-bit length, E and 31-bit stream id in eight bytes, big-endian", () => {
    expect(encodeFrame(FrameType.DATA, 0x7fff_fffe, Buffer.from("ab"), true).toString("hex")).toBe("07000002fffffffe6162");
    const large = Buffer.alloc(8);
    writeFrameHeader(large, 0, FrameType.DATA, 0x03_ff02, false, 0x0102_0304);
    expect(large.toString("hex")).toBe("0703ff0201020304");
    markFrameEnd(large, 0);
    expect(large.toString("hex")).toBe("0703ff0281020304");
  });

  it("reads back any sequence of frames", () => {
    const one = fc.record({
      type: fc.integer({ min: 0, max: 255 }),
      end: fc.boolean(),
      streamId: fc.integer({ min: 0, max: frame.MAX_STREAM_ID }),
      payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    });
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 20 }), (frames) => {
        const message = Buffer.concat(
          frames.map(({ type, end, streamId, payload }) => encodeFrame(type, streamId, Buffer.from(payload, "latin1"), end)),
        );
        expect(read(message)).toEqual(frames);
      }),
    );
  });

  it("takes a message cut anywhere but between two frames for truncated", () => {
    const message = Buffer.concat([encodeFrame(FrameType.PING, 0, Buffer.alloc(8)), encodeFrame(FrameType.DATA, 1, Buffer.alloc(5))]);
    for (let size = 0; size < message.length; size++) {
      expect(violation(() => read(message.subarray(0, size)))).toBe(size === 16 ? "none" : "ERR_PROTOCOL_FRAME_TRUNCATED");
    }
  });

  it("checks the length against the limit first, so that a claimed size costs nothing (R-K7)", () => {
    expect(violation(() => read(Buffer.from("07ffffff00000001", "hex")))).toBe("ERR_PROTOCOL_FRAME_TOO_LARGE");
    expect(violation(() => read(Buffer.from("0704000100000001", "hex")))).toBe("ERR_PROTOCOL_FRAME_TOO_LARGE");
    expect(violation(() => read(Buffer.from("0704000000000001", "hex")))).toBe("ERR_PROTOCOL_FRAME_TRUNCATED");
    expect(() => encodeFrame(FrameType.DATA, 1, Buffer.alloc(frame.MAX_FRAME_PAYLOAD_BYTES + 1))).toThrow(RangeError);
  });

  it("delivers the frames before a broken one", () => {
    const seen: number[] = [];
    const message = Buffer.concat([encodeFrame(FrameType.PING, 0, Buffer.alloc(8)), Buffer.from([1, 2, 3])]);
    expect(violation(() => readFrames(message, { onFrame: (type) => seen.push(type) }))).toBe("ERR_PROTOCOL_FRAME_TRUNCATED");
    expect(seen).toEqual([FrameType.PING]);
  });

  it("throws nothing but violations, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect([...VIOLATION_CODES, "none"]).toContain(violation(() => read(Buffer.from(bytes))));
      }),
      { numRuns: 2_000 },
    );
  });
});
