// The only adapter between the multiplexer and the `ws` library. Binary messages do not pass through its reader
// (ws-messages.ts says why); handshake, sending, control frames and closing are its work.

import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { systemClock, type Clock, type Timer } from "../clock.ts";
import { printable } from "../protocol/control.ts";
import { MAX_MESSAGE_BYTES } from "../protocol/frame.ts";
import { FloodGuard, MAX_CONTROLS_PER_PERIOD } from "./flood.ts";
import type { Transport, TransportReceiver } from "./transport.ts";
import { WsMessages, type MessageOwner } from "./ws-messages.ts";

/** How long a polite close waits for the peer before the socket is cut. */
const CLOSE_TIMEOUT_MS = 2_000;
/** Memory of a read from this size on is given back at once; less is not worth the call. */
const MIN_FREED_BYTES = 4_096;
/** RFC 6455 section 5.5: a control frame holds 125 bytes, two of them are the code. */
const MAX_CLOSE_REASON_BYTES = 123;

/** Options of `ws` that both ends must use: no compression, our own message limit, few fragments (R-L4). */
export const WS_LIMITS: {
  readonly perMessageDeflate: false;
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
} = {
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE_BYTES,
  maxFragments: 64,
  maxBufferedChunks: 1_024,
};

/** Wraps an open WebSocket. While no receiver is set what arrives is held, and the socket is not read any further. */
export function wsTransport(socket: WebSocket, clock: Clock = systemClock): Transport {
  return new WsTransport(socket, clock);
}

class WsTransport implements Transport, MessageOwner {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #onSent: () => void;
  #receiver: TransportReceiver | undefined;
  readonly #controls: FloodGuard;
  readonly #messages: WsMessages;
  #toWs: ((bytes: Buffer) => void) | undefined;
  #early: Array<(receiver: TransportReceiver) => void> = [];
  #drainWanted = false;
  #closing = false;
  #closeTimer: Timer | undefined;
  bytesReceived = 0;
  bytesSent = 0;

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onSent = () => this.#drained();
    // Server sockets have no url.
    this.#messages = new WsMessages(this, (socket.url as string | undefined) === undefined, MAX_MESSAGE_BYTES);
    if (socket.readyState === socket.OPEN) this.#readSocket();
    else socket.once("open", () => this.#readSocket());
    socket.on("message", (data, isBinary) => this.#message(data as Buffer, isBinary));
    socket.on("close", (code, reason) => this.#closed(code, reason));
    this.#controls = new FloodGuard(clock, MAX_CONTROLS_PER_PERIOD);
    for (const control of ["ping", "pong"] as const) socket.on(control, () => this.#control());
    socket.on("error", (error: NodeJS.ErrnoException) => this.#error(error));
  }

  get bufferedBytes(): number {
    const buffered = this.#socket.bufferedAmount;
    this.#drainWanted ||= buffered > 0;
    return buffered;
  }

  get arrivingBytes(): number {
    return this.#messages.arrivingBytes;
  }

  send(message: Uint8Array, sent?: () => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.bytesSent += message.length;
    if (sent === undefined) return this.#socket.send(message, this.#onSent);
    this.#socket.send(message, () => {
      sent();
      this.#drained();
    });
  }

  setReceiver(receiver: TransportReceiver | undefined): void {
    this.#receiver = receiver;
    // A receiver may hand over to the next one, or to nobody, from within a delivery.
    while (this.#receiver === receiver && receiver !== undefined && this.#early.length > 0) this.#early.shift()?.(receiver);
    if (this.#receiver !== undefined && this.#early.length === 0) this.#socket.resume();
  }

  limitMessages(maxBytes: number): void {
    // `ws` takes the limit only at construction, and one server serves both phases; a test holds this member in place.
    (this.#socket as unknown as { _receiver: { _maxPayload: number } })._receiver._maxPayload = maxBytes;
    this.#messages.maxMessageBytes = maxBytes;
  }

  close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#closeTimer = this.#clock.after(CLOSE_TIMEOUT_MS, () => this.#socket.terminate());
    // A decoder in streaming mode leaves out a character that was cut in two.
    const text = new TextDecoder().decode(Buffer.from(reason).subarray(0, MAX_CLOSE_REASON_BYTES), { stream: true });
    this.#socket.close(code, text);
    this.#socket.resume();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Comes between the socket and `ws`, which has one listener there. */
  #readSocket(): void {
    const { _socket: socket } = this.#socket as unknown as { readonly _socket: Duplex };
    const [listener, ...others] = socket.listeners("data");
    // Without it everything arrives through `ws`, only slower; a test holds it in place.
    if (listener === undefined || others.length > 0) return;
    this.#toWs = listener.bind(socket) as (bytes: Buffer) => void;
    socket.off("data", listener as (bytes: Buffer) => void);
    const mayFree = socket instanceof Socket;
    socket.on("data", (chunk: Buffer) => {
      const unused = this.#messages.push(chunk);
      // What a socket has read is nobody else's. Left to the collector, reads of a busy tunnel fill 80 MB before it runs (T13).
      if (mayFree && unused && chunk.length >= MIN_FREED_BYTES && chunk.buffer.byteLength === chunk.length)
        (chunk.buffer as ArrayBuffer).transfer(0);
    });
  }

  passOn(bytes: Buffer): void {
    this.#toWs?.(bytes);
  }

  onBinary(message: Buffer): void {
    if (this.#closing) return;
    this.#count(message);
    if (this.#receiver !== undefined && this.#early.length === 0) return this.#receiver.onMessage(message);
    const copy = Buffer.from(message);
    this.#deliver((receiver) => receiver.onMessage(copy));
  }

  /** From `ws`: text, fragments, and what it finds in a socket that has closed, which may begin amid a frame. */
  #message(data: Buffer, isBinary: boolean): void {
    if (this.#closing || (this.#socket.readyState !== this.#socket.OPEN && !this.#messages.atBoundary)) return;
    this.#count(data);
    if (isBinary) this.#deliver((receiver) => receiver.onMessage(data));
    else this.#deliver((receiver) => receiver.onInvalidMessage("ERR_PROTOCOL_MESSAGE_TYPE"));
  }

  #count(message: Buffer): void {
    this.bytesReceived += message.length;
    // One read of the socket may hold several messages; what is behind them waits in the kernel.
    if (this.#receiver === undefined) this.#socket.pause();
  }

  /** WebSocket pings and pongs are none of ours; answering them must stay cheap (R-L4). */
  #control(): void {
    if (this.#controls.hit() && !this.#closing) this.#deliver((receiver) => receiver.onInvalidMessage("ERR_PROTOCOL_FLOOD"));
  }

  #closed(code: number, reason: Buffer): void {
    this.#closing = true;
    this.#messages.stop();
    this.#closeTimer?.cancel();
    this.#deliver((receiver) => receiver.onClose(code, printable(reason.toString())));
  }

  /** Every error is followed by 'close'; only a message over the limit is worth telling apart. */
  #error(error: NodeJS.ErrnoException): void {
    this.#messages.stop();
    if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
      this.#deliver((receiver) => receiver.onInvalidMessage("ERR_PROTOCOL_MESSAGE_TOO_LARGE"));
    }
  }

  #deliver(tell: (receiver: TransportReceiver) => void): void {
    if (this.#receiver !== undefined && this.#early.length === 0) tell(this.#receiver);
    else this.#early.push(tell);
  }

  #drained(): void {
    if (!this.#drainWanted || this.#socket.bufferedAmount > 0) return;
    this.#drainWanted = false;
    this.#receiver?.onDrain();
  }
}
