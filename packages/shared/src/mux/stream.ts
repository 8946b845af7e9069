// The interface of one stream of the multiplexer: one exchange on a connection. Both programs glue a
// stream to a socket through it. Callbacks instead of Node streams: no per-chunk objects, explicit credit.

import type { Fields } from "../http/fields.ts";
import type { ResetCode } from "../protocol/codes.ts";
import type { OpenHead, ResponseHead } from "../protocol/head.ts";

/** Details of a RESET beside its code. */
export interface ResetDetail {
  /** HTTP/2 error code of the peer that caused it (RFC 9113 section 7), 0 when there is none. */
  readonly http2Code: number;
  /** Short ASCII text for logs (for example ECONNREFUSED), <= 200 characters, never secret; may be empty. */
  readonly text: string;
}

/** What the owner of a stream is told. Never called re-entrantly from within a method of {@link Stream}. */
export interface StreamHandler {
  /**
   * True: {@link Stream.consume} is called only for chunks that nothing refers to any more (the kernel has them), in the order in
   * which they came, and the memory of those of 8 KiB and more is used again. Default false: all are left to the collector.
   */
  readonly releases?: boolean;
  /** Relay side only: a response head; interim ones first, then exactly one final. `end`: no body and no trailers follow. */
  onHead(head: ResponseHead, end: boolean): void;
  /**
   * Body bytes. The chunk belongs to the receiver. Call {@link Stream.consume} with its length once it has been
   * handed on (written to a socket that takes more); until then it counts against the window and the buffer budget.
   */
  onData(chunk: Uint8Array): void;
  /** The other side sent everything; `trailers` is empty when there were none. The sending half stays usable. */
  onEnd(trailers: Fields): void;
  /**
   * The stream is over in both directions and incomplete: RESET from the other side, or the connection was lost
   * (CONNECTION_LOST). Nothing follows. Not called for the local side's own reset.
   */
  onReset(code: ResetCode, detail: ResetDetail): void;
  /** After write() returned false: the queue has drained, write again. */
  onDrain(): void;
}

export interface Stream {
  /** 31-bit id, unique on its connection for ever. */
  readonly id: number;
  /** True until both halves ended or the stream was reset. */
  readonly open: boolean;
  /** Connector side only. `end`: no body and no trailers follow. Throws when a final head was sent already. */
  sendHead(head: ResponseHead, end: boolean): void;
  /**
   * Queues body bytes; their memory may be used again when this returns. Order is kept; everything queued is sent as credit
   * allows. Returns false when the queue is over its bound: stop until onDrain(). Ignored after end() or a reset.
   */
  write(chunk: Uint8Array): boolean;
  /** Ends this side's half after what is queued; idempotent. */
  end(trailers?: Fields): void;
  /** Ends both halves now, dropping what is queued; idempotent. */
  reset(code: ResetCode, detail?: Partial<ResetDetail>): void;
  /** Returns credit for `bytes` received bytes that were handed on. */
  consume(bytes: number): void;
}

/** Connector side: accepts one OPEN and returns the handler of the new stream. `end`: the request has no body. */
export type StreamAcceptor = (stream: Stream, open: OpenHead, end: boolean) => StreamHandler;
