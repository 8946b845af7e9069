// One upgrade request on HTTP/1.1: waits for the decision with the socket untouched, then becomes raw bytes both
// ways with half-close, or an ordinary response after which the connection ends (R-D5, T10). Bytes that the visitor
// sent behind the request stay in the socket's buffer, bounded by its high-water mark of 64 KiB, until the switch.
// Must not know WebSocket frames.

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Fields } from "@sallyport/shared/http/fields";
import type { ConnectionInfo, EngineContext } from "./engine.ts";
import type { AbortReason, IngressExchange, IngressHandler, IngressRequest, TakenUpgrade } from "./exchange.ts";
import { Http1Exchange } from "./http1.ts";
import { describeRequest, ignoreError, TrackedResponse } from "./http1-message.ts";
import { lingeringClose } from "./linger.ts";
import { prepareHead } from "./outgoing.ts";

type Phase = "waiting" | "declined" | "switched" | "closed";

export class Http1UpgradeExchange implements IngressExchange {
  readonly request: IngressRequest;
  readonly #info: ConnectionInfo;
  readonly #context: EngineContext;
  readonly #req: IncomingMessage;
  readonly #socket: Socket;
  readonly #onDone: () => void;
  #handler: IngressHandler | undefined;
  #phase: Phase = "waiting";
  #abortReason: AbortReason | undefined;
  #response: Http1Exchange | undefined;
  #listensToData = false;
  #ended = false;

  /** @param onDone called once when the socket is closed. */
  constructor(info: ConnectionInfo, context: EngineContext, req: IncomingMessage, socket: Socket, pipelined: Buffer, onDone: () => void) {
    this.#info = info;
    this.#context = context;
    this.#req = req;
    this.#socket = socket;
    this.#onDone = onDone;
    this.request = describeRequest(info, req, true);
    socket.setTimeout(0);
    socket.on("error", ignoreError);
    socket.on("close", () => this.#socketClosed());
    if (pipelined.length > 0) socket.unshift(pipelined);
  }

  get unanswered(): boolean {
    return this.#phase === "waiting";
  }

  get abortReason(): AbortReason | undefined {
    return this.#response?.abortReason ?? this.#abortReason;
  }

  setHandler(handler: IngressHandler): void {
    this.#handler = handler;
    if (this.#response !== undefined) this.#response.setHandler(handler);
    else if (this.#phase === "closed") queueMicrotask(() => this.#tellClosed());
  }

  /** Before the switch there is nothing to read: what the visitor sends is held in the socket. */
  resume(): void {
    if (this.#phase !== "switched") return;
    if (!this.#listensToData) this.#listenToData();
    this.#socket.resume();
  }

  pause(): void {
    if (this.#phase === "switched") this.#socket.pause();
  }

  sendContinue(): void {
    // An upgrade request has no body to wait for.
  }

  sendInformational(status: number, fields: Fields): void {
    this.#declined().sendInformational(status, fields);
  }

  sendHead(status: number, fields: Fields, end: boolean): void {
    if (this.#phase === "switched") return;
    this.#declined().sendHead(status, fields, end);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#response !== undefined) return this.#response.write(chunk);
    if (this.#phase !== "switched" || this.#ended) return true;
    return this.#socket.write(chunk);
  }

  end(trailers?: Fields): void {
    if (this.#response !== undefined) return this.#response.end(trailers);
    if (this.#phase !== "switched" || this.#ended) return;
    this.#ended = true;
    this.#socket.end();
  }

  switchProtocols(fields: Fields): void {
    if (this.#phase !== "waiting") return;
    // prepareHead drops connection fields and refuses what HTTP cannot carry; these two belong to the engine.
    const { fields: out } = prepareHead(101, fields, false);
    let text = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    for (let i = 0; i < out.length; i += 2) text += `${out[i]}: ${out[i + 1]}\r\n`;
    this.#phase = "switched";
    this.#socket.on("drain", () => this.#handler?.onDrain());
    this.#socket.write(`${text}\r\n`, "latin1");
  }

  abort(): void {
    if (this.#phase === "closed") return;
    this.#abortReason ??= "relay";
    if (this.#response !== undefined) this.#response.abort();
    else this.#socket.destroy();
  }

  closeConnectionAfter(): void {
    // Either way the connection ends with this exchange.
  }

  takeUpgrade(): TakenUpgrade | undefined {
    if (this.#phase !== "waiting") return undefined;
    this.#phase = "closed";
    queueMicrotask(() => this.#tellClosed());
    return { message: this.#req, socket: this.#socket };
  }

  #listenToData(): void {
    this.#listensToData = true;
    this.#socket.on("data", (chunk: Uint8Array) => this.#handler?.onData(chunk));
    this.#socket.on("end", () => this.#handler?.onEnd());
    // A visitor who left before the switch: its end may have been told already, and no read would tell it again.
    if (this.#socket.readableEnded) queueMicrotask(() => this.#handler?.onEnd());
  }

  #declined(): Http1Exchange {
    if (this.#response === undefined) {
      if (this.#phase === "waiting") this.#phase = "declined";
      this.#response = answerOnSocket(this.#info, this.#context, this.#req, this.#socket);
      if (this.#handler !== undefined) this.#response.setHandler(this.#handler);
    }
    return this.#response;
  }

  #socketClosed(): void {
    const finished = this.#phase === "switched" && this.#ended && this.#socket.readableEnded && !this.#socket.errored;
    if (!finished) this.#abortReason ??= "visitor";
    this.#phase = "closed";
    if (this.#response === undefined) this.#tellClosed();
    this.#onDone();
  }

  #tellClosed(): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    if (this.#abortReason === "visitor") handler.onAbort(0);
    handler.onClose();
  }
}

/**
 * An ordinary response on a socket that node:http has let go of (upgrade, CONNECT); the connection ends after it.
 * node:http no longer forwards 'drain', 'finish' and 'close' there, so this does.
 */
export function answerOnSocket(info: ConnectionInfo, context: EngineContext, req: IncomingMessage, socket: Socket): Http1Exchange {
  const res = new TrackedResponse(req);
  const host = { info, context, socket, stopParsing: () => {}, exchangeDone: () => lingeringClose(socket, context.clock) };
  const exchange = new Http1Exchange(host, req, res, false);
  res.assignSocket(socket);
  socket.on("drain", () => res.emit("drain"));
  res.on("finish", () => {
    res.detachSocket(socket);
    exchange.responseClosed();
  });
  exchange.closeConnectionAfter();
  return exchange;
}
