// What OPEN and HEAD carry: parsed heads, never raw HTTP text, and their bytes (docs/protocol.md section 3).
// Layout: fixed numbers, then a table of lengths, then all text in one latin1 run, so that encoding and decoding
// cost one native call each however many fields there are. Pure; checks lengths, not HTTP grammar.

import { NO_FIELDS, type Fields } from "../http/fields.ts";
import { MAX_FRAME_PAYLOAD_BYTES } from "./frame.ts";
import { ProtocolViolation } from "./violation.ts";

/** What a stream carries after its head. */
export const StreamKind = { HTTP: 1, UPGRADE: 2, TCP: 3 } as const;
export type StreamKind = (typeof StreamKind)[keyof typeof StreamKind];

/** Payload of OPEN: one exchange that the relay has decided to let through. */
export interface OpenHead {
  readonly kind: StreamKind;
  /** Connector-side name; the connector's own allow list says what it dials. 1 to 64 of [a-z0-9-_.]. */
  readonly service: string;
  /** Number of an ASSERTION sent earlier on this connection, 1 to 4096; 0 when there is none. */
  readonly assertion: number;
  /** Request method token, upper-case as decided. Empty for kind TCP. */
  readonly method: string;
  /** Path and query as decided, starting with "/" (or "*" never). latin1, <= 8192 bytes. Empty for kind TCP. */
  readonly path: string;
  /** The application's public authority (host[:port], canonical): default Host towards the origin. */
  readonly authority: string;
  /** Header list as the origin shall see it, less Host, Connection and framing fields, which the connector writes itself. */
  readonly fields: Fields;
  /** Exact length of the body in bytes when the visitor declared one; undefined means unknown (chunked towards the origin). */
  readonly contentLength: number | undefined;
}

/** Payload of HEAD: one response head; a status of 100 to 199 (not 101) is interim and another HEAD follows. */
export interface ResponseHead {
  readonly status: number;
  readonly fields: Fields;
}

/** kind 1 · flags 1 · assertion 2 · four lengths of 2 · field count 2 */
const OPEN_FIXED_BYTES = 14;
const HEAD_FIXED_BYTES = 4;
const COUNT_BYTES = 2;
const CONTENT_LENGTH_BYTES = 8;
const FLAG_CONTENT_LENGTH = 0x01;
/** Longest single name or value: its length has 16 bits. */
export const MAX_FIELD_PART_BYTES = 0xffff;
const NOT_LATIN1 = /[\u0100-\uffff]/;

/** Text and its size, computed once so that the frame header can be written before the payload. */
export interface EncodedText {
  readonly text: string;
  readonly payloadBytes: number;
}

function joinFields(fields: Fields): string {
  let text = "";
  for (let i = 0; i < fields.length; i++) text += fields[i] as string;
  return text;
}

/**
 * latin1 writing would cut other characters to their low byte, which may be CR or LF: refuse instead. The rest is what the
 * peer would have to take for a violation, which costs every stream of the connection and not just the one at fault.
 */
function encoded(text: string, fields: Fields, fixedBytes: number): EncodedText {
  if (NOT_LATIN1.test(text)) throw new RangeError("head text is not latin1");
  if (fields.length % 2 !== 0) throw new RangeError("a field name without a value");
  for (let i = 0; i < fields.length; i++) assertPartFits(fields[i] as string);
  const payloadBytes = fixedBytes + fields.length * 2 + text.length;
  // Also bounds the count: that many fields have a larger table.
  if (payloadBytes > MAX_FRAME_PAYLOAD_BYTES) throw new RangeError("head larger than a frame");
  return { text, payloadBytes };
}

function assertPartFits(part: string): void {
  if (part.length > MAX_FIELD_PART_BYTES) throw new RangeError("part of a head longer than 65,535 bytes");
}

/** @throws RangeError when the head cannot be expressed; callers validate before. */
export function prepareOpen(open: OpenHead): EncodedText {
  const { service, method, path, authority, contentLength, fields } = open;
  assertPartFits(service);
  assertPartFits(method);
  assertPartFits(path);
  assertPartFits(authority);
  if (contentLength === undefined) return encoded(service + method + path + authority + joinFields(fields), fields, OPEN_FIXED_BYTES);
  if (!Number.isSafeInteger(contentLength) || contentLength < 0) throw new RangeError("content length is not 0 to 2^53 - 1");
  return encoded(service + method + path + authority + joinFields(fields), fields, OPEN_FIXED_BYTES + CONTENT_LENGTH_BYTES);
}

export function writeOpen(open: OpenHead, text: string, target: Buffer, start: number): void {
  target[start] = open.kind;
  target[start + 1] = open.contentLength === undefined ? 0 : FLAG_CONTENT_LENGTH;
  writeUint16(target, start + 2, open.assertion);
  writeUint16(target, start + 4, open.service.length);
  writeUint16(target, start + 6, open.method.length);
  writeUint16(target, start + 8, open.path.length);
  writeUint16(target, start + 10, open.authority.length);
  let at = start + 12;
  if (open.contentLength !== undefined) {
    target.writeUInt32BE(Math.floor(open.contentLength / 0x1_0000_0000), at);
    target.writeUInt32BE(open.contentLength >>> 0, at + 4);
    at += CONTENT_LENGTH_BYTES;
  }
  at = writeFieldTable(open.fields, target, at);
  target.write(text, at, "latin1");
}

/** @throws RangeError when the head cannot be expressed. */
export function prepareHead(head: ResponseHead): EncodedText {
  if (!isStatus(head.status)) throw new RangeError(`status ${head.status} is not 100 to 599`);
  return encoded(joinFields(head.fields), head.fields, HEAD_FIXED_BYTES);
}

export function writeHead(head: ResponseHead, text: string, target: Buffer, start: number): void {
  writeUint16(target, start, head.status);
  const at = writeFieldTable(head.fields, target, start + 2);
  target.write(text, at, "latin1");
}

/** Field block of END. @throws RangeError when the fields cannot be expressed. */
export function prepareTrailers(trailers: Fields): EncodedText {
  return encoded(joinFields(trailers), trailers, COUNT_BYTES);
}

export function writeTrailers(trailers: Fields, text: string, target: Buffer, start: number): void {
  const at = writeFieldTable(trailers, target, start);
  target.write(text, at, "latin1");
}

/** @throws ProtocolViolation PAYLOAD when lengths do not add up or a number is out of range. */
export function readOpen(message: Buffer, start: number, stop: number): OpenHead {
  if (stop - start < OPEN_FIXED_BYTES) throw malformed("OPEN is too short");
  const kind = message[start] as number;
  const flags = message[start + 1] as number;
  if (kind < StreamKind.HTTP || kind > StreamKind.TCP) throw malformed("OPEN of an unknown kind");
  if (flags > FLAG_CONTENT_LENGTH) throw malformed("OPEN with unknown flags");
  const serviceBytes = message.readUInt16BE(start + 4);
  const methodBytes = message.readUInt16BE(start + 6);
  const pathBytes = message.readUInt16BE(start + 8);
  const authorityBytes = message.readUInt16BE(start + 10);
  let at = start + 12;
  let contentLength: number | undefined;
  if (flags === FLAG_CONTENT_LENGTH) {
    if (stop - at < CONTENT_LENGTH_BYTES + COUNT_BYTES) throw malformed("OPEN is too short");
    contentLength = message.readUInt32BE(at) * 0x1_0000_0000 + message.readUInt32BE(at + 4);
    if (contentLength > Number.MAX_SAFE_INTEGER) throw malformed("content length over 2^53 - 1");
    at += CONTENT_LENGTH_BYTES;
  }
  const prefixBytes = serviceBytes + methodBytes + pathBytes + authorityBytes;
  const { text, fields } = readFieldBlock(message, at, stop, prefixBytes);
  const methodAt = serviceBytes;
  const pathAt = methodAt + methodBytes;
  const authorityAt = pathAt + pathBytes;
  return {
    kind: kind as StreamKind,
    service: text.slice(0, serviceBytes),
    assertion: message.readUInt16BE(start + 2),
    method: text.slice(methodAt, pathAt),
    path: text.slice(pathAt, authorityAt),
    authority: text.slice(authorityAt, prefixBytes),
    fields,
    contentLength,
  };
}

/** @throws ProtocolViolation PAYLOAD when lengths do not add up or the status is outside 100 to 599. */
export function readHead(message: Buffer, start: number, stop: number): ResponseHead {
  if (stop - start < HEAD_FIXED_BYTES) throw malformed("HEAD is too short");
  const status = message.readUInt16BE(start);
  if (!isStatus(status)) throw malformed("HEAD with an impossible status");
  return { status, fields: readFieldBlock(message, start + 2, stop, 0).fields };
}

/** An empty payload means no trailers. @throws ProtocolViolation PAYLOAD */
export function readTrailers(message: Buffer, start: number, stop: number): Fields {
  return start === stop ? NO_FIELDS : readFieldBlock(message, start, stop, 0).fields;
}

function isStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 100 && status <= 599;
}

function writeUint16(target: Buffer, offset: number, value: number): void {
  target[offset] = value >>> 8;
  target[offset + 1] = value;
}

/** Writes count and length table; returns the offset where the text begins. */
function writeFieldTable(fields: Fields, target: Buffer, start: number): number {
  writeUint16(target, start, fields.length / 2);
  let at = start + COUNT_BYTES;
  for (let i = 0; i < fields.length; i++, at += 2) writeUint16(target, at, (fields[i] as string).length);
  return at;
}

function readFieldBlock(
  message: Buffer,
  start: number,
  stop: number,
  prefixBytes: number,
): { readonly text: string; readonly fields: Fields } {
  if (stop - start < COUNT_BYTES) throw malformed("field block is too short");
  const parts = message.readUInt16BE(start) * 2;
  const tableAt = start + COUNT_BYTES;
  const textAt = tableAt + parts * 2;
  if (textAt + prefixBytes > stop) throw malformed("field table does not fit");
  const text = message.toString("latin1", textAt, stop);
  const fields: string[] = [];
  let from = prefixBytes;
  for (let at = tableAt; at < textAt; at += 2) {
    const to = from + (((message[at] as number) << 8) | (message[at + 1] as number));
    fields.push(text.slice(from, to));
    from = to;
  }
  if (from !== text.length) throw malformed("field lengths do not add up");
  return { text, fields };
}

function malformed(what: string): ProtocolViolation {
  return new ProtocolViolation("ERR_PROTOCOL_PAYLOAD", what);
}
