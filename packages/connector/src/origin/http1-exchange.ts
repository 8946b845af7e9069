// One request to an origin over HTTP/1.1 and its answer: writes head and body with the framing decided here (R-D2), and
// turns what the connection tells into what the owner of the exchange is told. Must not know pools, services or streams.

import type { Duplex } from "node:stream";

import type { Fields } from "@sallyport/shared/http/fields";
import { ResetCode } from "@sallyport/shared/protocol/codes";

import { failure, hasNoContent } from "./exchange.ts";
import type { OriginExchange, OriginFailure, OriginHandler, OriginRequest, RawReader } from "./exchange.ts";
import type { ConnectionUser, Http1Connection } from "./http1-connection.ts";
import { requestHead } from "./http1-head.ts";

/** A chunk and its framing up to this size are written as one piece: copying them is cheaper than a longer list. */
const JOIN_BYTES = 16_384;

const LAST_CHUNK = "0\r\n\r\n";

/** `sending`: the head is out, the body is not. `sent`: all of the request is. */
type State = "connecting" | "sending" | "sent" | "over";

export class Http1Exchange implements OriginExchange, ConnectionUser {
  readonly #request: OriginRequest;
  readonly #handler: OriginHandler;
  #state: State = "connecting";
  #connection: Http1Connection | undefined;
  #giveUpConnecting: (() => void) | undefined;
  #unsentBytes: number;

  constructor(request: OriginRequest, handler: OriginHandler) {
    this.#request = request;
    this.#handler = handler;
    this.#unsentBytes = request.body.kind === "length" ? request.body.bytes : 0;
  }

  /** @param giveUp called when the exchange is aborted before {@link start} */
  connecting(giveUp: () => void): void {
    this.#giveUpConnecting = giveUp;
  }

  /**
   * Writes the request's head, and with it what the owner has of the body.
   * @param close it is the connection's last
   */
  start(connection: Http1Connection, close: boolean): void {
    if (this.#state !== "connecting") return connection.destroy();
    this.#giveUpConnecting = undefined;
    if (!connection.usable) return this.failed(failure(ResetCode.ORIGIN_CLOSED, "closed while idle", "same-origin"));
    this.#connection = connection;
    connection.begin(this, this.#request.method);
    const head = requestHead(this.#request, close);
    if (hasNoContent(this.#request)) {
      connection.write(head);
      this.#sent(connection);
      return this.#handler.ready();
    }
    this.#state = "sending";
    connection.cork();
    connection.write(head);
    this.#handler.ready();
    connection.uncork();
  }

  /** No connection came about, or none that is of use. */
  failed(reason: OriginFailure): void {
    if (this.#state === "over") return;
    this.#giveUpConnecting = undefined;
    this.#over()?.destroy();
    this.#handler.failed(reason);
  }

  // The owner's.

  write(chunk: Uint8Array): boolean {
    const connection = this.#connection;
    // An empty chunk would be the last one.
    if (this.#state !== "sending" || connection === undefined || chunk.length === 0) return true;
    if (this.#request.body.kind === "unknown") return writeChunked(connection, chunk);
    this.#unsentBytes -= chunk.length;
    if (this.#unsentBytes >= 0) return connection.write(chunk);
    this.#miscounted("body is longer than declared");
    return true;
  }

  end(): void {
    const connection = this.#connection;
    if (this.#state !== "sending" || connection === undefined) return;
    if (this.#unsentBytes > 0) return this.#miscounted("body is shorter than declared");
    if (this.#request.body.kind === "unknown") connection.write(LAST_CHUNK);
    this.#sent(connection);
  }

  #sent(connection: Http1Connection): void {
    this.#state = "sent";
    // One that was asked to switch is not lent again, whatever the answer (R-D4).
    if (!this.#request.upgrade) connection.requestEnded();
  }

  /** The owner counts as well: this is the last line of defence of the framing, and never called from within it. */
  #miscounted(problem: string): void {
    this.#over()?.destroy();
    process.nextTick(() => this.#handler.failed(failure(ResetCode.REQUEST_INVALID, problem)));
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  abort(): void {
    this.#over()?.destroy();
  }

  #over(): Http1Connection | undefined {
    const connection = this.#connection;
    const giveUp = this.#giveUpConnecting;
    this.#state = "over";
    this.#connection = undefined;
    this.#giveUpConnecting = undefined;
    giveUp?.();
    return connection;
  }

  // The connection's.

  interim(status: number, fields: Fields): void {
    this.#handler.interim(status, fields);
  }

  head(status: number, fields: Fields, end: boolean): void {
    this.#handler.head(status, fields, end);
  }

  body(chunk: Uint8Array): void {
    this.#handler.body(chunk);
  }

  writable(): void {
    if (this.#state !== "connecting") this.#handler.writable();
  }

  complete(trailers: Fields): void {
    this.#over();
    this.#handler.complete(trailers);
  }

  switched(fields: Fields, socket: Duplex, first: Uint8Array): RawReader | undefined {
    this.#over();
    if (this.#request.upgrade) return this.#handler.switched(fields, socket, first);
    socket.on("error", ignore).destroy();
    this.#handler.failed(failure(ResetCode.ORIGIN_PROTOCOL, "101 that nobody asked for"));
    return undefined;
  }

  broken(reason: OriginFailure): void {
    this.failed(reason);
  }
}

function writeChunked(connection: Http1Connection, chunk: Uint8Array): boolean {
  const size = `${chunk.length.toString(16)}\r\n`;
  if (chunk.length <= JOIN_BYTES) {
    const framed = Buffer.allocUnsafe(size.length + chunk.length + 2);
    framed.write(size, 0, "latin1");
    framed.set(chunk, size.length);
    framed.write("\r\n", size.length + chunk.length, "latin1");
    return connection.write(framed);
  }
  connection.cork();
  connection.write(size);
  connection.write(chunk);
  const more = connection.write("\r\n");
  connection.uncork();
  return more;
}

function ignore(): void {}
