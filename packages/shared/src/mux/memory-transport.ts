// Two transports joined in memory, for tests of whatever stands on the multiplexer. Messages arrive in later turns of the
// event loop, in order, as on a socket.

import type { Transport, TransportReceiver } from "./transport.ts";

export interface MemoryTransport extends Transport {
  /** Stops delivery to the other side, like a full socket; bufferedBytes grows meanwhile. */
  stall(): void;
  resume(): void;
  /** Loses the connection for both sides. */
  cut(): void;
  /** Delivers a message to this side as if the peer had sent it. */
  inject(message: Buffer): void;
}

class MemoryEnd implements MemoryTransport {
  peer: MemoryEnd | undefined;
  #receiver: TransportReceiver | undefined;
  #early: Array<(receiver: TransportReceiver) => void> = [];
  #queue: Uint8Array[] = [];
  #stalled = false;
  #closing = false;
  #closed = false;
  bufferedBytes = 0;
  bytesReceived = 0;
  arrivingBytes = 0;
  bytesSent = 0;
  maxMessageBytes = Number.POSITIVE_INFINITY;

  send(message: Uint8Array): void {
    if (this.#closed) return;
    this.bytesSent += message.length;
    this.bufferedBytes += message.length;
    this.#queue.push(message);
    setImmediate(() => this.#pump());
  }

  setReceiver(receiver: TransportReceiver | undefined): void {
    this.#receiver = receiver;
    // A receiver may hand over to the next one, or to nobody, from within a delivery.
    while (this.#receiver === receiver && receiver !== undefined && this.#early.length > 0) this.#early.shift()?.(receiver);
  }

  limitMessages(maxBytes: number): void {
    this.maxMessageBytes = maxBytes;
  }

  close(code: number, reason: string): void {
    this.#closing = true;
    this.resume();
    setImmediate(() => this.#end(code, reason));
  }

  terminate(): void {
    this.#end(1006, "");
  }

  stall(): void {
    this.#stalled = true;
  }

  resume(): void {
    this.#stalled = false;
    this.#pump();
  }

  cut(): void {
    this.#end(1006, "");
  }

  inject(message: Buffer): void {
    if (this.#closing || this.#closed) return;
    this.bytesReceived += message.length;
    if (message.length > this.maxMessageBytes) this.#deliver((receiver) => receiver.onInvalidMessage("ERR_PROTOCOL_MESSAGE_TOO_LARGE"));
    else
      this.#deliver((receiver) => {
        receiver.onMessage(message);
        // Whoever kept a part of it finds this, as with a socket that reads into the same memory again.
        message.fill(0xdb);
      });
  }

  #pump(): void {
    if (this.#stalled || this.#closed) return;
    const queue = this.#queue;
    this.#queue = [];
    for (const message of queue) {
      this.bufferedBytes -= message.length;
      this.peer?.inject(Buffer.from(message));
    }
    if (queue.length > 0 && this.bufferedBytes === 0) this.#receiver?.onDrain();
  }

  #end(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deliver((receiver) => receiver.onClose(code, reason));
    if (this.peer !== undefined) this.peer.#end(code, reason);
  }

  #deliver(tell: (receiver: TransportReceiver) => void): void {
    if (this.#receiver !== undefined && this.#early.length === 0) tell(this.#receiver);
    else this.#early.push(tell);
  }
}

/** @returns the two ends of one connection */
export function memoryTransports(): [MemoryTransport, MemoryTransport] {
  const left = new MemoryEnd();
  const right = new MemoryEnd();
  left.peer = right;
  right.peer = left;
  return [left, right];
}
