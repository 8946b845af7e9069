// A transport that keeps what arrives to itself until release(). MuxConnection takes over its transport inside its own
// constructor, and frames that came right behind the handshake are delivered at that moment: before the owner has the
// connection in hand, and so before it could look up the assertion of an OPEN among them.

import type { Transport, TransportReceiver } from "@sallyport/shared/mux/transport";

export class HeldTransport implements Transport {
  readonly #inner: Transport;
  #held: TransportReceiver | undefined;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  /** Delivers from now on, what was held first. */
  release(): void {
    this.#inner.setReceiver(this.#held);
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  get arrivingBytes(): number {
    return this.#inner.arrivingBytes;
  }

  get bytesReceived(): number {
    return this.#inner.bytesReceived;
  }

  get bytesSent(): number {
    return this.#inner.bytesSent;
  }

  setReceiver(receiver: TransportReceiver | undefined): void {
    this.#held = receiver;
  }

  send(message: Uint8Array, sent?: () => void): void {
    this.#inner.send(message, sent);
  }

  limitMessages(maxBytes: number): void {
    this.#inner.limitMessages(maxBytes);
  }

  close(code: number, reason: string): void {
    this.#inner.close(code, reason);
  }

  terminate(): void {
    this.#inner.terminate();
  }
}
