// One HTTP/2 exchange over node:http2's core API: raw header arrays in and out, no compatibility objects.
// On the path: visitor -> [here] -> pipeline. Must not know routing, identity, policy or tunnels.

import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Fields } from "@sallyport/shared/http/fields";
import { type ConnectionInfo, type EngineContext, refuseBroken, type WatchedBody } from "./engine.ts";
import type { AbortReason, IngressExchange, IngressHandler, IngressRequest } from "./exchange.ts";
import { hasNoBody, prepareHead, prepareTrailers } from "./outgoing.ts";

/** RFC 9113 section 7. */
export const Http2Code = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  ENHANCE_YOUR_CALM: 0xb,
} as const;

/** The session an exchange runs on, as far as the exchange needs it. */
export interface Http2Host {
  readonly info: ConnectionInfo;
  readonly context: EngineContext;
  /** The stream is over; `resetByPeer`: by a reset that the relay did not ask for. */
  exchangeDone(resetByPeer: boolean): void;
}

const OPEN_LENGTH = -1;
const LAST_FRAME_CHECK_MS = 100;

type Phase = "waiting" | "answering" | "ended" | "closed";

export class Http2Exchange implements IngressExchange, WatchedBody {
  place: number | undefined;
  idleTicks = 0;
  readonly request: IngressRequest;
  readonly #host: Http2Host;
  readonly #stream: ServerHttp2Stream;
  #handler: IngressHandler | undefined;
  #phase: Phase = "waiting";
  #abortReason: AbortReason | undefined;
  #resetCode = 0;
  #awaitsContinue: boolean;
  /** Body bytes still owed under the declared Content-Length; {@link OPEN_LENGTH} without one. */
  #owedBytes = OPEN_LENGTH;
  #sendsBody = true;
  #trailers: string[] | undefined;
  #listensToBody = false;
  #listensToDrain = false;
  #flowing = false;
  #sawBytes = false;
  #takenOver = false;

  constructor(host: Http2Host, stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]) {
    this.#host = host;
    this.#stream = stream;
    this.request = describeStream(host.info, stream, headers, rawHeaders);
    this.#awaitsContinue = headers.expect?.toLowerCase() === "100-continue";
    // Every stream needs this listener: a content-length that does not hold would else end the process (R-L3).
    stream.on("error", ignoreError);
    stream.on("close", () => this.#streamClosed());
  }

  get abortReason(): AbortReason | undefined {
    return this.#abortReason;
  }

  /** True as long as no final response was begun. */
  get unanswered(): boolean {
    return this.#phase === "waiting";
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
    this.#stream.resume();
  }

  pause(): void {
    if (!this.#flowing) return;
    this.#flowing = false;
    this.#stream.pause();
  }

  sendContinue(): void {
    if (!this.#awaitsContinue || !this.#canSendHead()) return;
    this.#awaitsContinue = false;
    this.#stream.additionalHeaders({ ":status": 100 });
  }

  sendInformational(status: number, fields: Fields): void {
    if (!this.#canSendHead()) return;
    this.#stream.additionalHeaders({ ":status": status, ...toObject(prepareHead(status, fields, true).fields) });
  }

  sendHead(status: number, fields: Fields, end: boolean): void {
    if (!this.#canSendHead()) return;
    const head = prepareHead(status, fields, true);
    this.#phase = "answering";
    this.#sendsBody = this.request.method !== "HEAD" && !hasNoBody(status);
    if (this.#sendsBody && head.declaredLength !== undefined) this.#owedBytes = head.declaredLength;
    if (end && this.#owedBytes > 0) return this.#cut("relay", Http2Code.INTERNAL_ERROR);
    // nghttp2 leaves out a field that it finds invalid without saying so: prepareHead has checked them all.
    const raw = [":status", String(status), ...head.fields] as unknown as OutgoingHttpHeaders;
    const endStream = end || !this.#sendsBody;
    this.#stream.respond(raw, endStream ? { endStream: true } : { waitForTrailers: true });
    if (endStream) {
      this.#phase = "ended";
      this.#stopBody();
    } else this.#stream.on("wantTrailers", () => this.#sendTrailers());
  }

  write(chunk: Uint8Array): boolean {
    if (this.#takenOver) return true;
    return this.#writeBody(chunk);
  }

  end(trailers?: Fields): void {
    if (this.#phase !== "answering" || this.#takenOver) return;
    this.#endBody(trailers);
  }

  /** RFC 8441 is not offered, so no stream of HTTP/2 asks for a switch. */
  switchProtocols(_fields: Fields): void {
    this.abort();
  }

  abort(http2Code: number = Http2Code.INTERNAL_ERROR): void {
    if (this.#phase === "closed" || this.#takenOver) return;
    this.#cut("relay", http2Code);
  }

  /** On HTTP/2 a refusal ends its stream only; the other streams of the session are judged on their own. */
  closeConnectionAfter(): void {}

  idleSinceLastTick(): boolean {
    const idle = this.#flowing && !this.#sawBytes;
    this.#sawBytes = false;
    return idle;
  }

  timeOutBody(): void {
    if (this.#phase === "closed" || this.#takenOver) return;
    if (this.#phase !== "waiting") return this.#cut("body-timeout", Http2Code.CANCEL);
    this.#abortReason = "body-timeout";
    this.#stopBody();
    refuseBroken(this, this.#handler, "ERR_BODY_TIMEOUT", this.#host);
    this.#takenOver = true;
    this.#handler?.onAbort(0);
  }

  #canSendHead(): boolean {
    return this.#phase === "waiting" && !this.#takenOver && !this.#stream.destroyed && !this.#stream.closed;
  }

  #writeBody(chunk: Uint8Array): boolean {
    if (this.#phase !== "answering" || !this.#sendsBody || this.#stream.destroyed || this.#stream.writableEnded) return true;
    if (this.#owedBytes !== OPEN_LENGTH) {
      this.#owedBytes -= chunk.length;
      if (this.#owedBytes < 0) {
        this.#cut("relay", Http2Code.INTERNAL_ERROR);
        return true;
      }
    }
    if (this.#stream.write(chunk)) return true;
    this.#listenToDrain();
    return false;
  }

  #endBody(trailers: Fields | undefined): void {
    // A promise of length that was not kept: only a reset tells the visitor.
    if (this.#owedBytes > 0) return this.#cut("relay", Http2Code.INTERNAL_ERROR);
    if (trailers !== undefined && trailers.length > 0) this.#trailers = prepareTrailers(trailers, true);
    this.#phase = "ended";
    this.#stopBody();
    if (this.#sendsBody) this.#stream.end();
  }

  /** Without trailers node:http2 turns the empty block into an empty DATA frame with END_STREAM. */
  #sendTrailers(): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    try {
      this.#stream.sendTrailers(this.#trailers === undefined ? {} : toObject(this.#trailers));
    } catch {
      // Called by node:http2 itself: what is thrown here ends the process (R-L9). Trailers that it does not take cost this stream.
      this.#cut("relay", Http2Code.INTERNAL_ERROR);
    }
  }

  #listenToBody(): void {
    this.#listensToBody = true;
    this.#host.context.bodyWatch.add(this);
    this.#stream.on("data", (chunk: Uint8Array) => {
      this.#sawBytes = true;
      if (this.#phase !== "ended" && this.#phase !== "closed" && !this.#takenOver) this.#handler?.onData(chunk);
    });
    this.#stream.on("end", () => {
      this.#host.context.bodyWatch.remove(this);
      this.#flowing = false;
      // A reset ends the readable side too, before 'close' tells: a cut upload must not look whole.
      if (this.#stream.closed || this.#phase === "closed" || this.#phase === "ended" || this.#takenOver) return;
      this.#handler?.onEnd();
    });
  }

  #listenToDrain(): void {
    if (this.#listensToDrain) return;
    this.#listensToDrain = true;
    this.#stream.on("drain", () => {
      if (this.#phase === "answering") this.#handler?.onDrain();
    });
  }

  #stopBody(): void {
    this.#flowing = false;
    this.#host.context.bodyWatch.remove(this);
    if (this.#phase === "ended" && !this.#stream.readableEnded && !this.request.bodyless) setImmediate(() => this.#stopUpload());
  }

  /**
   * After a whole answer to half a request the client is told to stop (RFC 9113 section 8.1). The reset must not pass
   * the answer's last frame, which nghttp2 would then drop: localClose says that it has gone out.
   */
  #stopUpload(): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    if (this.#stream.state.localClose === 1) this.#stream.close(Http2Code.NO_ERROR);
    else this.#host.context.clock.after(LAST_FRAME_CHECK_MS, () => this.#stopUpload());
  }

  #cut(reason: AbortReason, http2Code: number): void {
    this.#abortReason ??= reason;
    this.#stopBody();
    this.#stream.close(http2Code);
  }

  #streamClosed(): void {
    if (this.#phase === "closed") return;
    const complete = this.#phase === "ended" && this.#stream.rstCode === Http2Code.NO_ERROR;
    this.#phase = "closed";
    this.#stopBody();
    const resetByPeer = this.#abortReason === undefined && this.#stream.rstCode !== Http2Code.NO_ERROR;
    if (!complete) {
      this.#abortReason ??= "visitor";
      this.#resetCode = this.#stream.rstCode ?? Http2Code.CANCEL;
    }
    this.#tellClosed();
    this.#host.exchangeDone(resetByPeer);
  }

  #tellClosed(): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    const reason = this.#abortReason;
    if (!this.#takenOver && reason !== undefined && reason !== "relay") handler.onAbort(this.#resetCode);
    handler.onClose();
  }
}

function describeStream(
  info: ConnectionInfo,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): IngressRequest {
  // Pseudo-fields come first (RFC 9113 section 8.3; nghttp2 refuses another order).
  let firstField = 0;
  while (firstField < rawHeaders.length && (rawHeaders[firstField] as string).startsWith(":")) firstField += 2;
  return {
    httpVersion: "2.0",
    method: headers[":method"] ?? "",
    target: headers[":path"] ?? "",
    authority: headers[":authority"],
    fields: rawHeaders.slice(firstField),
    scheme: info.scheme,
    serverName: info.serverName,
    clientCheck: info.clientCheck,
    peer: info.peer,
    upgrade: false,
    bodyless: stream.endAfterHeaders,
  };
}

/** The object form, for the calls of node:http2 that know no arrays: values of one name in order, names in order of first use. */
function toObject(fields: readonly string[]): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    const before = object[name];
    if (before === undefined) object[name] = value;
    else if (typeof before === "string") object[name] = [before, value];
    else before.push(value);
  }
  return object;
}

function ignoreError(): void {}
