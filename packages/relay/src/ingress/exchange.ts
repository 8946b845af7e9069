// The seam between the pipeline and whatever speaks HTTP to visitors: one exchange, head in, body chunks,
// trailers, end, abort, with backpressure. http1/ and http2.ts fill it. Must not know routing, identity, policy or tunnels.

import type { Socket } from "node:net";
import type { Fields } from "@sallyport/shared/http/fields";
import type { RefusalCode } from "./refusals.ts";
import type { ClientCheck } from "./client-certificate.ts";

export interface Peer {
  /** Textual IP address of the TCP peer, or of the PROXY protocol header where the listener accepts one. */
  readonly address: string;
  readonly port: number;
}

/** A request head exactly as received; nothing in it has been judged yet. */
export interface IngressRequest {
  readonly httpVersion: "1.0" | "1.1" | "2.0";
  readonly method: string;
  /** Request-target or :path as received, latin1. */
  readonly target: string;
  /** HTTP/2 :authority; undefined on HTTP/1. */
  readonly authority: string | undefined;
  /** Field lines as received, HTTP/2 pseudo-fields left out. */
  readonly fields: Fields;
  readonly scheme: "http" | "https";
  /** Visitor-side TLS server name, lower-case; undefined without TLS or SNI. */
  readonly serverName: string | undefined;
  /** Of its connection: what a handshake that asked for a client certificate found; undefined: nobody asked. */
  readonly clientCheck: ClientCheck | undefined;
  readonly peer: Peer;
  /** True when the client asked for a protocol upgrade (HTTP/1.1 Upgrade + Connection: upgrade). */
  readonly upgrade: boolean;
  /** True when the head already ended the request (no body will come). */
  readonly bodyless: boolean;
}

/** What the owner of an exchange is told. Never called re-entrantly from within a method of {@link IngressExchange}. */
export interface IngressHandler {
  /** What answers to this request name it by. */
  readonly requestId: string;
  /** The request broke after its head, and the engine has answered it with this; onAbort() follows. The owner records it. */
  onRefused(code: RefusalCode): void;
  /** Body bytes (raw bytes both ways after {@link IngressExchange.switchProtocols}). */
  onData(chunk: Uint8Array): void;
  /** The visitor sent everything. Request trailers are dropped (R-C5). */
  onEnd(): void;
  /** The visitor went away, or broke HTTP after its head; `http2Code` is its RST_STREAM code, 0 on HTTP/1. Nothing follows. */
  onAbort(http2Code: number): void;
  /** After write() returned false: write again. */
  onDrain(): void;
  /** The response (or upgraded stream) is wholly handed to the kernel or given up; last call of all. */
  onClose(): void;
}

/** Why an exchange ended without its regular end. */
export type AbortReason = "visitor" | "body-timeout" | "malformed" | "relay";

/** A waiting HTTP/1.1 upgrade whose socket its owner speaks on by itself. */
export interface TakenUpgrade {
  /** Flowing, without listeners for data: listen before the turn ends. What the peer sent behind the head comes from it first. */
  readonly socket: Socket;
}

export interface IngressExchange {
  readonly request: IngressRequest;
  /** Undefined while the exchange lives, and after a regular end. */
  readonly abortReason: AbortReason | undefined;
  /**
   * Hands the socket of an undecided upgrade over, for the tunnel endpoint; the exchange is over for the engine and its handler is told
   * nothing more but onClose(). Undefined where there is no such socket (HTTP/2, ordinary requests).
   */
  takeUpgrade?(): TakenUpgrade | undefined;
  /** Sets the receiver of everything that follows. Body bytes start to flow with {@link resume}, not before. */
  setHandler(handler: IngressHandler): void;
  /** Starts or goes on with the flow of body bytes. */
  resume(): void;
  pause(): void;
  /** Sends 100 Continue if the visitor waits for it; at most once; no-op otherwise. */
  sendContinue(): void;
  /** Sends an interim response (103); no-op towards HTTP/1.0. */
  sendInformational(status: number, fields: Fields): void;
  /**
   * Sends the response head. `end`: no body follows. Fields go out in order with duplicates; the engine adds
   * only framing (chunked where no Content-Length is given on HTTP/1.1), Date, and Connection where it closes.
   */
  sendHead(status: number, fields: Fields, end: boolean): void;
  /** Body bytes; false when the visitor's socket is full: stop until onDrain(). */
  write(chunk: Uint8Array): boolean;
  /**
   * True: write() returns true, and onDrain() comes, only when nothing refers any more to the chunks of 8 KiB and more that were
   * written so far (the kernel has them, or the socket is gone): their memory is used again. Default false.
   */
  readonly releases?: boolean;
  /** Ends the response; trailers go out on HTTP/2 and on chunked HTTP/1.1, else they are dropped. */
  end(trailers?: Fields): void;
  /** Answers an upgrade with 101 and these fields; from then on onData/write/end are raw bytes with half-close. */
  switchProtocols(fields: Fields): void;
  /**
   * Cuts the exchange so that the visitor can tell it is incomplete: RST_STREAM with `http2Code` (default
   * INTERNAL_ERROR) on HTTP/2, socket destroyed on HTTP/1. Idempotent.
   */
  abort(http2Code?: number): void;
  /** Must be called before sendHead: on HTTP/1 close the socket after this response and parse nothing more of it (R-D7). */
  closeConnectionAfter(): void;
}

export type ExchangeListener = (exchange: IngressExchange) => void;
