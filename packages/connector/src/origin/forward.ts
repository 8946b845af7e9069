// One HTTP exchange: from a stream of the tunnel to an origin and back, as bytes arrive, with backpressure in both
// directions, the limits of the service, and the retries that are safe (R-D4). The glue between mux and engine.
// Must not know which engine it drives, nor how the origin was chosen.

import type { Duplex } from "node:stream";

import type { Clock, Timer } from "@sallyport/shared/clock";
import { firstValue } from "@sallyport/shared/http/fields";
import type { Fields } from "@sallyport/shared/http/fields";
import { trailersToForward } from "@sallyport/shared/http/response-fields";
import { isUpgradeAccepted } from "@sallyport/shared/http/upgrade";
import { LogField } from "@sallyport/shared/log-fields";
import type { ResetDetail, Stream, StreamHandler } from "@sallyport/shared/mux/stream";
import { ResetCode } from "@sallyport/shared/protocol/codes";
import type { ResponseHead } from "@sallyport/shared/protocol/head";

import { failure, hasNoContent, isRepeatable } from "./exchange.ts";
import type { OriginExchange, OriginFailure, OriginHandler, OriginRequest, RawReader } from "./exchange.ts";
import type { OriginLogger } from "./logger.ts";
import type { Origin } from "./origin.ts";
import { RawPipe } from "./raw-pipe.ts";
import { checkResponseFields } from "./response.ts";
import type { Service } from "./service.ts";

/** 103 responses passed on per exchange (R-D6); the protocol allows no more. Further ones are dropped. */
const MAX_EARLY_HINTS = 8;
/** Interim responses of any kind per exchange: an origin that sends more never means to answer. */
const MAX_INTERIM = 1_000;

/**
 * - `connecting`: waiting for a connection; body bytes are held.
 * - `sending`: the request is on its way, the response may have begun.
 * - `answered`: the response is whole while the visitor still sends; that is thrown away.
 * - `switched`: raw bytes both ways.
 * - `over`.
 */
type Phase = "connecting" | "sending" | "answered" | "switched" | "over";

export interface ForwardContext {
  readonly clock: Clock;
  readonly logger: OriginLogger;
}

export class Forward implements StreamHandler, OriginHandler {
  readonly #stream: Stream;
  readonly #service: Service;
  readonly #request: OriginRequest;
  readonly #context: ForwardContext;
  readonly #bodyLimitBytes: number;
  #phase: Phase = "connecting";
  #origin: Origin | undefined;
  #exchange: OriginExchange | undefined;
  #pipe: RawPipe | undefined;
  readonly #tried: Origin[] = [];
  #retried = false;
  #leaveQueue: (() => void) | undefined;
  /** Body bytes that came before a connection; not consumed yet, so the stream's window bounds them. */
  #held: Uint8Array[] = [];
  /** Handed to the origin's full socket: credit is returned when it drains. */
  #withheldBytes = 0;
  #receivedBytes = 0;
  #bodyEnded: boolean;
  #headSent = false;
  #responseEnded = false;
  #interims = 0;
  #earlyHints = 0;
  #timer: Timer | undefined;
  #lastByteAtMs = 0;
  readonly #startedAtMs: number;

  constructor(stream: Stream, service: Service, request: OriginRequest, end: boolean, context: ForwardContext) {
    this.#stream = stream;
    this.#service = service;
    this.#request = request;
    this.#context = context;
    this.#bodyEnded = end;
    this.#startedAtMs = context.clock.monotonic();
    this.#bodyLimitBytes = request.body.kind === "length" ? request.body.bytes : Infinity;
  }

  /** Begins; the stream may be reset from within. */
  start(): this {
    this.#tryNextOrigin(failure(ResetCode.ORIGIN_UNREACHABLE, "no origin", "no"));
    return this;
  }

  // Connecting.

  #tryNextOrigin(reason: OriginFailure): void {
    const origin = this.#service.pick(this.#tried);
    if (origin === undefined) return this.#fail(reason);
    this.#tried.push(origin);
    this.#leaveQueue = origin.acquire(
      () => {
        this.#origin = origin;
        this.#leaveQueue = undefined;
        this.#open(origin, false);
      },
      () => this.#fail(failure(ResetCode.OVERLOAD, "all connections to the origin are in use")),
    );
  }

  #open(origin: Origin, fresh: boolean): void {
    const engine = this.#request.upgrade ? origin.upgradeEngine : origin.engine;
    if (engine === undefined) return this.#fail(failure(ResetCode.REQUEST_INVALID, "service does not speak HTTP"));
    this.#phase = "connecting";
    this.#exchange = engine.open(this.#request, this, { fresh });
  }

  ready(): void {
    this.#phase = "sending";
    this.#lastByteAtMs = this.#context.clock.monotonic();
    this.#origin?.connectSucceeded();
    if (this.#request.upgrade) return this.#watchHead();
    for (const chunk of this.#takeHeld()) this.#send(chunk);
    // Not before: a body that came with the head needs no timer.
    if (this.#bodyEnded) this.#endRequest();
    else this.#watchBody();
  }

  failed(reason: OriginFailure): void {
    if (this.#phase === "over") return;
    this.#exchange = undefined;
    const origin = this.#origin;
    if (origin === undefined || this.#headSent) return this.#fail(reason);
    if (reason.retry === "other-origin") {
      origin.connectFailed(reason);
      this.#leaveOrigin();
      return this.#tryNextOrigin(reason);
    }
    if (this.#retried || !this.#mayRetry(reason.retry)) return this.#fail(reason);
    this.#retried = true;
    this.#open(origin, true);
  }

  #mayRetry(retry: OriginFailure["retry"]): boolean {
    if (retry === "same-origin") return true;
    return retry === "unprocessed" ? hasNoContent(this.#request) : retry === "if-idempotent" && isRepeatable(this.#request);
  }

  // Visitor to origin.

  onData(chunk: Uint8Array): void {
    if (this.#pipe !== undefined) return this.#pipe.onData(chunk);
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > this.#bodyLimitBytes) return this.#fail(failure(ResetCode.REQUEST_INVALID, "body is longer than declared"));
    this.#lastByteAtMs = this.#context.clock.monotonic();
    if (this.#phase === "sending" && !this.#request.upgrade) return this.#send(chunk);
    if (this.#phase === "answered") return this.#stream.consume(chunk.length);
    this.#held.push(chunk);
  }

  #send(chunk: Uint8Array): void {
    if (this.#exchange === undefined || this.#exchange.write(chunk)) this.#stream.consume(chunk.length);
    else this.#withheldBytes += chunk.length;
  }

  writable(): void {
    const bytes = this.#withheldBytes;
    this.#withheldBytes = 0;
    this.#lastByteAtMs = this.#context.clock.monotonic();
    if (bytes > 0 && this.#phase === "sending") this.#stream.consume(bytes);
  }

  onEnd(_trailers: Fields): void {
    if (this.#pipe !== undefined) return this.#pipe.onEnd(_trailers);
    this.#bodyEnded = true;
    if (this.#bodyLimitBytes !== Infinity && this.#receivedBytes < this.#bodyLimitBytes) {
      return this.#fail(failure(ResetCode.REQUEST_INVALID, "body is shorter than declared"));
    }
    if (this.#phase === "sending" && !this.#request.upgrade) this.#endRequest();
    else if (this.#phase === "answered") this.#finish();
  }

  #endRequest(): void {
    this.#exchange?.end();
    this.#watchHead();
  }

  onReset(_code: ResetCode, detail: ResetDetail): void {
    if (this.#pipe !== undefined) return this.#pipe.onReset();
    this.#exchange?.abort(detail.http2Code);
    this.#finish();
  }

  // Origin to visitor.

  interim(status: number, fields: Fields): void {
    if (status === 101 || ++this.#interims > MAX_INTERIM)
      return this.#breaks(status === 101 ? "101 that nobody asked for" : "interim responses without end");
    if (status !== 103 || ++this.#earlyHints > MAX_EARLY_HINTS) return;
    const checked = checkResponseFields(status, fields);
    if (!checked.ok) return this.#breaks(checked.code);
    this.#stream.sendHead({ status, fields: checked.fields }, false);
  }

  head(status: number, fields: Fields, end: boolean): void {
    this.#timer?.cancel();
    if (status < 200 || status > 599) return this.#breaks("status out of range");
    const checked = checkResponseFields(status, fields);
    if (!checked.ok) return this.#breaks(checked.code);
    this.#sendHead({ status, fields: this.#service.editResponse?.(checked.fields) ?? checked.fields }, end);
  }

  #sendHead(head: ResponseHead, end: boolean): void {
    this.#headSent = true;
    this.#service.durations.head.observeMs(this.#context.clock.monotonic() - this.#startedAtMs);
    this.#responseEnded = end;
    this.#stream.sendHead(head, end);
  }

  body(chunk: Uint8Array): void {
    // Content where none may be: thrown away, and the connection is not used again (R-D9).
    if (this.#responseEnded) return;
    if (!this.#stream.write(chunk)) this.#exchange?.pause();
  }

  complete(trailers: Fields): void {
    this.#exchange = undefined;
    if (!this.#responseEnded) this.#stream.end(trailersToForward(trailers));
    this.#leaveOrigin();
    this.#phase = "answered";
    const heldBytes = this.#takeHeld().reduce((sum, chunk) => sum + chunk.length, this.#withheldBytes);
    this.#withheldBytes = 0;
    if (heldBytes > 0) this.#stream.consume(heldBytes);
    if (this.#bodyEnded) this.#finish();
  }

  onDrain(): void {
    if (this.#pipe !== undefined) this.#pipe.onDrain();
    else this.#exchange?.resume();
  }

  switched(fields: Fields, socket: Duplex, first: Uint8Array): RawReader | undefined {
    this.#timer?.cancel();
    this.#exchange = undefined;
    const key = firstValue(this.#request.fields, "sec-websocket-key") ?? "";
    const checked = checkResponseFields(101, fields);
    if (!checked.ok || !isUpgradeAccepted(101, fields, key)) {
      socket.on("error", ignore).destroy();
      this.#breaks(checked.ok ? "101 without the right Sec-WebSocket-Accept" : checked.code);
      return undefined;
    }
    this.#phase = "switched";
    this.#sendHead({ status: 101, fields: this.#service.editResponse?.(checked.fields) ?? checked.fields }, false);
    this.#pipe = new RawPipe(this.#stream, socket, first, () => this.#finish());
    for (const chunk of this.#takeHeld()) this.#pipe.onData(chunk);
    if (this.#bodyEnded) this.#pipe.onEnd([]);
    return this.#pipe.read;
  }

  onHead(): void {
    // Relay side only.
  }

  // Limits.

  /** The visitor promised a body: not one byte for the idle limit ends the exchange (R-D8), unless the origin is the slow one. */
  #watchBody(): void {
    const limitMs = this.#service.options.requestBodyIdleMs;
    if (limitMs === undefined || isGrpc(this.#request.fields)) return;
    this.#timer?.cancel();
    const check = (): void => {
      if (this.#bodyEnded || this.#headSent || this.#phase === "over") return;
      const leftMs = this.#withheldBytes === 0 ? this.#lastByteAtMs + limitMs - this.#context.clock.monotonic() : limitMs;
      if (leftMs <= 0) return this.#fail(failure(ResetCode.IDLE_TIMEOUT, "request body stalled"));
      this.#timer = this.#context.clock.after(leftMs, check);
    };
    this.#timer = this.#context.clock.after(limitMs, check);
  }

  /** The request is wholly sent: the origin's time to answer begins. */
  #watchHead(): void {
    this.#timer?.cancel();
    const limitMs = this.#service.options.responseHeaderTimeoutMs;
    if (limitMs === undefined || this.#headSent) return;
    this.#timer = this.#context.clock.after(limitMs, () => this.#fail(failure(ResetCode.ORIGIN_HEADER_TIMEOUT, "no response head")));
  }

  // The end.

  #breaks(problem: string): void {
    this.#fail(failure(ResetCode.ORIGIN_PROTOCOL, problem));
  }

  #fail(reason: OriginFailure): void {
    if (this.#phase === "over") return;
    this.#exchange?.abort();
    this.#context.logger.warn(
      {
        [LogField.service]: this.#service.name,
        [LogField.origin]: this.#origin?.name,
        [LogField.streamId]: this.#stream.id,
        [LogField.code]: reason.code,
        [LogField.reason]: reason.text,
      },
      "exchange with the origin failed",
    );
    this.#finish();
    this.#stream.reset(reason.code, { http2Code: reason.http2Code, text: reason.text });
  }

  #takeHeld(): Uint8Array[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  #leaveOrigin(): void {
    const origin = this.#origin;
    this.#origin = undefined;
    origin?.release();
  }

  #finish(): void {
    if (this.#phase !== "over") this.#service.durations.total.observeMs(this.#context.clock.monotonic() - this.#startedAtMs);
    this.#phase = "over";
    this.#timer?.cancel();
    this.#leaveQueue?.();
    this.#exchange = undefined;
    this.#held = [];
    this.#leaveOrigin();
  }
}

function ignore(): void {}

/** gRPC streams are quiet as long as they like; they carry their own deadline. */
function isGrpc(fields: Fields): boolean {
  return firstValue(fields, "content-type")?.toLowerCase().startsWith("application/grpc") === true;
}
