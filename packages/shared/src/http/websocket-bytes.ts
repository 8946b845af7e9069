// Raw bytes over a WebSocket (RFC 6455), for TCP services (T19, docs/protocol.md section 9): binary messages are the bytes,
// whatever their borders; an empty one is the end of one direction, since WebSocket itself has no half-close. Both ends use
// this. Streams payloads through as they arrive and keeps at most one control frame. Must not know sockets.

import { randomFillSync } from "node:crypto";

/** Subprotocol and version of this use of WebSocket. */
export const TCP_PROTOCOL_V1 = "sallyport-tcp.v1";
/** Where an application's host takes such connections. */
export const TCP_PATH = "/.sallyport/tcp";

/** RFC 6455 section 7.4.1. */
export const WebSocketClose = { NORMAL: 1000, GOING_AWAY: 1001, PROTOCOL_ERROR: 1002, POLICY: 1008, INTERNAL: 1011 } as const;

const FINAL = 0x80;
const RESERVED_BITS = 0x70;
const OPCODE_BITS = 0x0f;
const MASKED = 0x80;
const LENGTH_BITS = 0x7f;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BYTES = 4;
const MAX_CONTROL_BYTES = 125;
const MAX_HEADER_BYTES = 14;
const NO_STATUS = 1005;

const Opcode = { CONTINUATION: 0, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

export type FrameOpcode = "data" | "ping" | "pong";
const OPCODE_OF: Readonly<Record<FrameOpcode, number>> = { data: Opcode.BINARY, ping: Opcode.PING, pong: Opcode.PONG };

/** How the frames of one side look: a client's are masked, with zeros where TLS protects what masking is for (section 10.3). */
export type FrameMask = "none" | "zero" | "random";

/** Told of what the peer sends, in order. */
export interface WebSocketBytesHandler {
  onBytes(chunk: Uint8Array): void;
  /** The peer sends no more bytes. */
  onEnd(): void;
  onPing(payload: Uint8Array): void;
  /** 1005: without a code. Nothing follows. */
  onClose(code: number, reason: string): void;
}

/** The bytes of one frame. @param payload at most 125 bytes for ping and pong */
export function encodeFrame(opcode: FrameOpcode, payload: Uint8Array, mask: FrameMask): Uint8Array {
  return encode(OPCODE_OF[opcode], payload, mask);
}

/** Ends one direction: an empty message. */
export function encodeEnd(mask: FrameMask): Uint8Array {
  return encode(Opcode.BINARY, new Uint8Array(0), mask);
}

/** @param reason at most 123 bytes of UTF-8 */
export function encodeClose(code: number, reason: string, mask: FrameMask): Uint8Array {
  const text = Buffer.from(reason, "utf8");
  const payload = Buffer.allocUnsafe(2 + text.length);
  payload.writeUInt16BE(code, 0);
  text.copy(payload, 2);
  return encode(Opcode.CLOSE, payload, mask);
}

function encode(opcode: number, payload: Uint8Array, mask: FrameMask): Uint8Array {
  const { length } = payload;
  const extended = length < LENGTH_16 ? 0 : length <= 0xffff ? 2 : 8;
  const maskAt = 2 + extended;
  const payloadAt = maskAt + (mask === "none" ? 0 : MASK_BYTES);
  const frame = Buffer.allocUnsafe(payloadAt + length);
  frame[0] = FINAL | opcode;
  frame[1] = (mask === "none" ? 0 : MASKED) | (extended === 0 ? length : extended === 2 ? LENGTH_16 : LENGTH_64);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  else if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, payloadAt);
  if (mask === "zero") frame.fill(0, maskAt, payloadAt);
  else if (mask === "random") {
    randomFillSync(frame, maskAt, MASK_BYTES);
    applyMask(frame.subarray(payloadAt), frame.subarray(maskAt, payloadAt), 0);
  }
  return frame;
}

/** Reads one side's frames. Every violation ends it: {@link push} says what was wrong, once, and ignores all that follows. */
export class WebSocketBytesReader {
  readonly #handler: WebSocketBytesHandler;
  readonly #masked: boolean;
  readonly #header = Buffer.alloc(MAX_HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes of the current payload that are still to come; only while `#inPayload`. */
  #left = 0;
  #inPayload = false;
  #offset = 0;
  #opcode = 0;
  #control = Buffer.alloc(0);
  /** A message of several frames is under way. */
  #fragmented = false;
  #ended = false;
  #over = false;

  /** @param masked whether the peer is a client (section 5.1) */
  constructor(masked: boolean, handler: WebSocketBytesHandler) {
    this.#masked = masked;
    this.#handler = handler;
  }

  /** @returns what is wrong with the peer's frames; undefined: nothing */
  push(chunk: Uint8Array): string | undefined {
    let at = 0;
    while (at < chunk.length && !this.#over) {
      if (this.#inPayload) {
        const step = Math.min(this.#left, chunk.length - at);
        this.#payload(chunk.subarray(at, at + step));
        at += step;
        continue;
      }
      this.#header[this.#headerBytes++] = chunk[at++] as number;
      if (this.#headerBytes < this.#headerLength()) continue;
      const problem = this.#startFrame();
      if (problem === undefined) continue;
      this.#over = true;
      return problem;
    }
    return undefined;
  }

  #headerLength(): number {
    if (this.#headerBytes < 2) return 2;
    const second = this.#header[1] as number;
    const length = second & LENGTH_BITS;
    return 2 + (length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0) + ((second & MASKED) === 0 ? 0 : MASK_BYTES);
  }

  #startFrame(): string | undefined {
    const [first, second] = [this.#header[0] as number, this.#header[1] as number];
    const final = (first & FINAL) !== 0;
    const opcode = first & OPCODE_BITS;
    const short = second & LENGTH_BITS;
    if ((first & RESERVED_BITS) !== 0) return "reserved bits";
    if (((second & MASKED) !== 0) !== this.#masked) return this.#masked ? "frame without mask" : "masked frame";
    const length =
      short === LENGTH_16 ? this.#header.readUInt16BE(2) : short === LENGTH_64 ? Number(this.#header.readBigUInt64BE(2)) : short;
    if (!Number.isSafeInteger(length)) return "frame too long";
    if (opcode >= Opcode.CLOSE) {
      if (!final || length > MAX_CONTROL_BYTES) return "control frame too long";
      if (opcode > Opcode.PONG) return "unknown opcode";
    } else {
      if (opcode !== Opcode.BINARY && opcode !== Opcode.CONTINUATION) return "message is not binary";
      if ((opcode === Opcode.CONTINUATION) !== this.#fragmented) return "frames out of order";
      if (this.#ended) return "bytes after the end";
      this.#fragmented = !final;
    }
    this.#begin(opcode, length, final);
    return undefined;
  }

  #begin(opcode: number, length: number, final: boolean): void {
    this.#opcode = opcode;
    this.#left = length;
    this.#offset = 0;
    this.#control = Buffer.alloc(0);
    this.#inPayload = length > 0;
    if (length > 0) return;
    this.#headerBytes = 0;
    if (opcode === Opcode.BINARY && final) {
      this.#ended = true;
      this.#handler.onEnd();
    } else if (opcode >= Opcode.CLOSE) this.#controlFrame();
  }

  #payload(part: Uint8Array): void {
    const bytes = this.#unmasked(part);
    this.#left -= part.length;
    this.#offset += part.length;
    this.#inPayload = this.#left > 0;
    if (!this.#inPayload) this.#headerBytes = 0;
    if (this.#opcode < Opcode.CLOSE) return this.#handler.onBytes(bytes);
    this.#control = Buffer.concat([this.#control, bytes]);
    if (!this.#inPayload) this.#controlFrame();
  }

  #unmasked(part: Uint8Array): Uint8Array {
    if (!this.#masked) return part;
    const length = (this.#header[1] as number) & LENGTH_BITS;
    const maskAt = 2 + (length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0);
    const mask = this.#header.subarray(maskAt, maskAt + MASK_BYTES);
    if (mask.readUInt32BE(0) === 0) return part;
    // A copy: who else looks at the received chunk is not known here.
    const bytes = Buffer.from(part);
    applyMask(bytes, mask, this.#offset);
    return bytes;
  }

  #controlFrame(): void {
    const payload = this.#control;
    if (this.#opcode === Opcode.PING) return this.#handler.onPing(payload);
    if (this.#opcode === Opcode.PONG) return;
    this.#over = true;
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : NO_STATUS;
    this.#handler.onClose(code, payload.subarray(2).toString("utf8"));
  }
}

function applyMask(bytes: Uint8Array, mask: Uint8Array, offset: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ (mask[(offset + i) & 3] as number);
}
