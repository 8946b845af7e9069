// Payloads of the connection-level frames: RESET, WINDOW, GOAWAY, ASSERTION. Pure.

import { ResetCode, type GoawayReason } from "./codes.ts";
import { MAX_ASSERTION_BYTES, MAX_ASSERTION_NUMBER, MAX_CREDIT_BYTES, MAX_GOAWAY_TEXT_BYTES, MAX_RESET_TEXT_BYTES } from "./frame.ts";
import { ProtocolViolation } from "./violation.ts";
import type { ResetDetail } from "../mux/stream.ts";

export interface Goaway {
  readonly lastStreamId: number;
  readonly reason: GoawayReason;
  /** Earliest time for a new connection, from now; 0 means at once. */
  readonly delayMs: number;
  /** For people: what happened and what to do. */
  readonly text: string;
}

const RESET_FIXED_BYTES = 6;
const GOAWAY_FIXED_BYTES = 10;

export function readReset(message: Buffer, start: number, stop: number): { readonly code: ResetCode; readonly detail: ResetDetail } {
  const textBytes = stop - start - RESET_FIXED_BYTES;
  if (textBytes < 0 || textBytes > MAX_RESET_TEXT_BYTES) throw new ProtocolViolation("ERR_PROTOCOL_PAYLOAD", "RESET of a wrong length");
  // A code of a later version is kept as a number; whoever maps it falls back to INTERNAL.
  // CONNECTION_LOST is our own word for the loss of a connection: a peer cannot say it.
  const told = message.readUInt16BE(start) as ResetCode;
  const code = told === ResetCode.CONNECTION_LOST ? ResetCode.INTERNAL : told;
  const text = printable(message.toString("latin1", start + RESET_FIXED_BYTES, stop));
  return { code, detail: { http2Code: message.readUInt32BE(start + 2), text } };
}

export function readCredit(message: Buffer, start: number, stop: number): number {
  if (stop - start !== 4) throw new ProtocolViolation("ERR_PROTOCOL_PAYLOAD", "WINDOW of a wrong length");
  const credit = message.readUInt32BE(start);
  if (credit === 0) throw new ProtocolViolation("ERR_PROTOCOL_PAYLOAD", "WINDOW without credit");
  if (credit > MAX_CREDIT_BYTES) throw new ProtocolViolation("ERR_PROTOCOL_CREDIT_OVERFLOW", "credit over 2^31 - 1");
  return credit;
}

export function encodeGoaway(goaway: Goaway): Buffer {
  const text = Buffer.from(goaway.text).subarray(0, MAX_GOAWAY_TEXT_BYTES);
  const payload = Buffer.allocUnsafe(GOAWAY_FIXED_BYTES + text.length);
  payload.writeUInt32BE(goaway.lastStreamId, 0);
  payload.writeUInt16BE(goaway.reason, 4);
  payload.writeUInt32BE(Math.min(Math.max(goaway.delayMs, 0), 0xffff_ffff), 6);
  payload.set(text, GOAWAY_FIXED_BYTES);
  return payload;
}

export function readGoaway(message: Buffer, start: number, stop: number): Goaway {
  const textBytes = stop - start - GOAWAY_FIXED_BYTES;
  if (textBytes < 0 || textBytes > MAX_GOAWAY_TEXT_BYTES) throw new ProtocolViolation("ERR_PROTOCOL_PAYLOAD", "GOAWAY of a wrong length");
  return {
    lastStreamId: message.readUInt32BE(start),
    reason: message.readUInt16BE(start + 4) as GoawayReason,
    delayMs: message.readUInt32BE(start + 6),
    text: printable(message.toString("utf8", start + GOAWAY_FIXED_BYTES, stop)),
  };
}

export function encodeAssertion(number: number, token: string): Buffer {
  if (number < 1 || number > MAX_ASSERTION_NUMBER) throw new RangeError(`assertion number ${number} is not 1 to ${MAX_ASSERTION_NUMBER}`);
  if (token.length < 1 || token.length > MAX_ASSERTION_BYTES) throw new RangeError("assertion of a wrong length");
  const payload = Buffer.allocUnsafe(2 + token.length);
  payload.writeUInt16BE(number, 0);
  payload.write(token, 2, "latin1");
  return payload;
}

export function readAssertion(message: Buffer, start: number, stop: number): { readonly number: number; readonly token: string } {
  const tokenBytes = stop - start - 2;
  if (tokenBytes < 1 || tokenBytes > MAX_ASSERTION_BYTES)
    throw new ProtocolViolation("ERR_PROTOCOL_PAYLOAD", "ASSERTION of a wrong length");
  const number = message.readUInt16BE(start);
  if (number < 1 || number > MAX_ASSERTION_NUMBER) throw new ProtocolViolation("ERR_PROTOCOL_PAYLOAD", "ASSERTION number out of range");
  return { number, token: message.toString("latin1", start + 2, stop) };
}

/** Text from the other side goes into logs and onto terminals: no controls, no direction marks. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}
