// The seam between the connector and whatever speaks HTTP to an origin: one exchange, head in, body chunks,
// trailers, end, abort, with backpressure. Filled by http1-engine.ts, http2-engine.ts and the built-in services.
// Must not know the multiplexer, services, balancing or health.

import type { Duplex } from "node:stream";

import type { Fields } from "@sallyport/shared/http/fields";
import type { ResetCode } from "@sallyport/shared/protocol/codes";

/** How the body of a request is delimited; the connector decides it, never the visitor's fields (R-D2). */
export type RequestBody =
  | { readonly kind: "none" }
  /** Exactly this many bytes; a Content-Length is written. */
  | { readonly kind: "length"; readonly bytes: number }
  /** Until end(); chunked on HTTP/1.1. */
  | { readonly kind: "unknown" };

/** A request as it goes to the origin. Everything in it was validated (R-D3). */
export interface OriginRequest {
  readonly method: string;
  /** Path and query, starting with "/". latin1. */
  readonly path: string;
  /** Host field or :authority. */
  readonly authority: string;
  /** Without Host, Connection, Upgrade and framing: the engines write those. */
  readonly fields: Fields;
  readonly body: RequestBody;
  /** `Expect: 100-continue` is in the fields. The origin's 100 is swallowed: the relay gives its own (R-D6). */
  readonly expectContinue: boolean;
  /** Ask for a switch to WebSocket; the engine writes Connection and Upgrade. */
  readonly upgrade: boolean;
}

/** Why an exchange with the origin did not complete. */
export interface OriginFailure {
  readonly code: ResetCode;
  /** RST_STREAM code of the origin (RFC 9113 section 7); 0 when there is none. */
  readonly http2Code: number;
  /** Short ASCII text for logs, for example ECONNREFUSED; <= 200 characters, never secret. */
  readonly text: string;
  /**
   * - `other-origin`: no connection came about; nothing was sent.
   * - `same-origin`: the kept connection was found closed before anything was written to it.
   * - `unprocessed`: the origin says that it did not process the request (HTTP/2 REFUSED_STREAM, GOAWAY).
   * - `if-idempotent`: a reused connection died before any byte of a response (R-D4).
   * - `no`: the request may have had its effect.
   */
  readonly retry: "other-origin" | "same-origin" | "unprocessed" | "if-idempotent" | "no";
}

/** Takes what one read of a socket gave; its memory is used again when this returns. */
export type RawReader = (bytes: Uint8Array) => void;

/** What the owner of an exchange is told; never called from within {@link OriginEngine.open} or a method of the exchange. */
export interface OriginHandler {
  /** Connected; the head is on its way and the body may be written. At most once, before everything but `failed`. */
  ready(): void;
  /** An interim response other than 101. */
  interim(status: number, fields: Fields): void;
  /** The final response head. `end`: neither body nor trailers follow, and complete() comes next. */
  head(status: number, fields: Fields, end: boolean): void;
  /**
   * The origin switched protocols. Instead of head(), and the last call: the socket is the receiver's, which
   * judges the fields. `first` are bytes that came with the head.
   * @returns what takes all that the socket reads from now on, in place of its `data` events; undefined: the socket was destroyed
   */
  switched(fields: Fields, socket: Duplex, first: Uint8Array): RawReader | undefined;
  /** Bytes of the response body; the memory of the chunk is used again when this returns. */
  body(chunk: Uint8Array): void;
  /** The response is whole. Last call. */
  complete(trailers: Fields): void;
  /** After write() returned false: write again. */
  writable(): void;
  /** The exchange is over and incomplete. Last call. */
  failed(failure: OriginFailure): void;
}

/** Methods after complete(), failed() or abort() do nothing. */
export interface OriginExchange {
  /** Sends body bytes; not before ready(). False when the origin takes no more now: stop until writable(). */
  write(chunk: Uint8Array): boolean;
  /** The request body is complete. */
  end(): void;
  /** Stops the flow of response bytes; what is already read may still arrive. */
  pause(): void;
  resume(): void;
  /** Gives up: the connection (HTTP/2: the stream, with this code, default CANCEL) is destroyed; no call follows. */
  abort(http2Code?: number): void;
}

export interface OpenOptions {
  /** Do not use a kept connection. Default false. */
  readonly fresh?: boolean;
}

export interface OriginEngine {
  open(request: OriginRequest, handler: OriginHandler, options?: OpenOptions): OriginExchange;
  /** Closes kept connections now and the others when their exchange ends. Idempotent. */
  close(): void;
}

/** Methods that may be sent twice (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"]);

/** Nothing is lost when it is sent once more: there is no body that is gone. */
export function hasNoContent({ body }: OriginRequest): boolean {
  return body.kind === "none" || (body.kind === "length" && body.bytes === 0);
}

/** A kept connection that dies under it may be replaced by a new one (R-D4). */
export function isRepeatable(request: OriginRequest): boolean {
  return hasNoContent(request) && IDEMPOTENT.has(request.method);
}

/** Response heads beyond this are refused (I10); field count and trailers have limits of their own. */
export const MAX_RESPONSE_HEAD_BYTES = 65_536;

/** Longest text of a failure, so that it fits RESET. */
const MAX_TEXT = 200;

export function failure(code: ResetCode, text: string, retry: OriginFailure["retry"] = "no", http2Code: number = 0): OriginFailure {
  return { code, text: text.slice(0, MAX_TEXT), retry, http2Code };
}
