// Reads one response after another from the octets of a connection to an origin: interim heads, the final one, body,
// trailers (R-D9). One per connection, made ready for each exchange. Must not know sockets, pools or streams.

import type { Fields } from "@sallyport/shared/http/fields";
import { BodyDecoder } from "@sallyport/shared/http1/body-decoder";
import type { BodyFraming } from "@sallyport/shared/http1/body-decoder";
import type { BodySink } from "@sallyport/shared/http1/chunked-decoder";
import { HeadBuffer } from "@sallyport/shared/http1/head-buffer";
import type { HeadLimits } from "@sallyport/shared/http1/head-buffer";
import { parseResponseHead } from "@sallyport/shared/http1/response-head";
import type { ResponseHead } from "@sallyport/shared/http1/response-head";

import { MAX_RESPONSE_HEAD_BYTES } from "./exchange.ts";

const LIMITS: HeadLimits = { maxBytes: MAX_RESPONSE_HEAD_BYTES, maxFirstLineBytes: MAX_RESPONSE_HEAD_BYTES };

/** What every response begins with. Told from the first octets: an SSH server's greeting has no empty line to wait for. */
const START = Buffer.from("HTTP/1.", "latin1");

const NO_BODY: BodyFraming = { kind: "none" };
const UNTIL_CLOSE: BodyFraming = { kind: "until-close" };

/** Is told what was read. Any of its methods may call {@link ResponseReader.stop}. */
export interface ResponseSink extends BodySink {
  /** 1xx but 101. */
  interim(status: number, fields: Fields): void;
  /** 101; the octets behind the head are no HTTP. `first` is a view of what was fed. Last call. */
  switched(fields: Fields, first: Buffer): void;
  /** `end`: neither body nor trailers follow, and complete() comes next. */
  head(status: number, fields: Fields, end: boolean): void;
  /**
   * The response is whole. Last call.
   * @param keep as far as the response says, the connection may carry another exchange
   * @param keepAliveTimeoutS the origin closes it when unused for so long; undefined when it does not say
   */
  complete(trailers: Fields, keep: boolean, keepAliveTimeoutS: number | undefined): void;
  /** The octets are no response, or not the one that was announced. Last call. */
  malformed(code: string): void;
  /** Octets that belong to no response. Last call. */
  stray(): void;
}

/** `idle`: no exchange is under way. `over`: what still comes is of no interest. */
type State = "idle" | "head" | "body" | "over";

export class ResponseReader {
  readonly #sink: ResponseSink;
  readonly #heads = new HeadBuffer(LIMITS);
  readonly #body = new BodyDecoder();
  #state: State = "idle";
  #headOnly = false;
  #keep = false;
  #keepAliveTimeoutS: number | undefined;
  #untilClose = false;
  #begun = false;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** An octet of the current response has come. */
  get begun(): boolean {
    return this.#begun;
  }

  /** A request leaves: its response is what comes next. */
  begin(method: string): void {
    this.#state = "head";
    this.#headOnly = method === "HEAD";
    this.#begun = false;
  }

  /** The sink is called no more. */
  stop(): void {
    this.#state = "over";
  }

  /** @param chunk need not outlast the call */
  read(chunk: Buffer): void {
    this.#begun = true;
    for (let at = 0; at < chunk.length;) {
      switch (this.#state) {
        case "head":
          at = this.#readHead(chunk, at);
          break;
        case "body":
          at = this.#readBody(chunk, at);
          break;
        case "idle":
          this.#state = "over";
          return this.#sink.stray();
        case "over":
          return;
      }
    }
  }

  /**
   * The origin ended the connection in order.
   * @returns whether that completed the response; complete() was called then
   */
  end(): boolean {
    if (this.#state !== "body" || !this.#untilClose) return false;
    this.#complete(false);
    return true;
  }

  #readHead(chunk: Buffer, at: number): number {
    if (!this.#heads.begun && !mayBeResponse(chunk, at)) return this.#malformed("ERR_RESPONSE_MALFORMED", chunk);
    const text = this.#heads.push(chunk, at);
    if (text === undefined) return this.#heads.fault === undefined ? chunk.length : this.#malformed(this.#heads.fault, chunk);
    const read = parseResponseHead(text);
    if (!read.ok) return this.#malformed(read.code, chunk);
    return this.#takeHead(read.head, chunk, this.#heads.next);
  }

  #takeHead(head: ResponseHead, chunk: Buffer, next: number): number {
    const { status, fields } = head;
    if (status === 101) {
      this.#state = "over";
      this.#sink.switched(fields, chunk.subarray(next));
    } else if (status < 200) {
      // There are none in HTTP/1.0, and behind one that closes the connection nothing can follow.
      if (!head.keepAlive) return this.#malformed("ERR_RESPONSE_MALFORMED", chunk);
      this.#sink.interim(status, fields);
    } else this.#takeFinalHead(head, next === chunk.length);
    return next;
  }

  #takeFinalHead(head: ResponseHead, last: boolean): void {
    const framing = bodyFraming(head, this.#headOnly);
    this.#body.begin(framing);
    this.#untilClose = framing === UNTIL_CLOSE;
    this.#keep = head.keepAlive && !this.#untilClose && !this.#promisesBodyInVain(head);
    this.#keepAliveTimeoutS = head.keepAliveTimeoutS;
    this.#state = "body";
    const end = this.#body.done;
    this.#sink.head(head.status, head.fields, end);
    if (end && this.#state === "body") this.#complete(last);
  }

  /**
   * There is no body, but the head reads as if there were: an origin that sends one nevertheless, and a moment later,
   * would answer the next request with it. A 304 may tell the length of what it stands for (RFC 9110 section 8.6).
   */
  #promisesBodyInVain({ status, framing }: ResponseHead): boolean {
    if (this.#headOnly) return true;
    if (status === 304) return framing.kind === "chunked";
    return status === 204 && framing.kind !== "none" && !(framing.kind === "length" && framing.length === 0);
  }

  #readBody(chunk: Buffer, at: number): number {
    const next = this.#body.push(chunk, at, this.#sink);
    if (this.#state !== "body") return chunk.length;
    if (next === -1) return this.#malformed("ERR_RESPONSE_CHUNK", chunk);
    if (this.#body.done) this.#complete(next === chunk.length);
    return next;
  }

  /** @param last no octet came behind the response */
  #complete(last: boolean): void {
    this.#state = last ? "idle" : "over";
    this.#sink.complete(this.#body.trailers, this.#keep && last, this.#keepAliveTimeoutS);
  }

  #malformed(code: string, chunk: Buffer): number {
    this.#state = "over";
    this.#sink.malformed(code);
    return chunk.length;
  }
}

/** RFC 9112 section 6.3. */
function bodyFraming({ status, framing }: ResponseHead, headOnly: boolean): BodyFraming {
  if (headOnly || status === 204 || status === 304) return NO_BODY;
  return framing.kind === "none" ? UNTIL_CLOSE : framing;
}

function mayBeResponse(chunk: Buffer, at: number): boolean {
  const end = Math.min(START.length, chunk.length - at);
  for (let i = 0; i < end; i++) if (chunk[at + i] !== START[i]) return false;
  return true;
}
