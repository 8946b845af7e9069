// One HTTP/1.1 exchange over node:http's request and response objects. It adds as few listeners as it can: a small
// request without body costs one on 'close' and one on 'error'. Raw field arrays in and out, no stream piping.
// On the path: visitor -> [here] -> pipeline. Must not know routing, identity, policy or tunnels.

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Fields } from "@sallyport/shared/http/fields";
import type { ConnectionInfo, EngineContext, WatchedBody } from "./engine.ts";
import type { AbortReason, IngressExchange, IngressHandler, IngressRequest } from "./exchange.ts";
import { describeRequest, flushSoon, ignoreError, inPairs, type TrackedResponse } from "./http1-message.ts";
import { hasNoBody, prepareHead, prepareTrailers } from "./outgoing.ts";
import { respondWith } from "./respond.ts";

/** The connection an exchange runs on, as far as the exchange needs it. */
export interface Http1Host {
  readonly info: ConnectionInfo;
  readonly context: EngineContext;
  readonly socket: Socket;
  /** Nothing more of this connection is parsed; it closes after the current response. */
  stopParsing(): void;
  /** The exchange is over: `keep` when its connection can carry the next one. */
  exchangeDone(keep: boolean): void;
}

const OPEN_LENGTH = -1;

type Phase = "waiting" | "answering" | "ended" | "closed";

export class Http1Exchange implements IngressExchange, WatchedBody {
  readonly request: IngressRequest;
  readonly #host: Http1Host;
  readonly #req: IncomingMessage;
  readonly #res: TrackedResponse;
  #handler: IngressHandler | undefined;
  #phase: Phase = "waiting";
  #abortReason: AbortReason | undefined;
  /** The visitor waits for 100 Continue and has not got it. */
  #awaitsContinue: boolean;
  /** Body bytes still owed under the declared Content-Length; {@link OPEN_LENGTH} without one. */
  #owedBytes = OPEN_LENGTH;
  #sendsBody = true;
  #listensToBody = false;
  #listensToDrain = false;
  #flowing = false;
  #sawBytes = false;
  #closing = false;
  /** An answer of the engine itself is under way: the owner's calls no longer count. */
  #takenOver = false;

  constructor(host: Http1Host, req: IncomingMessage, res: TrackedResponse, awaitsContinue: boolean) {
    this.#host = host;
    this.#req = req;
    this.#res = res;
    this.#awaitsContinue = awaitsContinue;
    this.request = describeRequest(host.info, req, false);
    res.exchange = this;
    res.on("close", onResponseClose);
    res.on("error", ignoreError);
  }

  /** Why this exchange ended early, for the record; undefined after a regular end. */
  get abortReason(): AbortReason | undefined {
    return this.#abortReason;
  }

  /** True as long as no byte of a final response was given to node:http. */
  get unanswered(): boolean {
    return this.#phase === "waiting";
  }

  get requestComplete(): boolean {
    return this.request.bodyless || this.#req.complete;
  }

  setHandler(handler: IngressHandler): void {
    this.#handler = handler;
    if (this.#phase === "closed") queueMicrotask(() => this.#tellClosed());
  }

  resume(): void {
    if (this.request.bodyless || this.#phase === "ended" || this.#phase === "closed") return;
    this.#flowing = true;
    this.#sawBytes = true;
    if (!this.#listensToBody) this.#listenToBody();
    this.#req.resume();
  }

  pause(): void {
    if (!this.#flowing) return;
    this.#flowing = false;
    this.#req.pause();
  }

  sendContinue(): void {
    if (!this.#awaitsContinue || this.#phase !== "waiting" || this.#takenOver) return;
    this.#awaitsContinue = false;
    this.#res.writeContinue();
  }

  sendInformational(status: number, fields: Fields): void {
    if (this.request.httpVersion === "1.0" || this.#phase !== "waiting" || this.#takenOver) return;
    // writeEarlyHints() checks its links for a form of its own, and takes no flat list; the line itself is simple.
    const { fields: out } = prepareHead(status, fields, false);
    let text = `HTTP/1.1 ${status} ${status === 103 ? "Early Hints" : "Interim"}\r\n`;
    for (let i = 0; i < out.length; i += 2) text += `${out[i]}: ${out[i + 1]}\r\n`;
    this.#host.socket.write(`${text}\r\n`, "latin1");
  }

  sendHead(status: number, fields: Fields, end: boolean): void {
    if (this.#takenOver) return;
    this.#writeHead(status, fields, end);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#takenOver) return true;
    return this.#writeBody(chunk);
  }

  end(trailers?: Fields): void {
    if (!this.#takenOver) this.#endBody(trailers);
  }

  switchProtocols(_fields: Fields): void {
    this.abort();
  }

  abort(_http2Code?: number): void {
    if (this.#phase === "closed" || this.#takenOver) return;
    this.#cut("relay");
  }

  closeConnectionAfter(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#res.shouldKeepAlive = false;
    this.#host.stopParsing();
  }

  idleSinceLastTick(): boolean {
    const idle = this.#flowing && !this.#sawBytes;
    this.#sawBytes = false;
    return idle;
  }

  timeOutBody(): void {
    this.failRequest("body-timeout");
  }

  /** The request broke after its head: answers 408 or 400 if no answer has begun, and cuts the connection otherwise. */
  failRequest(reason: "body-timeout" | "malformed"): void {
    if (this.#phase === "closed" || this.#takenOver) return;
    if (this.#phase !== "waiting") return this.#cut(reason);
    this.#abortReason = reason;
    this.#stopBody();
    this.closeConnectionAfter();
    const { context, info } = this.#host;
    const code = reason === "body-timeout" ? "ERR_BODY_TIMEOUT" : "ERR_REQUEST_FRAMING";
    const requestId = context.newRequestId();
    respondWith(this, code, { requestId });
    this.#takenOver = true;
    context.onRefused({ code, peer: info.peer, serverName: info.serverName, requestId });
    this.#handler?.onAbort(0);
  }

  /** The socket is gone or useless; node:http follows with 'close' on the response. */
  visitorGone(): void {
    if (this.#phase === "closed") return;
    this.#abortReason ??= "visitor";
    this.#host.socket.destroy();
  }

  /** Called for 'close' of the response: after it was handed to the kernel, or when the socket went away. */
  responseClosed(): void {
    if (this.#phase === "closed") return;
    const complete = this.#res.writableFinished && this.#phase === "ended";
    this.#phase = "closed";
    this.#stopBody();
    if (!complete) this.#abortReason ??= "visitor";
    const keep = complete && !this.#closing && this.requestComplete;
    if (keep && this.#listensToBody) this.#req.resume();
    this.#tellClosed();
    this.#host.exchangeDone(keep);
  }

  #writeHead(status: number, fields: Fields, end: boolean): void {
    if (this.#phase !== "waiting") return;
    const head = prepareHead(status, fields, false);
    this.#phase = "answering";
    this.#sendsBody = this.request.method !== "HEAD" && !hasNoBody(status);
    if (this.#sendsBody && head.declaredLength !== undefined) this.#owedBytes = head.declaredLength;
    if (end && this.#sendsBody && head.declaredLength === undefined) head.fields.push("Content-Length", "0");
    // A body that was never asked for cannot be told from the next request: the connection ends (R-D6).
    if (this.#awaitsContinue || this.#host.context.stopping()) this.closeConnectionAfter();
    this.#res.writeHead(status, head.fields);
    if (end) this.#endBody(undefined);
    else flushSoon(this.#res);
  }

  #writeBody(chunk: Uint8Array): boolean {
    if (this.#phase !== "answering" || !this.#sendsBody || this.#res.destroyed) return true;
    if (this.#owedBytes !== OPEN_LENGTH) {
      this.#owedBytes -= chunk.length;
      if (this.#owedBytes < 0) {
        this.#cut("relay");
        return true;
      }
    }
    if (this.#res.write(chunk)) return true;
    this.#listenToDrain();
    return false;
  }

  #endBody(trailers: Fields | undefined): void {
    if (this.#phase !== "answering") return;
    // A promise of length that was not kept: only a cut tells the visitor (R-D2).
    if (this.#owedBytes > 0) return this.#cut("relay");
    if (trailers !== undefined && trailers.length > 0 && this.#res.chunkedEncoding) {
      this.#res.addTrailers(inPairs(prepareTrailers(trailers, false)));
    }
    this.#phase = "ended";
    // An answer before the end of the request: what still comes is thrown away and the connection ends.
    if (!this.requestComplete) this.#stopBody();
    this.#res.end();
  }

  #listenToBody(): void {
    this.#listensToBody = true;
    this.#host.context.bodyWatch.add(this);
    this.#req.on("data", (chunk: Uint8Array) => {
      this.#sawBytes = true;
      if (this.#phase !== "ended" && this.#phase !== "closed") this.#handler?.onData(chunk);
    });
    this.#req.on("end", () => {
      this.#host.context.bodyWatch.remove(this);
      this.#flowing = false;
      if (this.#phase !== "closed" && !this.#takenOver) this.#handler?.onEnd();
    });
  }

  #listenToDrain(): void {
    if (this.#listensToDrain) return;
    this.#listensToDrain = true;
    this.#res.on("drain", () => {
      if (this.#phase === "answering") this.#handler?.onDrain();
    });
  }

  #stopBody(): void {
    if (!this.#listensToBody) return;
    this.#flowing = false;
    this.#host.context.bodyWatch.remove(this);
    this.#req.removeAllListeners("data");
    this.#req.removeAllListeners("end");
  }

  /** Cuts so that the visitor can tell: a close-delimited body has only the TCP reset for that. */
  #cut(reason: AbortReason): void {
    this.#abortReason ??= reason;
    this.#stopBody();
    const { socket } = this.#host;
    const closeDelimited = this.#phase === "answering" && this.#owedBytes === OPEN_LENGTH && !this.#res.chunkedEncoding;
    if (closeDelimited && this.#host.info.scheme === "http") socket.resetAndDestroy();
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

function onResponseClose(this: TrackedResponse): void {
  (this.exchange as Http1Exchange | undefined)?.responseClosed();
}
