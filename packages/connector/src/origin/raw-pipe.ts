// Raw bytes between a stream of the tunnel and a socket, both ways, with half-close and backpressure: what is
// left of an exchange after 101, and all of a TCP service. Must not know HTTP or WebSocket frames.

import type { Duplex } from "node:stream";

import type { Fields } from "@sallyport/shared/http/fields";
import type { StreamHandler, Stream } from "@sallyport/shared/mux/stream";
import { ResetCode } from "@sallyport/shared/protocol/codes";

import type { RawReader } from "./exchange.ts";
import { errorText } from "./failure.ts";

export class RawPipe implements Omit<StreamHandler, "onHead"> {
  readonly #stream: Stream;
  readonly #socket: Duplex;
  readonly #closed: () => void;
  #over = false;
  #originEnded = false;
  #visitorEnded = false;
  /** Received from the visitor while the socket was full: credit is returned when it drains. */
  #withheldBytes = 0;

  /** @param closed called once, when both halves ended or the pipe broke */
  constructor(stream: Stream, socket: Duplex, first: Uint8Array, closed: () => void) {
    this.#stream = stream;
    this.#socket = socket;
    this.#closed = closed;
    if (first.length > 0) this.#toVisitor(first);
    socket.on("end", () => this.#onOriginEnd());
    socket.on("drain", () => this.#onOriginDrain());
    socket.on("error", (error) => this.#break(errorText(error)));
    socket.on("close", () => this.#break("ECONNRESET"));
  }

  /** Takes what the socket has read: the pipe does not listen for it, so that no copy is made in between. */
  readonly read: RawReader = (bytes) => this.#toVisitor(bytes);

  #toVisitor(chunk: Uint8Array): void {
    if (!this.#over && !this.#stream.write(chunk)) this.#socket.pause();
  }

  #onOriginEnd(): void {
    if (this.#over) return;
    this.#originEnded = true;
    this.#stream.end();
    this.#finishWhenBothEnded();
  }

  #onOriginDrain(): void {
    const bytes = this.#withheldBytes;
    this.#withheldBytes = 0;
    // Also after the end: what is withheld counts against the buffer budget until it is given back.
    if (bytes > 0) this.#stream.consume(bytes);
  }

  #break(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.destroy();
    this.#stream.reset(ResetCode.ORIGIN_CLOSED, { text: reason });
    this.#closed();
  }

  #finishWhenBothEnded(): void {
    if (!this.#originEnded || !this.#visitorEnded || this.#over) return;
    this.#over = true;
    this.#closed();
  }

  onData(chunk: Uint8Array): void {
    if (this.#over || this.#visitorEnded) return this.#stream.consume(chunk.length);
    if (this.#socket.write(chunk)) this.#stream.consume(chunk.length);
    else this.#withheldBytes += chunk.length;
  }

  onEnd(_trailers: Fields): void {
    if (this.#over || this.#visitorEnded) return;
    this.#visitorEnded = true;
    this.#socket.end();
    this.#finishWhenBothEnded();
  }

  onReset(): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.destroy();
    this.#closed();
  }

  onDrain(): void {
    if (!this.#over) this.#socket.resume();
  }
}
