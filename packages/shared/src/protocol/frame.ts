// Frames of `sallyport.v1`: types, limits, and the eight bytes in front of every payload. Pure: knows bytes,
// not sockets or streams. docs/protocol.md section 2 is the specification; frame.test.ts pins the numbers.

import { ProtocolViolation } from "./violation.ts";

/** WebSocket subprotocol and version of this protocol. */
export const PROTOCOL_V1 = "sallyport.v1";
/** Path of the tunnel endpoint on the auth host. */
export const TUNNEL_PATH = "/.sallyport/tunnel";

/**
 * ```
 * | type (8) | payload length (24) |
 * |E| stream id (31)               |
 * | payload                        |
 * ```
 */
export const FRAME_HEADER_BYTES = 8;
/** Largest payload of any frame. */
export const MAX_FRAME_PAYLOAD_BYTES = 262_144;
/** Largest WebSocket message in either direction. */
export const MAX_MESSAGE_BYTES = 1_048_576;
/** Ids are 31 bits; the relay drains a connection before it gets here. */
export const MAX_STREAM_ID = 0x7fff_ffff;

export const FrameType = {
  /** nonce (32 bytes) */
  CHALLENGE: 0x01,
  /** connector nonce (32) · id length (8) · credential id · signature (64) */
  PROOF: 0x02,
  /** JSON object */
  HELLO: 0x03,
  /** compact JWS */
  KEYS: 0x04,
  /** see head.ts */
  OPEN: 0x05,
  /** see head.ts */
  HEAD: 0x06,
  /** body bytes */
  DATA: 0x07,
  /** empty, or a field block with trailers */
  END: 0x08,
  /** code (16) · HTTP/2 error code (32) · ASCII text */
  RESET: 0x09,
  /** credit (32) */
  WINDOW: 0x0a,
  /** 8 opaque bytes */
  PING: 0x0b,
  /** the 8 bytes of the PING */
  PONG: 0x0c,
  /** last stream id (32) · reason (16) · delay in ms (32) · UTF-8 text */
  GOAWAY: 0x0d,
  /** number (16) · token */
  ASSERTION: 0x0e,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** Types from here on are extensions, skipped by a receiver that does not know them. */
export const FIRST_EXTENSION_TYPE = 0x80;

/** Credit of a stream or connection never exceeds 31 bits. */
export const MAX_CREDIT_BYTES = 0x7fff_ffff;
/** Largest text in RESET and GOAWAY, in bytes. */
export const MAX_RESET_TEXT_BYTES = 200;
export const MAX_GOAWAY_TEXT_BYTES = 1_024;
/** Assertions: numbers 1 to this, tokens up to this many bytes. */
export const MAX_ASSERTION_NUMBER = 4_096;
export const MAX_ASSERTION_BYTES = 8_192;
/** Interim responses (1xx) before the final head of one stream. */
export const MAX_INTERIM_HEADS = 8;

/** Writes a frame header at `offset`. The caller has checked every range. */
export function writeFrameHeader(
  target: Uint8Array,
  offset: number,
  type: number,
  payloadBytes: number,
  end: boolean,
  streamId: number,
): void {
  target[offset] = type;
  target[offset + 1] = payloadBytes >>> 16;
  target[offset + 2] = payloadBytes >>> 8;
  target[offset + 3] = payloadBytes;
  target[offset + 4] = (streamId >>> 24) | (end ? 0x80 : 0);
  target[offset + 5] = streamId >>> 16;
  target[offset + 6] = streamId >>> 8;
  target[offset + 7] = streamId;
}

/** Sets the E bit of a frame already written at `offset`. */
export function markFrameEnd(target: Uint8Array, offset: number): void {
  target[offset + 4] = (target[offset + 4] as number) | 0x80;
}

/** One whole frame, for the handshake and tests. @throws RangeError when the payload is larger than a frame may be */
export function encodeFrame(type: number, streamId: number, payload: Uint8Array, end = false): Buffer {
  if (payload.length > MAX_FRAME_PAYLOAD_BYTES) throw new RangeError(`frame of ${payload.length} bytes`);
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(frame, 0, type, payload.length, end, streamId);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Receives the frames of one message; `payload` is a view of the message between the two offsets. */
export interface FrameSink {
  onFrame(type: number, end: boolean, streamId: number, message: Buffer, start: number, stop: number): void;
}

/**
 * Walks the frames of one message in order. Frames before a broken one are delivered.
 * @throws ProtocolViolation FRAME_TRUNCATED, FRAME_TOO_LARGE, or whatever the sink throws.
 */
export function readFrames(message: Buffer, sink: FrameSink): void {
  const size = message.length;
  if (size === 0) throw new ProtocolViolation("ERR_PROTOCOL_FRAME_TRUNCATED", "a message without a frame");
  let offset = 0;
  while (offset < size) {
    if (size - offset < FRAME_HEADER_BYTES)
      throw new ProtocolViolation("ERR_PROTOCOL_FRAME_TRUNCATED", "message ends inside a frame header");
    const first = message.readUInt32BE(offset);
    const second = message.readUInt32BE(offset + 4);
    const length = first & 0xff_ffff;
    if (length > MAX_FRAME_PAYLOAD_BYTES) throw new ProtocolViolation("ERR_PROTOCOL_FRAME_TOO_LARGE", `frame of ${length} bytes`);
    const start = offset + FRAME_HEADER_BYTES;
    const stop = start + length;
    if (stop > size) throw new ProtocolViolation("ERR_PROTOCOL_FRAME_TRUNCATED", "message ends inside a frame payload");
    sink.onFrame(first >>> 24, second >>> 31 === 1, second & MAX_STREAM_ID, message, start, stop);
    offset = stop;
  }
}
