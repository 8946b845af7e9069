// HTTP/1.1 to an origin through undici: the path of nearly all requests. undici writes a request's head together
// with the first byte of its body, so the owner opens an exchange with a body only when that byte is there.
// Expect, upgrades and slow bodies go through node-http-engine.ts. Must not know streams or services.

import { Readable } from "node:stream";

import { readFraming } from "@sallyport/shared/http/framing";
import { ResetCode } from "@sallyport/shared/protocol/codes";
import { errors } from "undici";
import type { Dispatcher } from "undici";

import { failure } from "./exchange.ts";
import type { OpenOptions, OriginEngine, OriginExchange, OriginFailure, OriginHandler, OriginRequest } from "./exchange.ts";
import { brokenFailure } from "./failure.ts";
import { ConnectionGone } from "./h1-pool.ts";
import type { Http1Pool, PooledConnection } from "./h1-pool.ts";
import { latin1Fields } from "./response.ts";

/** Body bytes held between a full origin socket and the window of the stream. */
const BODY_BUFFER_BYTES = 65_536;

export class UndiciEngine implements OriginEngine {
  readonly headWaitsForBody = true;
  readonly #pool: Http1Pool;

  constructor(pool: Http1Pool) {
    this.#pool = pool;
  }

  open(request: OriginRequest, handler: OriginHandler, options: OpenOptions = {}): OriginExchange {
    return new UndiciExchange(this.#pool, request, handler, options.fresh ?? false);
  }

  close(): void {
    this.#pool.close();
  }
}

/** connecting -> sending (head written) -> over. */
type State = "connecting" | "sending" | "over";

class UndiciExchange implements OriginExchange, Dispatcher.DispatchHandler {
  readonly #pool: Http1Pool;
  readonly #request: OriginRequest;
  readonly #handler: OriginHandler;
  #state: State = "connecting";
  #connection: PooledConnection | undefined;
  #giveUpConnecting: (() => void) | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #body: Readable | undefined;
  #bodyFull = false;
  #bytesReadBefore = 0;
  /** The response is delimited by the end of the connection, so a reset would otherwise look like its end. */
  #untilClose = false;

  constructor(pool: Http1Pool, request: OriginRequest, handler: OriginHandler, fresh: boolean) {
    this.#pool = pool;
    this.#request = request;
    this.#handler = handler;
    const kept = fresh ? undefined : pool.takeIdle();
    if (kept === undefined) {
      this.#giveUpConnecting = pool.connect(
        (connection) => this.#dispatch(connection),
        (reason) => this.#fail(reason),
      );
    } else {
      // Later, as open() promises; undici itself defers the write to a reused socket until pending input was read.
      let wanted = true;
      this.#giveUpConnecting = () => {
        wanted = false;
        pool.release(kept);
      };
      process.nextTick(() => {
        if (wanted) this.#dispatch(kept);
      });
    }
  }

  #dispatch(connection: PooledConnection): void {
    this.#giveUpConnecting = undefined;
    this.#connection = connection;
    this.#bytesReadBefore = connection.socket.bytesRead;
    const { method, path, authority, fields, body } = this.#request;
    const headers = ["Host", authority, ...fields];
    if (body.kind === "length") headers.push("Content-Length", String(body.bytes));
    if (body.kind !== "none" && !(body.kind === "length" && body.bytes === 0)) this.#body = this.#bodyStream();
    connection.client.dispatch({ path, method, headers, body: this.#body ?? null }, this);
  }

  #bodyStream(): Readable {
    const body = new Readable({
      highWaterMark: BODY_BUFFER_BYTES,
      read: () => {
        if (!this.#bodyFull) return;
        this.#bodyFull = false;
        // _read may run within push(), and push() within write().
        process.nextTick(() => {
          if (this.#state !== "over") this.#handler.writable();
        });
      },
    });
    // undici listens while it reads; a destroyed body may report later.
    body.on("error", ignore);
    return body;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state === "over" || this.#body === undefined) return true;
    if (this.#body.push(chunk)) return true;
    this.#bodyFull = true;
    return false;
  }

  end(): void {
    if (this.#state !== "over") this.#body?.push(null);
  }

  pause(): void {
    if (this.#state === "over") return;
    this.#controller?.pause();
    // undici only stops taking; the socket would read once more.
    this.#connection?.socket.pause();
  }

  resume(): void {
    if (this.#state === "over") return;
    this.#connection?.socket.resume();
    this.#controller?.resume();
  }

  abort(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#destroy();
  }

  // What undici tells.

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#state === "over") return controller.abort(new ConnectionGone());
    this.#state = "sending";
    this.#handler.ready();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#state === "over") return;
    const fields = latin1Fields(controller.rawHeaders);
    if (status < 200) return this.#handler.interim(status, fields);
    const bodyless = this.#request.method === "HEAD" || status === 204 || status === 304;
    const framing = readFraming(fields, "1.1");
    this.#untilClose = !bodyless && framing.kind === "none";
    this.#handler.head(status, fields, bodyless || (framing.kind === "length" && framing.length === 0));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#state !== "over") this.#handler.body(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#state === "over" || this.#connection === undefined) return;
    if (this.#untilClose && this.#connection.socket.errored !== null) {
      return this.#fail(failure(ResetCode.ORIGIN_CLOSED, "ECONNRESET"));
    }
    this.#state = "over";
    this.#pool.release(this.#connection);
    this.#handler.complete(latin1Fields(controller.rawTrailers));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#state === "over") return;
    // Every part was validated before; what undici still refuses cannot be sent to any HTTP/1.1 origin.
    if (error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError) {
      return this.#fail(failure(ResetCode.REQUEST_INVALID, "request cannot be written as HTTP/1.1"));
    }
    if (error instanceof ConnectionGone || this.#state === "connecting") {
      return this.#fail(failure(ResetCode.ORIGIN_CLOSED, "closed while idle", "same-origin"));
    }
    const { socket, reused } = this.#connection as PooledConnection;
    const untouched = reused && socket.bytesRead === this.#bytesReadBefore;
    this.#fail(brokenFailure(error, untouched, socket.readableEnded));
  }

  #fail(reason: OriginFailure): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#destroy();
    this.#handler.failed(reason);
  }

  #destroy(): void {
    this.#giveUpConnecting?.();
    this.#giveUpConnecting = undefined;
    this.#body?.destroy();
    if (this.#connection !== undefined) this.#pool.discard(this.#connection);
  }
}

function ignore(): void {}
