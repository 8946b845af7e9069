// What a peer can do wrong. A violation closes the connection and never the process.

import { SallyportError } from "../errors.ts";

/** Every way to break the protocol; docs/protocol.md section 8 says when. */
export const VIOLATION_CODES = [
  "ERR_PROTOCOL_MESSAGE_TYPE",
  "ERR_PROTOCOL_MESSAGE_TOO_LARGE",
  "ERR_PROTOCOL_FRAME_TRUNCATED",
  "ERR_PROTOCOL_FRAME_TOO_LARGE",
  "ERR_PROTOCOL_FRAME_UNKNOWN",
  "ERR_PROTOCOL_FRAME_UNEXPECTED",
  "ERR_PROTOCOL_STREAM_ID",
  "ERR_PROTOCOL_STREAM_REUSED",
  "ERR_PROTOCOL_STREAM_UNKNOWN",
  "ERR_PROTOCOL_STREAM_ENDED",
  "ERR_PROTOCOL_HEAD_ORDER",
  "ERR_PROTOCOL_HEAD_MALFORMED",
  "ERR_PROTOCOL_PAYLOAD",
  "ERR_PROTOCOL_ASSERTION_UNKNOWN",
  "ERR_PROTOCOL_CREDIT_EXCEEDED",
  "ERR_PROTOCOL_CREDIT_OVERFLOW",
  "ERR_PROTOCOL_FLOOD",
  "ERR_PROTOCOL_HANDSHAKE",
] as const;
export type ViolationCode = (typeof VIOLATION_CODES)[number];

/** Thrown by the multiplexer, and by a stream's handler for what only it looks at; scope is always the connection. */
export class ProtocolViolation extends SallyportError {
  override readonly name: string = "ProtocolViolation";
  declare readonly code: ViolationCode;
  readonly scope = "connection";

  constructor(code: ViolationCode, message: string) {
    super(code, message, { retryable: true });
  }
}
