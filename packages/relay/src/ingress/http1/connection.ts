// One HTTP/1.1 connection of a visitor: bytes in, one exchange at a time out (RFC 9112). What is sent behind a request
// is not looked at before that request is answered, and never once the connection is to close (R-D7). No timer of its
// own: the engine's sweep asks how long it has been waiting. Must not know routing, policy or tunnels.

import type { Socket } from "node:net";
import { BodyDecoder } from "@sallyport/shared/http1/body-decoder";
import type { BodySink } from "@sallyport/shared/http1/chunked-decoder";
import { HeadBuffer, type HeadBufferFault } from "@sallyport/shared/http1/head-buffer";
import { parseRequestHead, type RequestHead } from "@sallyport/shared/http1/request-head";
import { dispatch, headLimitRefusal, type ConnectionInfo, type EngineContext } from "../engine.ts";
import { lingeringClose } from "../linger.ts";
import type { RefusalCode } from "../refusals.ts";
import { rawRefusal, respondWith } from "../respond.ts";
import { Http1Exchange } from "./exchange.ts";
import { OutgoingBytes } from "./outgoing-bytes.ts";

/** What may wait on a connection behind the request being answered; the socket is not read beyond it. */
const MAX_HELD_BYTES = 65_536;
/** What a head may hold beyond its counted parts: separators, and room to say 414 or 431 of a head that was read whole. */
const HEAD_SLACK_BYTES = 32 * 1_024;

/**
 * - `head`: no exchange; a head is awaited or under way.
 * - `body`: the current request has a body of which more is to come.
 * - `busy`: the current request is whole; what comes now waits.
 * - `raw`: switched to another protocol.
 * - `over`: nothing is read any more.
 */
type Mode = "head" | "body" | "busy" | "raw" | "over";

export class Http1Connection implements BodySink {
  readonly info: ConnectionInfo;
  readonly context: EngineContext;
  readonly socket: Socket;
  readonly out: OutgoingBytes;
  readonly #currentTick: () => number;
  readonly #head: HeadBuffer;
  readonly #body = new BodyDecoder();
  #mode: Mode = "head";
  #exchange: Http1Exchange | undefined;
  /** Body or raw bytes are wanted. */
  #flowing = false;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #paused = false;
  /** The visitor has ended its half; with raw bytes still held, their receiver is told behind them. */
  #visitorEnded = false;
  /** The sweep at which it began to wait for a head. */
  #waitingSince: number;
  #first = true;

  constructor(info: ConnectionInfo, context: EngineContext, socket: Socket, currentTick: () => number) {
    const { maxUrlBytes, maxHeaderBytes, maxHeaderFields } = context.limits;
    this.info = info;
    this.context = context;
    this.socket = socket;
    this.out = new OutgoingBytes(socket, () => this.#exchange?.socketDrained());
    this.#currentTick = currentTick;
    this.#waitingSince = currentTick();
    this.#head = new HeadBuffer({
      maxBytes: maxUrlBytes + maxHeaderBytes + maxHeaderFields * 4 + HEAD_SLACK_BYTES,
      maxFirstLineBytes: maxUrlBytes + HEAD_SLACK_BYTES,
    });
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#onEnd());
    socket.on("close", () => this.#onClose());
  }

  get idle(): boolean {
    return this.#mode === "head";
  }

  /** The current request has arrived whole. */
  get requestComplete(): boolean {
    return this.#mode !== "body";
  }

  /** Ends a wait for a head that has lasted too long; `tick` counts the engine's sweeps. */
  sweep(tick: number, limits: { readonly headTicks: number; readonly idleTicks: number }): void {
    if (this.#mode !== "head") return;
    const awaitsHead = this.#first || this.#head.begun;
    if (tick - this.#waitingSince <= (awaitsHead ? limits.headTicks : limits.idleTicks)) return;
    if (awaitsHead) this.#fail("ERR_REQUEST_TIMEOUT");
    else this.#finish();
  }

  // For the exchange --------------------------------------------------------------------------------------------

  /** Starts or goes on with the flow of body or raw bytes; what is held comes first, and later than this call. */
  resume(): void {
    if (this.#flowing || (this.#mode !== "body" && this.#mode !== "raw")) return;
    this.#flowing = true;
    if (this.#heldBytes > 0) queueMicrotask(() => this.#release());
    else this.#read();
  }

  pause(): void {
    if (!this.#flowing) return;
    this.#flowing = false;
    this.#stopReading();
  }

  /** From now on everything is raw bytes, both ways; what was held behind the request is the first of it. */
  switchToRaw(): void {
    this.#mode = "raw";
    this.#flowing = false;
  }

  /** Gives the socket away, flowing and with what was held put back; the receiver listens to it before this turn ends. */
  giveAway(): Socket {
    const { socket } = this;
    this.#mode = "over";
    this.#read();
    socket.removeAllListeners("data");
    socket.removeAllListeners("end");
    for (const chunk of this.#held.splice(0).reverse()) socket.unshift(chunk);
    return socket;
  }

  /** The exchange is over: `keep` when its connection can carry the next one. */
  exchangeDone(keep: boolean): void {
    this.#exchange = undefined;
    if (!keep || this.#mode !== "busy" || this.#visitorEnded || this.context.stopping() || this.socket.destroyed) return this.#finish();
    this.#mode = "head";
    this.#first = false;
    this.#waitingSince = this.#currentTick();
    if (this.#heldBytes > 0) this.#release();
    else this.#read();
  }

  // From the socket ---------------------------------------------------------------------------------------------

  #onData(chunk: Buffer): void {
    if (this.#mode === "head") this.#readHead(chunk);
    else if (this.#mode === "body" && this.#flowing) this.#readBody(chunk);
    else if (this.#mode === "raw" && this.#flowing) this.#exchange?.rawBytes(chunk);
    else if (this.#mode !== "over") this.#hold(chunk);
  }

  #onEnd(): void {
    this.#visitorEnded = true;
    if (this.#mode === "over") return;
    if (this.#exchange === undefined) this.#finish();
    else if (this.#mode !== "raw" || this.#heldBytes === 0) this.#exchange.visitorEnded();
  }

  #onClose(): void {
    this.#mode = "over";
    this.#held = [];
    this.#heldBytes = 0;
    this.#exchange?.socketClosed();
  }

  #readHead(chunk: Buffer): void {
    if (!this.#head.begun) this.#waitingSince = this.#first ? this.#waitingSince : this.#currentTick();
    const text = this.#head.push(chunk, 0);
    if (text === undefined) {
      if (this.#head.fault !== undefined) this.#fail(refusalOfFault(this.#head.fault));
      return;
    }
    const { next } = this.#head;
    const parsed = parseRequestHead(text);
    if (!parsed.ok) return this.#fail(parsed.code);
    this.#start(parsed.head);
    if (next < chunk.length) this.#onData(chunk.subarray(next));
  }

  #start(head: RequestHead): void {
    this.#body.begin(head.upgrade ? NO_BODY : head.framing);
    this.#mode = this.#body.done ? "busy" : "body";
    this.#flowing = false;
    const exchange = new Http1Exchange(this, head);
    this.#exchange = exchange;
    const refusal = headRefusal(head, this.context);
    if (refusal === undefined) return dispatch(this.context, exchange);
    const requestId = this.context.newRequestId();
    this.context.onRefused({ code: refusal, peer: this.info.peer, serverName: this.info.serverName, requestId });
    respondWith(exchange, refusal, { requestId });
  }

  #readBody(chunk: Buffer): void {
    const next = this.#body.push(chunk, 0, this);
    if (this.#mode !== "body") return;
    if (next === -1) {
      this.#flowing = false;
      this.#stopReading();
      this.#exchange?.failRequest("malformed");
    } else if (this.#body.done) {
      this.#mode = "busy";
      if (next < chunk.length) this.#hold(chunk.subarray(next));
      this.#exchange?.bodyEnded();
    }
  }

  bodyBytes(chunk: Buffer): void {
    this.#exchange?.bodyBytes(chunk);
  }

  #hold(chunk: Buffer): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes >= MAX_HELD_BYTES) this.#stopReading();
  }

  /** What was held, as if it came now. */
  #release(): void {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const chunk of held) this.#onData(chunk);
    if (this.#visitorEnded && this.#mode === "raw" && this.#heldBytes === 0) this.#exchange?.visitorEnded();
    if (this.#heldBytes < MAX_HELD_BYTES && (this.#flowing || this.#mode === "head" || this.#mode === "busy")) this.#read();
  }

  #read(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  #stopReading(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  /** There is no request that could be answered: the answer is written as it stands, and the connection ends. */
  #fail(code: RefusalCode): void {
    this.#mode = "over";
    // Browsers open connections in advance: one that never sent a byte is closed without a word.
    if (this.socket.bytesRead === 0 || !this.socket.writable) return void this.socket.destroy();
    const requestId = this.context.newRequestId();
    this.context.onRefused({ code, peer: this.info.peer, serverName: this.info.serverName, requestId });
    this.socket.write(rawRefusal(code, requestId, this.context.clock.now()));
    this.#finish();
  }

  #finish(): void {
    this.#mode = "over";
    this.#held = [];
    lingeringClose(this.socket, this.context.clock);
  }
}

const NO_BODY = Object.freeze({ kind: "none" });

/** What is refused by the head alone, before anybody looks at routes (R-A11, R-D6, R-L2). */
function headRefusal({ method, target, fields, expect }: RequestHead, { limits }: EngineContext): RefusalCode | undefined {
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") return "ERR_EXPECT";
  return headLimitRefusal(method, target, fields, limits);
}

function refusalOfFault(fault: HeadBufferFault): RefusalCode {
  switch (fault) {
    case "octet":
      return "ERR_REQUEST_MALFORMED";
    case "first-line-too-large":
      return "ERR_REQUEST_TARGET_TOO_LONG";
    case "head-too-large":
      return "ERR_FIELDS_TOO_LARGE";
  }
}
