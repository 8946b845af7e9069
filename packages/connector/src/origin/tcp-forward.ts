// A TCP service (T19): connects and carries raw bytes both ways with half-close. HEAD 200 means connected.
// Must not know what is spoken over it.

import type { Fields } from "@sallyport/shared/http/fields";
import type { Stream, StreamHandler } from "@sallyport/shared/mux/stream";
import { ResetCode } from "@sallyport/shared/protocol/codes";

import { dial } from "./dial.ts";
import { failure } from "./exchange.ts";
import type { OriginFailure } from "./exchange.ts";
import type { Origin } from "./origin.ts";
import { RawPipe } from "./raw-pipe.ts";
import type { Service } from "./service.ts";

export class TcpForward implements StreamHandler {
  readonly #stream: Stream;
  readonly #service: Service;
  readonly #tried: Origin[] = [];
  /** Gives up what is under way: waiting, connecting. */
  #cancel: (() => void) | undefined;
  #origin: Origin | undefined;
  #pipe: RawPipe | undefined;
  #held: Uint8Array[] = [];
  #visitorEnded = false;

  constructor(stream: Stream, service: Service) {
    this.#stream = stream;
    this.#service = service;
  }

  start(): this {
    this.#tryNextOrigin(failure(ResetCode.ORIGIN_UNREACHABLE, "no origin"));
    return this;
  }

  #tryNextOrigin(reason: OriginFailure): void {
    const origin = this.#service.pick(this.#tried);
    if (origin === undefined) return this.#fail(reason);
    this.#tried.push(origin);
    let granted = false;
    const leave = origin.acquire(
      () => {
        granted = true;
        this.#origin = origin;
        this.#dial(origin);
      },
      () => this.#fail(failure(ResetCode.OVERLOAD, "all connections to the origin are in use")),
    );
    if (!granted) this.#cancel = leave;
  }

  #dial(origin: Origin): void {
    const { address } = origin;
    if (address.kind !== "tcp") return this.#fail(failure(ResetCode.REQUEST_INVALID, "service does not speak TCP"));
    this.#cancel = dial(
      { ...origin.dialOptions(address), protocol: "none", halfOpen: true },
      {
        connected: (socket) => {
          origin.connectSucceeded();
          this.#stream.sendHead({ status: 200, fields: [] }, false);
          this.#pipe = new RawPipe(this.#stream, socket, new Uint8Array(), () => this.#leaveOrigin());
          for (const chunk of this.#held.splice(0)) this.#pipe.onData(chunk);
          if (this.#visitorEnded) this.#pipe.onEnd([]);
        },
        failed: (reason) => {
          origin.connectFailed(reason);
          this.#leaveOrigin();
          this.#tryNextOrigin(reason);
        },
        read: (bytes) => {
          this.#pipe?.read(bytes);
          return true;
        },
      },
    );
  }

  #fail(reason: OriginFailure): void {
    this.#leaveOrigin();
    this.#held = [];
    this.#stream.reset(reason.code, { text: reason.text });
  }

  #leaveOrigin(): void {
    const origin = this.#origin;
    this.#origin = undefined;
    origin?.release();
  }

  onData(chunk: Uint8Array): void {
    if (this.#pipe === undefined) this.#held.push(chunk);
    else this.#pipe.onData(chunk);
  }

  onEnd(trailers: Fields): void {
    this.#visitorEnded = true;
    this.#pipe?.onEnd(trailers);
  }

  onReset(): void {
    if (this.#pipe !== undefined) return this.#pipe.onReset();
    this.#cancel?.();
    this.#leaveOrigin();
  }

  onDrain(): void {
    this.#pipe?.onDrain();
  }

  onHead(): void {
    // Relay side only.
  }
}
