// A visitor that opens a WebSocket of an application through the relay. Knows the library ws, not the product.

import { WebSocket } from "ws";
import type { ClientOptions } from "ws";
import type { Relay } from "./relay.ts";
import { lookupLoopback } from "./visitor.ts";

export interface WebSocketVisit {
  readonly protocols?: readonly string[];
  readonly options?: ClientOptions;
}

/** Resolves when the handshake is done; rejects with the status of a refusal in its message. */
export function openWebSocket(relay: Relay, application: string, path: string, visit: WebSocketVisit = {}): Promise<WebSocket> {
  const scheme = relay.options.tls === undefined ? "ws" : "wss";
  const socket = new WebSocket(`${scheme}://${relay.host(application)}${path}`, [...(visit.protocols ?? [])], {
    lookup: lookupLoopback,
    ...visit.options,
  });
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** The next message, as a buffer. */
export function nextMessage(socket: WebSocket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    socket.once("message", (data) => resolve(data as Buffer));
    socket.once("close", (code) => reject(new Error(`closed with ${code} instead of a message`)));
  });
}
