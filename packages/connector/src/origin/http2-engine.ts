// HTTP/2 to one origin through node:http2 (END_STREAM on heads and the RST code, which gRPC needs, are to be had there):
// over TLS by ALPN, else with prior knowledge (h2c). Must not know streams of the tunnel or services.

import { constants } from "node:http2";
import type { ClientHttp2Stream } from "node:http2";

import type { Fields } from "@sallyport/shared/http/fields";
import { readFraming } from "@sallyport/shared/http/framing";
import { ResetCode } from "@sallyport/shared/protocol/codes";

import type { DialOptions } from "./dial.ts";
import { failure } from "./exchange.ts";
import type { OpenOptions, OriginEngine, OriginExchange, OriginFailure, OriginHandler, OriginRequest } from "./exchange.ts";
import { Http2Sessions } from "./http2-sessions.ts";
import type { Http2Session } from "./http2-sessions.ts";
import { latin1Fields } from "./response.ts";

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM, NGHTTP2_FLAG_END_STREAM } = constants;

export class Http2Engine implements OriginEngine {
  readonly #sessions: Http2Sessions;
  readonly #scheme: string;

  /** @param poolIdleMs how long a session without streams is kept */
  constructor(dialOptions: Omit<DialOptions, "protocol" | "halfOpen">, poolIdleMs: number) {
    this.#sessions = new Http2Sessions({ ...dialOptions, protocol: "h2" }, poolIdleMs);
    this.#scheme = dialOptions.address.kind === "http" && dialOptions.address.secure ? "https" : "http";
  }

  open(request: OriginRequest, handler: OriginHandler, options: OpenOptions = {}): OriginExchange {
    return new Http2Exchange(this.#sessions, this.#scheme, request, handler, options.fresh ?? false);
  }

  close(): void {
    this.#sessions.close();
  }
}

class Http2Exchange implements OriginExchange {
  readonly #scheme: string;
  readonly #request: OriginRequest;
  readonly #handler: OriginHandler;
  #giveUpConnecting: (() => void) | undefined;
  #session: Http2Session | undefined;
  #stream: ClientHttp2Stream | undefined;
  #reused = false;
  #headSeen = false;
  #trailers: Fields = [];
  /** Body bytes that the declared length still promises; undefined when none was declared. */
  #missingBytes: number | undefined;
  #over = false;

  constructor(sessions: Http2Sessions, scheme: string, request: OriginRequest, handler: OriginHandler, fresh: boolean) {
    this.#scheme = scheme;
    this.#request = request;
    this.#handler = handler;
    this.#giveUpConnecting = sessions.acquire(
      (session) => this.#send(session),
      (reason) => this.#fail(reason),
      fresh,
    );
  }

  #send(session: Http2Session): void {
    this.#giveUpConnecting = undefined;
    this.#session = session;
    this.#reused = session.reused;
    const stream = session.request(this.#headers(), this.#request.body.kind === "none");
    if (stream === undefined) return this.#fail(failure(ResetCode.REQUEST_INVALID, "request cannot be written as HTTP/2"));
    this.#stream = stream;
    stream.on("headers", (_headers: unknown, _flags: unknown, raw: unknown) => this.#onInterim(latin1Fields(raw)));
    stream.on("response", (_headers: unknown, flags: number, raw: unknown) => this.#onResponse(latin1Fields(raw), flags));
    stream.on("trailers", (_headers: unknown, _flags: unknown, raw: unknown) => (this.#trailers = latin1Fields(raw)));
    stream.on("drain", () => !this.#over && this.#handler.writable());
    // Why it ended is read from the stream when it closes.
    stream.on("error", ignore);
    stream.on("close", () => this.#onClose(stream));
    this.#handler.ready();
  }

  #headers(): string[] {
    const { method, path, authority, fields, body } = this.#request;
    const headers = [":method", method, ":scheme", this.#scheme, ":authority", authority, ":path", path];
    for (let i = 0; i < fields.length; i += 2) headers.push((fields[i] as string).toLowerCase(), fields[i + 1] as string);
    if (body.kind === "length") headers.push("content-length", String(body.bytes));
    return headers;
  }

  #onInterim(raw: Fields): void {
    if (!this.#over) this.#handler.interim(statusOf(raw), withoutPseudo(raw));
  }

  #onResponse(raw: Fields, flags: number): void {
    const stream = this.#stream;
    if (this.#over || stream === undefined) return;
    this.#headSeen = true;
    const end = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    const framing = readFraming(raw, "2.0");
    if (!end && framing.kind === "length") this.#missingBytes = framing.length;
    this.#handler.head(statusOf(raw), withoutPseudo(raw), end);
    stream.on("data", (chunk: Buffer) => this.#onData(chunk));
    stream.on("end", () => this.#onEnd(stream));
  }

  #onData(chunk: Buffer): void {
    if (this.#missingBytes !== undefined) this.#missingBytes -= chunk.length;
    if (!this.#over) this.#handler.body(chunk);
  }

  #onEnd(stream: ClientHttp2Stream): void {
    // The stream of an origin that died mid-response ends like a whole one; only its code tells.
    if (this.#over || stream.rstCode !== NGHTTP2_NO_ERROR || this.#session?.broken === true) return;
    // RST_STREAM(NO_ERROR) looks the same, but for the length.
    if ((this.#missingBytes ?? 0) !== 0) return this.#fail(failure(ResetCode.ORIGIN_CLOSED, "shorter than declared"));
    this.#over = true;
    // The origin has answered; what the visitor still uploads is of no use to it.
    if (!stream.writableFinished) stream.close(NGHTTP2_CANCEL);
    this.#handler.complete(this.#trailers);
  }

  #onClose(stream: ClientHttp2Stream): void {
    if (this.#over) return;
    const code = stream.rstCode;
    if (code === NGHTTP2_REFUSED_STREAM) return this.#fail(failure(ResetCode.ORIGIN_CLOSED, "REFUSED_STREAM", "unprocessed", code));
    const session = this.#session;
    if (session?.broken === true) {
      const retry = this.#reused && !this.#headSeen ? "if-idempotent" : "no";
      return this.#fail(failure(session.brokeProtocol ? ResetCode.ORIGIN_PROTOCOL : ResetCode.ORIGIN_CLOSED, session.problem, retry));
    }
    this.#fail(failure(ResetCode.ORIGIN_CLOSED, "RST_STREAM", "no", code));
  }

  write(chunk: Uint8Array): boolean {
    const stream = this.#stream;
    return this.#over || stream === undefined || !stream.writable || stream.write(chunk);
  }

  end(): void {
    if (!this.#over && this.#request.body.kind !== "none") this.#stream?.end();
  }

  pause(): void {
    if (!this.#over) this.#stream?.pause();
  }

  resume(): void {
    if (!this.#over) this.#stream?.resume();
  }

  abort(http2Code: number = 0): void {
    if (this.#over) return;
    this.#over = true;
    this.#destroy(http2Code);
  }

  #fail(reason: OriginFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.#destroy(0);
    this.#handler.failed(reason);
  }

  #destroy(http2Code: number): void {
    this.#giveUpConnecting?.();
    this.#giveUpConnecting = undefined;
    if (this.#stream?.closed === false) this.#stream.close(http2Code === NGHTTP2_NO_ERROR ? NGHTTP2_CANCEL : http2Code);
    // A paused stream with unread bytes would never close by itself.
    this.#stream?.resume();
  }
}

function ignore(): void {}

function statusOf(raw: Fields): number {
  return raw[0] === ":status" ? Number(raw[1]) : 0;
}

function withoutPseudo(raw: Fields): Fields {
  return raw[0] === ":status" ? raw.slice(2) : raw;
}
