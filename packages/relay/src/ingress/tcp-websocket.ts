// A TCP service towards its visitor (T19): the bytes of a forwarding in WebSocket frames, its half-close as an empty message.
// Between the visitor's exchange and the forwarding, which sees raw bytes only. Decides nothing.

import type { Fields } from "@sallyport/shared/http/fields";
import {
  encodeClose,
  encodeEnd,
  encodeFrame,
  TCP_PROTOCOL_V1,
  WebSocketBytesReader,
  WebSocketClose,
} from "@sallyport/shared/http/websocket-bytes";
import type { Forwarding, FrameFollower, VisitorExchange } from "../tunnel/forward.ts";
import type { IngressExchange } from "./exchange.ts";

/** Every frame is handed over whole, so that a close frame may stand anywhere. */
export const BETWEEN_FRAMES: FrameFollower = { atBoundary: true, push: () => undefined };

export class TcpWebSocket implements VisitorExchange {
  readonly #exchange: IngressExchange;
  readonly #reader: WebSocketBytesReader;
  #forwarding: Pick<Forwarding, "bodyData" | "bodyEnd" | "visitorGone"> | undefined;
  #switched = false;
  #visitorEnded = false;
  #originEnded = false;
  #closed = false;
  /** The visitor's socket is full: pings stay without answer until it is not, or they could fill memory (R-L4). */
  #blocked = false;

  constructor(exchange: IngressExchange) {
    this.#exchange = exchange;
    this.#reader = new WebSocketBytesReader(true, {
      onBytes: (chunk) => this.#forwarding?.bodyData(chunk),
      onEnd: () => this.#onVisitorEnd(),
      onPing: (payload) => this.#onPing(payload),
      onClose: () => this.#onVisitorClose(WebSocketClose.NORMAL),
    });
  }

  /** The forwarding that this visitor belongs to. */
  carry(forwarding: Forwarding): void {
    this.#forwarding = forwarding;
  }

  // From the visitor --------------------------------------------------------------------------------------------

  onData(chunk: Uint8Array): void {
    if (this.#closed) return;
    const problem = this.#reader.push(chunk);
    if (problem !== undefined) this.#onVisitorClose(WebSocketClose.PROTOCOL_ERROR, problem);
  }

  /** The socket ended without a close frame: nobody is there any more. */
  onSocketEnd(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forwarding?.visitorGone(0, false);
    this.#exchange.abort();
  }

  drained(): void {
    this.#blocked = false;
  }

  #onVisitorEnd(): void {
    this.#visitorEnded = true;
    this.#forwarding?.bodyEnd();
    if (this.#originEnded) this.close(WebSocketClose.NORMAL, "");
  }

  #onPing(payload: Uint8Array): void {
    if (!this.#blocked && !this.#closed) this.#write(encodeFrame("pong", payload, "none"));
  }

  /** The visitor closed, or broke the protocol: nothing more goes either way. */
  #onVisitorClose(code: number, reason = ""): void {
    if (!(this.#visitorEnded && this.#originEnded)) this.#forwarding?.visitorGone(0, false);
    this.close(code, reason);
  }

  // From the forwarding -----------------------------------------------------------------------------------------

  switchProtocols(fields: Fields): void {
    this.#switched = true;
    this.#exchange.switchProtocols([...fields, "Sec-WebSocket-Protocol", TCP_PROTOCOL_V1]);
  }

  write(chunk: Uint8Array): boolean {
    return this.#closed || chunk.length === 0 ? true : this.#write(encodeFrame("data", chunk, "none"));
  }

  end(): void {
    if (this.#closed || this.#originEnded) return;
    this.#originEnded = true;
    this.#write(encodeEnd("none"));
    if (this.#visitorEnded) this.close(WebSocketClose.NORMAL, "");
  }

  /** Says why it is over, where something was begun. */
  close(code: number, reason: string): void {
    if (this.#closed || !this.#switched) return;
    this.#closed = true;
    this.#exchange.write(encodeClose(code, reason, "none"));
    this.#exchange.end();
  }

  /** The tunnel or the origin broke off: told to the visitor as well as it can be, since raw TCP has no other word for it. */
  abort(): void {
    if (this.#switched && !this.#closed) this.close(WebSocketClose.INTERNAL, "connection lost");
    else this.#exchange.abort();
  }

  resume(): void {
    this.#exchange.resume();
  }

  pause(): void {
    this.#exchange.pause();
  }

  sendContinue(): void {
    // An upgrade request has no body to wait for.
  }

  sendInformational(): void {
    // A TCP service has nothing to say before it is connected.
  }

  sendHead(status: number, fields: Fields, end: boolean): void {
    this.#exchange.sendHead(status, fields, end);
  }

  #write(frame: Uint8Array): boolean {
    const open = this.#exchange.write(frame);
    if (!open) this.#blocked = true;
    return open;
  }
}
