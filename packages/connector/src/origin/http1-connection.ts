// One HTTP/1.1 connection to an origin: the socket, its listeners, and the reader of responses, lent to one exchange at a
// time. Listeners are attached once; a field points at the exchange. Must not know requests, services or streams.

import { Socket } from "node:net";
import type { Duplex } from "node:stream";

import type { Fields } from "@sallyport/shared/http/fields";
import { ResetCode } from "@sallyport/shared/protocol/codes";

import { failure } from "./exchange.ts";
import type { OriginFailure, RawReader } from "./exchange.ts";
import { brokenFailure } from "./failure.ts";
import { ResponseReader } from "./http1-response.ts";
import type { ResponseSink } from "./http1-response.ts";

/** What a borrower of a connection is told. It has given the connection up after complete(), switched() and broken(). */
export interface ConnectionUser {
  interim(status: number, fields: Fields): void;
  head(status: number, fields: Fields, end: boolean): void;
  /** The memory of the chunk is used again when this returns (T13). */
  body(chunk: Uint8Array): void;
  complete(trailers: Fields): void;
  /** @returns what takes the octets of the new protocol */
  switched(fields: Fields, socket: Duplex, first: Uint8Array): RawReader | undefined;
  /** After write() returned false. */
  writable(): void;
  broken(reason: OriginFailure): void;
}

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** Whole exchange: it may carry another. `keepAliveTimeoutS`: the origin's hint, in seconds. */
  free(connection: Http1Connection, keepAliveTimeoutS: number | undefined): void;
  /** It is of no use any more while nobody borrows it. */
  gone(connection: Http1Connection): void;
}

export class Http1Connection implements ResponseSink {
  readonly #owner: ConnectionOwner;
  readonly #socket: Duplex;
  readonly #reader: ResponseReader = new ResponseReader(this);
  #user: ConnectionUser | undefined;
  /** The borrower's request is wholly written. */
  #requestEnded = false;
  #paused = false;
  /** Since a switch. */
  #raw: RawReader | undefined;
  #reused = false;
  /** Views of the read that is being taken apart: what its chunks hold of the body. */
  readonly #pieces: Buffer[] = [];
  /** Monotonic; when the pool stops lending it. */
  idleUntilMs = 0;

  /** @param socket connected, without listeners; one that dial() opened hands its octets to {@link read} */
  constructor(owner: ConnectionOwner, socket: Duplex) {
    this.#owner = owner;
    this.#socket = socket;
    socket.on("end", this.#onEnd).on("error", this.#onError).on("close", this.#onClose).on("drain", this.#onDrain);
    if (!(socket instanceof Socket)) socket.on("data", this.#onData);
  }

  /** It carried an exchange before this one. */
  get reused(): boolean {
    return this.#reused;
  }

  get usable(): boolean {
    return !this.#socket.destroyed && this.#socket.writable && this.#socket.readable;
  }

  /** Lends it: the request is about to be written, and its response comes next. */
  begin(user: ConnectionUser, method: string): void {
    this.#user = user;
    this.#requestEnded = false;
    this.#reader.begin(method);
  }

  // The borrower's.

  /** @returns false when the socket takes no more now: wait for writable() */
  write(data: Uint8Array | string): boolean {
    return this.#socket.write(data, "latin1");
  }

  /** What is written until {@link uncork} leaves in one system call. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  requestEnded(): void {
    this.#requestEnded = true;
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  /** Ends it now; nobody is told. */
  destroy(): void {
    this.#user = undefined;
    this.#reader.stop();
    this.#socket.destroy();
  }

  // The socket's.

  /**
   * What one read gave; it need not outlast the call.
   * @returns false to read no more until the socket is resumed
   */
  read(bytes: Buffer): boolean {
    if (this.#raw !== undefined) this.#raw(bytes);
    else {
      this.#reader.read(bytes);
      this.#handOnBody();
    }
    return true;
  }

  readonly #onData = (chunk: Buffer): void => void this.read(chunk);

  readonly #onEnd = (): void => {
    // A body that lasts until here is complete; whatever else is under way is cut.
    if (!this.#reader.end()) this.#break(failure(ResetCode.ORIGIN_CLOSED, "ECONNRESET", this.#retry));
  };

  readonly #onError = (error: Error): void => {
    this.#break(brokenFailure(error, this.#retry === "if-idempotent", false));
  };

  readonly #onClose = (): void => this.#break(failure(ResetCode.ORIGIN_CLOSED, "ECONNRESET", this.#retry));

  readonly #onDrain = (): void => this.#user?.writable();

  /** A kept connection that dies without an octet of an answer was most likely closed before the request came (R-D4). */
  get #retry(): "if-idempotent" | "no" {
    return this.#reused && !this.#reader.begun ? "if-idempotent" : "no";
  }

  #break(reason: OriginFailure): void {
    const user = this.#user;
    this.destroy();
    if (user === undefined) this.#owner.gone(this);
    else user.broken(reason);
  }

  // The reader's.

  interim(status: number, fields: Fields): void {
    this.#user?.interim(status, fields);
  }

  head(status: number, fields: Fields, end: boolean): void {
    this.#user?.head(status, fields, end);
  }

  bodyBytes(chunk: Buffer): void {
    this.#pieces.push(chunk);
  }

  /** One piece for all of a read: an origin's chunks may be tiny, and each piece is a frame of the tunnel. */
  #handOnBody(): void {
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    const chunk = pieces.length === 1 ? (pieces[0] as Buffer) : movedTogether(pieces);
    pieces.length = 0;
    this.#user?.body(chunk);
  }

  complete(trailers: Fields, keep: boolean, keepAliveTimeoutS: number | undefined): void {
    this.#handOnBody();
    const user = this.#user;
    // An answer that overtook its request leaves octets of the request to come, which must not lead the next one.
    if (keep && this.#requestEnded && this.#socket.writableLength === 0) this.#free(keepAliveTimeoutS);
    else this.destroy();
    user?.complete(trailers);
  }

  #free(keepAliveTimeoutS: number | undefined): void {
    this.#user = undefined;
    this.#reused = true;
    if (this.#paused) this.resume();
    this.#owner.free(this, keepAliveTimeoutS);
  }

  switched(fields: Fields, first: Buffer): void {
    const user = this.#user;
    const socket = this.#socket;
    this.#user = undefined;
    socket.off("end", this.#onEnd).off("error", this.#onError).off("close", this.#onClose).off("drain", this.#onDrain);
    this.#raw = user?.switched(fields, socket, first) ?? ignore;
  }

  malformed(code: string): void {
    this.#handOnBody();
    this.#break(failure(ResetCode.ORIGIN_PROTOCOL, code));
  }

  stray(): void {
    this.#break(failure(ResetCode.ORIGIN_CLOSED, "octets before the request", "same-origin"));
  }
}

/** Views of one read, in their order, over the framing between them: a copy of each read would be garbage by the gigabyte (T13). */
function movedTogether(pieces: readonly Buffer[]): Buffer {
  const { buffer, byteOffset } = pieces[0] as Buffer;
  const memory = new Uint8Array(buffer);
  let end = byteOffset;
  for (const piece of pieces) {
    memory.copyWithin(end, piece.byteOffset, piece.byteOffset + piece.length);
    end += piece.length;
  }
  return Buffer.from(buffer, byteOffset, end - byteOffset);
}

function ignore(): void {}
