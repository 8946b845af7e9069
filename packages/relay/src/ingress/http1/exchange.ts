// One HTTP/1.1 exchange on a connection: what of the request reaches its owner and when, and the answer, once. An
// upgrade is the same exchange: answered with 101 it goes on as raw bytes with half-close (R-D5, T10), answered
// otherwise it is an ordinary response after which the connection ends. Must not know routing, identity, policy or tunnels.

import type { Fields } from "@sallyport/shared/http/fields";
import type { RequestHead } from "@sallyport/shared/http1/request-head";
import { refuseBroken, type WatchedBody } from "../engine.ts";
import type { AbortReason, IngressExchange, IngressHandler, IngressRequest, TakenUpgrade } from "../exchange.ts";
import type { Http1Connection } from "./connection.ts";
import { ResponseWriter } from "./response-writer.ts";

/** `switched`: raw bytes; `ended`: the answer is written and on its way to the kernel. */
type Phase = "waiting" | "answering" | "switched" | "ended" | "closed";

const WEBSOCKET_FIELDS = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

export class Http1Exchange implements IngressExchange, WatchedBody {
  place: number | undefined;
  idleTicks = 0;
  readonly request: IngressRequest;
  readonly releases: boolean = true;
  readonly #connection: Http1Connection;
  readonly #response: ResponseWriter;
  #handler: IngressHandler | undefined;
  #phase: Phase = "waiting";
  #abortReason: AbortReason | undefined;
  /** The visitor waits for 100 Continue and has not got it. */
  #awaitsContinue: boolean;
  #watched = false;
  #flowing = false;
  #sawBytes = false;
  /** The connection ends after this exchange. */
  #closing: boolean;
  /** An answer of the engine itself is under way: the owner's calls no longer count. */
  #takenOver = false;
  /** After the switch: our half of the raw bytes has ended, and the visitor's. */
  #rawEnded = false;
  #visitorEnded = false;

  constructor(connection: Http1Connection, head: RequestHead) {
    const { scheme, serverName, clientCheck, peer } = connection.info;
    const { httpVersion, method, target, fields, framing, upgrade } = head;
    const bodyless = upgrade || framing.kind === "none" || (framing.kind === "length" && framing.length === 0);
    this.#connection = connection;
    this.#response = new ResponseWriter(connection.out);
    this.#awaitsContinue = head.expect !== undefined && !bodyless && httpVersion === "1.1";
    this.#closing = upgrade || !head.keepAlive;
    this.request = { httpVersion, method, target, authority: undefined, fields, scheme, serverName, clientCheck, peer, upgrade, bodyless };
  }

  get abortReason(): AbortReason | undefined {
    return this.#abortReason;
  }

  /** True as long as no byte of a final response was written. */
  get unanswered(): boolean {
    return this.#phase === "waiting";
  }

  setHandler(handler: IngressHandler): void {
    this.#handler = handler;
    if (this.#phase === "closed") queueMicrotask(() => this.#tellClosed());
  }

  resume(): void {
    const bodyWanted = !this.request.bodyless && !this.#takenOver && (this.#phase === "waiting" || this.#phase === "answering");
    if (!bodyWanted && this.#phase !== "switched") return;
    this.#flowing = true;
    this.#sawBytes = true;
    this.#watch();
    this.#connection.resume();
  }

  pause(): void {
    this.#flowing = false;
    this.#connection.pause();
  }

  sendContinue(): void {
    if (!this.#awaitsContinue || this.#phase !== "waiting" || this.#takenOver) return;
    this.#awaitsContinue = false;
    this.#response.interim(100, []);
  }

  sendInformational(status: number, fields: Fields): void {
    if (this.request.httpVersion === "1.0" || this.#phase !== "waiting" || this.#takenOver) return;
    this.#response.interim(status, fields);
  }

  sendHead(status: number, fields: Fields, end: boolean): void {
    if (!this.#takenOver) this.#writeHead(status, fields, end);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#takenOver) return true;
    const { out } = this.#connection;
    if (this.#phase === "switched" && !this.#rawEnded) out.bytes(chunk);
    else if (this.#phase !== "answering") return true;
    else if (!this.#response.body(chunk)) this.#cut("relay");
    return out.handOver();
  }

  end(trailers?: Fields): void {
    if (this.#takenOver) return;
    if (this.#phase === "switched") return this.#endRaw();
    if (this.#phase === "answering") this.#endBody(trailers);
  }

  switchProtocols(fields: Fields): void {
    if (!this.request.upgrade) return this.abort();
    if (this.#phase !== "waiting" || this.#takenOver) return;
    // The two fields of the switch itself belong to the engine; prepareHead drops the caller's.
    this.#response.interim(101, fields, WEBSOCKET_FIELDS);
    this.#phase = "switched";
    this.#connection.switchToRaw();
  }

  takeUpgrade(): TakenUpgrade | undefined {
    if (!this.request.upgrade || this.#phase !== "waiting") return undefined;
    this.#phase = "closed";
    queueMicrotask(() => this.#tellClosed());
    return { socket: this.#connection.giveAway() };
  }

  abort(_http2Code?: number): void {
    if (this.#phase !== "closed" && !this.#takenOver) this.#cut("relay");
  }

  closeConnectionAfter(): void {
    this.#closing = true;
  }

  idleSinceLastTick(): boolean {
    const idle = this.#flowing && !this.#sawBytes;
    this.#sawBytes = false;
    return idle;
  }

  timeOutBody(): void {
    this.failRequest("body-timeout");
  }

  // From the connection -----------------------------------------------------------------------------------------

  bodyBytes(chunk: Uint8Array): void {
    this.#sawBytes = true;
    if (this.#phase !== "ended" && this.#phase !== "closed") this.#handler?.onData(chunk);
  }

  bodyEnded(): void {
    this.#unwatch();
    if (this.#phase !== "closed" && !this.#takenOver) this.#handler?.onEnd();
  }

  rawBytes(chunk: Uint8Array): void {
    this.#handler?.onData(chunk);
  }

  socketDrained(): void {
    if (this.#phase === "answering" || this.#phase === "switched") this.#handler?.onDrain();
  }

  /** The visitor sends nothing more. Before an answer that means that it left; raw bytes have two halves. */
  visitorEnded(): void {
    this.#visitorEnded = true;
    if (this.#phase === "switched") return this.#handler?.onEnd();
    if (this.#phase === "ended") return;
    this.#abortReason ??= "visitor";
    this.#connection.socket.destroy();
  }

  socketClosed(): void {
    if (this.#phase === "closed") return;
    const finished = this.#phase === "switched" && this.#rawEnded && this.#visitorEnded && this.#connection.socket.errored === null;
    if (!finished) this.#abortReason ??= "visitor";
    this.#phase = "closed";
    this.#unwatch();
    this.#tellClosed();
  }

  /** The request broke after its head: answers 408 or 400 if no answer has begun, and cuts the connection otherwise. */
  failRequest(reason: "body-timeout" | "malformed"): void {
    if (this.#phase === "closed" || this.#takenOver) return;
    if (this.#phase !== "waiting") return this.#cut(reason);
    this.#abortReason = reason;
    this.#unwatch();
    this.#closing = true;
    refuseBroken(this, this.#handler, reason === "body-timeout" ? "ERR_BODY_TIMEOUT" : "ERR_REQUEST_FRAMING", this.#connection);
    this.#takenOver = true;
    this.#handler?.onAbort(0);
  }

  // -------------------------------------------------------------------------------------------------------------

  #writeHead(status: number, fields: Fields, end: boolean): void {
    if (this.#phase !== "waiting") return;
    const { context } = this.#connection;
    const { httpVersion, method } = this.request;
    // A body that was never asked for cannot be told from the next request: the connection ends (R-D6).
    const closing = this.#closing || this.#awaitsContinue || context.stopping();
    this.#closing = this.#response.head(status, fields, end, { httpVersion, method, nowMs: context.clock.now(), closing });
    this.#phase = "answering";
    if (end) this.#endBody(undefined);
  }

  #endBody(trailers: Fields | undefined): void {
    if (!this.#response.end(trailers)) return this.#cut("relay");
    this.#phase = "ended";
    // An answer before the end of the request: what still comes is thrown away and the connection ends.
    this.#unwatch();
    this.#connection.out.flush((error) => this.#answered(error));
  }

  /** The kernel has the whole answer, or the socket failed, which its 'close' tells. */
  #answered(error: Error | null | undefined): void {
    if (this.#phase === "closed" || (error !== undefined && error !== null)) return;
    this.#phase = "closed";
    this.#tellClosed();
    this.#connection.exchangeDone(this.#connection.requestComplete && !this.#closing);
  }

  #endRaw(): void {
    if (this.#rawEnded) return;
    this.#rawEnded = true;
    this.#connection.out.flush();
    this.#connection.socket.end();
  }

  #watch(): void {
    if (this.#watched || this.#phase === "switched") return;
    this.#watched = true;
    this.#connection.context.bodyWatch.add(this);
  }

  #unwatch(): void {
    this.#flowing = false;
    if (!this.#watched) return;
    this.#watched = false;
    this.#connection.context.bodyWatch.remove(this);
  }

  /** Cuts so that the visitor can tell: a body that lasts until the connection ends has only the TCP reset for that. */
  #cut(reason: AbortReason): void {
    this.#abortReason ??= reason;
    this.#unwatch();
    const { socket, out, info } = this.#connection;
    if (this.#phase === "answering") out.flush();
    if (this.#phase === "answering" && this.#response.untilClose && info.scheme === "http") socket.resetAndDestroy();
    else socket.destroy();
  }

  #tellClosed(): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    const reason = this.#abortReason;
    if (!this.#takenOver && reason !== undefined && reason !== "relay") handler.onAbort(0);
    handler.onClose();
  }
}
