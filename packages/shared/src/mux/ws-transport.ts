// The only adapter between the multiplexer and the `ws` library.

import type { WebSocket } from "ws";
import { systemClock, type Clock } from "../clock.ts";
import { MAX_MESSAGE_BYTES } from "../protocol/frame.ts";
import type { Transport, TransportReceiver } from "./transport.ts";

/** How long a polite close waits for the peer before the socket is cut. */
const CLOSE_TIMEOUT_MS = 2_000;

/** Options of `ws` that both ends must use: no compression, our own message limit, few fragments (R-L4). */
export const WS_LIMITS: { readonly perMessageDeflate: false; readonly maxPayload: number; readonly maxFragments: number; readonly maxBufferedChunks: number } = {
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE_BYTES,
  maxFragments: 64,
  maxBufferedChunks: 1_024,
};

/** Wraps an open WebSocket. Messages are held (bounded by maxPayload) until a receiver is set. */
export function wsTransport(socket: WebSocket, clock: Clock = systemClock): Transport {
  return new WsTransport(socket, clock);
}

class WsTransport implements Transport {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #onSent: () => void;
  #receiver: TransportReceiver | undefined;
  #early: Array<() => void> = [];
  #drainWanted = false;
  bytesReceived = 0;
  bytesSent = 0;

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onSent = () => this.#drained();
    socket.on("message", (data, isBinary) => this.#message(data as Buffer, isBinary));
    socket.on("close", (code, reason) => this.#deliver((receiver) => receiver.onClose(code, reason.toString())));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#error(error));
  }

  get bufferedBytes(): number {
    const buffered = this.#socket.bufferedAmount;
    this.#drainWanted ||= buffered > 0;
    return buffered;
  }

  send(message: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.bytesSent += message.length;
    this.#socket.send(message, this.#onSent);
  }

  setReceiver(receiver: TransportReceiver | undefined): void {
    this.#receiver = receiver;
    if (receiver === undefined) return;
    const early = this.#early;
    this.#early = [];
    for (const deliver of early) deliver();
  }

  limitMessages(maxBytes: number): void {
    // `ws` takes the limit only at construction, and one server serves both phases; a test holds this member in place.
    (this.#socket as unknown as { _receiver: { _maxPayload: number } })._receiver._maxPayload = maxBytes;
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason.slice(0, 120));
    this.#clock.after(CLOSE_TIMEOUT_MS, () => this.#socket.terminate());
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #message(data: Buffer, isBinary: boolean): void {
    this.bytesReceived += data.length;
    if (isBinary) this.#deliver((receiver) => receiver.onMessage(data));
    else this.#deliver((receiver) => receiver.onInvalidMessage("ERR_PROTOCOL_MESSAGE_TYPE"));
  }

  /** Every error is followed by 'close'; only a message over the limit is worth telling apart. */
  #error(error: NodeJS.ErrnoException): void {
    if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
      this.#deliver((receiver) => receiver.onInvalidMessage("ERR_PROTOCOL_MESSAGE_TOO_LARGE"));
    }
  }

  #deliver(tell: (receiver: TransportReceiver) => void): void {
    if (this.#receiver !== undefined) tell(this.#receiver);
    else this.#early.push(() => tell(this.#receiver as TransportReceiver));
  }

  #drained(): void {
    if (!this.#drainWanted || this.#socket.bufferedAmount > 0) return;
    this.#drainWanted = false;
    this.#receiver?.onDrain();
  }
}
