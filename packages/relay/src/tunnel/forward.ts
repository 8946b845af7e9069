// Step 5 and 7 of the data path: one decided request goes down a tunnel, its answer comes back, byte by byte as they
// arrive, with backpressure both ways. Chooses the connection, tries another one while nothing is lost by it, and
// tells the owner how it ended. Must not know routes, identities or policies.

import { allValues, type Fields } from "@sallyport/shared/http/fields";
import { readFraming } from "@sallyport/shared/http/framing";
import { areFieldsWellFormed, responseFieldsToForward, trailersToForward } from "@sallyport/shared/http/response-fields";
import { acceptKey } from "@sallyport/shared/http/upgrade";
import type { ResetDetail, Stream, StreamHandler } from "@sallyport/shared/mux/stream";
import { ResetCode } from "@sallyport/shared/protocol/codes";
import { StreamKind, type OpenHead, type ResponseHead } from "@sallyport/shared/protocol/head";
import { ProtocolViolation } from "@sallyport/shared/protocol/violation";
import type { AssertionSource, TunnelConnection } from "./connection.ts";
import type { TunnelRegistry } from "./registry.ts";

/** Body bytes kept for another attempt on a connection that refuses the stream. */
const MAX_HELD_BYTES = 65_536;
const MAX_ATTEMPTS = 4;
/** RFC 9113 section 7. */
const HTTP2_CANCEL = 0x08;

/** The visitor's side, as far as forwarding needs it: a part of IngressExchange. */
export interface VisitorExchange {
  resume(): void;
  pause(): void;
  sendContinue(): void;
  sendInformational(status: number, fields: Fields): void;
  sendHead(status: number, fields: Fields, end: boolean): void;
  write(chunk: Uint8Array): boolean;
  /** As with IngressExchange. */
  readonly releases?: boolean;
  end(trailers?: Fields): void;
  switchProtocols(fields: Fields): void;
  abort(http2Code?: number): void;
}

/** Follows WebSocket frames towards the visitor, to know where a close frame may stand. */
export interface FrameFollower {
  push(chunk: Uint8Array): void;
  readonly atBoundary: boolean;
}

/** Why an exchange did not reach a complete answer. */
export type ForwardFailure =
  | { readonly kind: "no-connection" }
  | { readonly kind: "reset"; readonly code: ResetCode; readonly detail: string }
  | { readonly kind: "bad-response"; readonly detail: string }
  | { readonly kind: "body-too-large" }
  | { readonly kind: "body-timeout" }
  | { readonly kind: "visitor-gone" }
  | { readonly kind: "revoked" };

export interface ForwardRequest {
  readonly tunnel: string;
  readonly head: OpenHead;
  /** The request has no body. */
  readonly bodyless: boolean;
  readonly assertion: AssertionSource | undefined;
  /** Sec-WebSocket-Key of an upgrade; undefined for ordinary requests. */
  readonly upgradeKey: string | undefined;
  readonly maxRequestBodyBytes: number | undefined;
  /** Fields the relay adds to the final response head. */
  readonly responseFields: Fields;
}

/** Told by a forwarding to its owner. */
export interface ForwardOwner {
  /** No head was sent to the visitor: answer with a refusal. */
  refuse(failure: ForwardFailure): void;
  /** The final head is about to be sent. */
  onStatus(status: number): void;
  /** Nothing more will come: complete when `failure` is undefined. Called once, after refuse() too. */
  onFinished(failure: ForwardFailure | undefined): void;
  createFollower(): FrameFollower;
  /** A complete close frame with code 1008. */
  readonly policyCloseFrame: Uint8Array;
  /** Where an answer that is under way can still say that access ended (gRPC); undefined: it is cut. */
  readonly policyTrailers: Fields | undefined;
}

export class Forwarding implements StreamHandler {
  readonly #registry: TunnelRegistry;
  readonly #exchange: VisitorExchange;
  readonly #request: ForwardRequest;
  readonly #owner: ForwardOwner;
  #stream: Stream | undefined;
  #refusedBy: Set<TunnelConnection> | undefined;
  #attempts = 0;
  #announcedOnly = false;
  /** Request body sent so far, while it is small enough to be sent again. */
  #held: Uint8Array[] | undefined = [];
  #heldBytes = 0;
  #requestEnded = false;
  #responseEnded = false;
  #phase: "waiting" | "streaming" | "switched" | "done" = "waiting";
  /** Response bytes in the visitor's socket for which credit is still owed. */
  #owedBytes = 0;
  #follower: FrameFollower | undefined;
  #revoking = false;
  /** The connection that carries the exchange. */
  connection: TunnelConnection | undefined;
  bytesIn = 0;
  bytesOut = 0;

  constructor(registry: TunnelRegistry, exchange: VisitorExchange, request: ForwardRequest, owner: ForwardOwner) {
    this.#registry = registry;
    this.#exchange = exchange;
    this.#request = request;
    this.#owner = owner;
  }

  /** Opens the stream and lets the body flow. */
  start(): void {
    if (!this.#open()) return this.#refuse({ kind: "no-connection" });
    if (this.#request.bodyless) return;
    this.#exchange.sendContinue();
    this.#exchange.resume();
  }

  /** The exchange is no longer permitted (R-I2). */
  revoke(): void {
    if (this.#phase === "done") return this.#exchange.abort();
    const { policyTrailers } = this.#owner;
    if (this.#phase === "streaming" && policyTrailers !== undefined) return this.#endRevoked(policyTrailers);
    if (this.#phase !== "switched") return this.#cut({ kind: "revoked" }, ResetCode.REVOKED);
    this.#revoking = true;
    this.#closePolitely();
  }

  // From the visitor --------------------------------------------------------------------------------------------

  bodyData(chunk: Uint8Array): void {
    if (this.#phase === "done") return;
    this.bytesIn += chunk.length;
    const limit = this.#request.maxRequestBodyBytes;
    if (limit !== undefined && this.#phase !== "switched" && this.bytesIn > limit)
      return this.#cut({ kind: "body-too-large" }, ResetCode.CANCEL);
    this.#hold(chunk);
    if (this.#stream?.write(chunk) === false) this.#exchange.pause();
  }

  bodyEnd(): void {
    if (this.#phase === "done" || this.#request.bodyless) return;
    this.#requestEnded = true;
    this.#stream?.end();
    if (this.#responseEnded) this.#finish(undefined);
  }

  /** The visitor went away, or its body stopped coming. */
  visitorGone(http2Code: number, timedOut: boolean): void {
    if (this.#phase === "done") return;
    this.#stream?.reset(timedOut ? ResetCode.IDLE_TIMEOUT : ResetCode.CANCEL, { http2Code: http2Code || HTTP2_CANCEL });
    this.#finish({ kind: timedOut ? "body-timeout" : "visitor-gone" });
  }

  /** The visitor's socket takes more, or is closed. */
  visitorDrained(): void {
    const owed = this.#owedBytes;
    this.#owedBytes = 0;
    if (owed > 0) this.#stream?.consume(owed);
  }

  // From the connector ------------------------------------------------------------------------------------------

  onHead(head: ResponseHead, end: boolean): void {
    if (this.#phase !== "waiting") return;
    if (this.#request.head.kind === StreamKind.TCP) return this.#connected(head.status, end);
    const read = responseFieldsToForward(head.fields);
    if (!read.ok) return read.code === "ERR_CONNECTION_OPTION" ? this.#badResponse(read.code) : this.#brokenPromise(read.code);
    if (head.status === 101) return this.#switch(head, read.fields);
    if (head.status < 200) return this.#exchange.sendInformational(head.status, read.fields);
    // A connector in wrong hands may send lengths that contradict each other: judged before the visitor's side is touched (R-D9).
    if (readFraming(read.fields, "1.1").kind === "refused") return this.#badResponse("the answer's length is not one plain number");
    this.#phase = "streaming";
    this.#release();
    this.#owner.onStatus(head.status);
    this.#exchange.sendHead(head.status, read.fields.concat(this.#request.responseFields), end);
    if (end) this.#finish(undefined);
  }

  get releases(): boolean {
    return this.#exchange.releases === true;
  }

  onData(chunk: Uint8Array): void {
    if (this.#phase === "done" || this.#phase === "waiting") return;
    this.bytesOut += chunk.length;
    this.#follower?.push(chunk);
    // In their order: a small chunk that was taken over does not overtake a large one that the socket still reads from.
    if (this.#exchange.write(chunk) && this.#owedBytes === 0) this.#stream?.consume(chunk.length);
    else this.#owedBytes += chunk.length;
    if (this.#revoking) this.#closePolitely();
  }

  onEnd(trailers: Fields): void {
    if (this.#phase === "done") return;
    if (this.#phase === "waiting") return this.#badResponse("the answer ended before its head");
    if (!areFieldsWellFormed(trailers)) return this.#brokenPromise("a malformed trailer");
    this.#responseEnded = true;
    this.#exchange.end(trailers.length === 0 ? undefined : trailersToForward(trailers));
    if (this.#phase === "streaming" || this.#requestEnded) this.#finish(undefined);
  }

  onReset(code: ResetCode, detail: ResetDetail): void {
    if (this.#phase === "done") {
      // The answer is complete, but lies in the socket of a visitor who does not read it, and memory is short (R-L6).
      if (code === ResetCode.OVERLOAD) this.#exchange.abort();
      return;
    }
    if (this.#phase === "waiting" && this.#refusedUnprocessed(code) && this.#retry()) return;
    const failure: ForwardFailure = { kind: "reset", code, detail: detail.text };
    if (this.#phase === "waiting") return this.#refuse(failure);
    this.#exchange.abort(detail.http2Code === 0 ? undefined : detail.http2Code);
    this.#finish(failure);
  }

  onDrain(): void {
    if (this.#phase !== "done") this.#exchange.resume();
  }

  // -------------------------------------------------------------------------------------------------------------

  /** A service unknown there may be known to another connector: its owner just took it off one of them, say. */
  #refusedUnprocessed(code: ResetCode): boolean {
    this.#announcedOnly ||= code === ResetCode.SERVICE_UNKNOWN;
    return code === ResetCode.REFUSED || code === ResetCode.SERVICE_UNKNOWN;
  }

  #open(): boolean {
    const { tunnel, head, bodyless, assertion } = this.#request;
    while (this.#attempts < MAX_ATTEMPTS) {
      const connection = this.#registry.pick(tunnel, head.service, this.#refusedBy, this.#announcedOnly);
      if (connection === undefined) return false;
      this.#attempts++;
      this.connection = connection;
      this.#stream = connection.open(head, bodyless, assertion, this);
      if (this.#stream !== undefined) return true;
      (this.#refusedBy ??= new Set()).add(connection);
    }
    return false;
  }

  /** The stream was refused unprocessed: sends head and held body over another connection. @returns false when that is impossible */
  #retry(): boolean {
    if (this.#held === undefined || this.connection === undefined) return false;
    (this.#refusedBy ??= new Set()).add(this.connection);
    if (!this.#open()) return false;
    for (const chunk of this.#held) this.#stream?.write(chunk);
    if (this.#requestEnded) this.#stream?.end();
    else if (!this.#request.bodyless) this.#exchange.resume();
    return true;
  }

  #hold(chunk: Uint8Array): void {
    if (this.#held === undefined) return;
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#release();
    else this.#held.push(chunk);
  }

  #release(): void {
    this.#held = undefined;
  }

  #switch(head: ResponseHead, fields: Fields): void {
    const key = this.#request.upgradeKey;
    // The connector has checked the whole 101 and stripped its hop-by-hop fields; the key proves that the origin switched.
    const accepts = allValues(head.fields, "sec-websocket-accept");
    if (key === undefined || this.#request.head.kind !== StreamKind.UPGRADE || accepts.length !== 1 || accepts[0] !== acceptKey(key)) {
      return this.#badResponse("101 without a valid Sec-WebSocket-Accept");
    }
    this.#enterSwitched([...fields, ...this.#request.responseFields]);
  }

  /** A TCP service is connected: bytes both ways from here on, as after a switch of protocols (docs/protocol.md section 9). */
  #connected(status: number, end: boolean): void {
    const key = this.#request.upgradeKey;
    if (key === undefined || status !== 200 || end) return this.#badResponse("no connection to the TCP service");
    this.#enterSwitched(["Sec-WebSocket-Accept", acceptKey(key), ...this.#request.responseFields]);
  }

  #enterSwitched(fields: Fields): void {
    this.#phase = "switched";
    this.#release();
    this.#follower = this.#owner.createFollower();
    this.#owner.onStatus(101);
    this.#exchange.switchProtocols(fields);
    this.#exchange.resume();
  }

  /** Between two frames a close frame may stand; inside one the visitor would read it as payload. */
  #closePolitely(): void {
    if (this.#follower?.atBoundary === true) {
      this.#exchange.write(this.#owner.policyCloseFrame);
      this.#exchange.end();
      this.#stream?.reset(ResetCode.REVOKED);
      this.#finish({ kind: "revoked" });
    } else this.#cut({ kind: "revoked" }, ResetCode.REVOKED);
  }

  #endRevoked(trailers: Fields): void {
    this.#stream?.reset(ResetCode.REVOKED);
    this.#exchange.end(trailers);
    this.#finish({ kind: "revoked" });
  }

  #badResponse(detail: string): void {
    this.#stream?.reset(ResetCode.CANCEL, { text: detail });
    this.#refuse({ kind: "bad-response", detail });
  }

  /**
   * Connectors judge every field of an origin's answer before they send it (R-D9): one that did not is broken or in wrong
   * hands, and its connection ends, this exchange in the same way as for any other bad answer.
   * @throws ProtocolViolation always
   */
  #brokenPromise(detail: string): never {
    this.#cut({ kind: "bad-response", detail }, ResetCode.CANCEL);
    throw new ProtocolViolation("ERR_PROTOCOL_HEAD_MALFORMED", detail);
  }

  /** Ends both sides from here: a refusal where no head was sent, else a cut that the visitor can tell. */
  #cut(failure: ForwardFailure, code: ResetCode): void {
    this.#stream?.reset(code);
    if (this.#phase === "waiting") return this.#refuse(failure);
    this.#exchange.abort();
    this.#finish(failure);
  }

  #refuse(failure: ForwardFailure): void {
    this.#phase = "done";
    this.#owner.refuse(failure);
    this.#owner.onFinished(failure);
  }

  #finish(failure: ForwardFailure | undefined): void {
    this.#phase = "done";
    this.#release();
    // An answer before the end of the request: the rest of the body is of no use to anybody.
    if (failure !== undefined || !(this.#requestEnded || this.#request.bodyless)) this.#stream?.reset(ResetCode.CANCEL);
    this.#owner.onFinished(failure);
  }
}
