// What the multiplexer needs of whatever carries its messages: WebSockets in the product, memory in tests.

export interface TransportReceiver {
  /** The memory of the message is used again when this returns: what is kept of it is copied. */
  onMessage(message: Buffer): void;
  /** What cannot be ours: text, a message over the size limit, a flood of WebSocket control frames. The receiver closes. */
  onInvalidMessage(code: "ERR_PROTOCOL_MESSAGE_TYPE" | "ERR_PROTOCOL_MESSAGE_TOO_LARGE" | "ERR_PROTOCOL_FLOOD"): void;
  /** The send buffer has drained after {@link Transport.bufferedBytes} was looked at and found high. */
  onDrain(): void;
  /** Once, last: the connection is gone. `code` is a WebSocket close code, 1006 when there was no close frame. */
  onClose(code: number, reason: string): void;
}

export interface Transport {
  /**
   * Sends one message of whole frames; the buffer must not be changed until `sent` is called, which is when nobody reads
   * from it any more: later, or never. Ignored when closed.
   */
  send(message: Uint8Array, sent?: () => void): void;
  /** Bytes accepted by send() that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** Bytes there are of a message that has begun to arrive; 0 between messages. Over a slow line it may take a minute. */
  readonly arrivingBytes: number;
  /** Bytes received and sent over the life of the transport, for metrics. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /**
   * Takes over everything that arrives; what arrived while nobody listened (undefined) is delivered first. That is how
   * the handshake hands over to the multiplexer without losing a frame.
   */
  setReceiver(receiver: TransportReceiver | undefined): void;
  /** Largest message accepted from now on: small before authentication, MAX_MESSAGE_BYTES after (R-K9). */
  limitMessages(maxBytes: number): void;
  /**
   * Closes politely: what was sent goes out, then the close frame; the socket is cut if the peer does not answer in 2 s.
   * Messages that arrive from now on are dropped. `reason` is cut to what a close frame holds.
   */
  close(code: number, reason: string): void;
  /** Cuts at once. */
  terminate(): void;
}
