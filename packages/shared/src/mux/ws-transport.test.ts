import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { MAX_MESSAGE_BYTES } from "../protocol/frame.ts";
import { muxSuite } from "./mux-suite.ts";
import type { Transport } from "./transport.ts";
import { WS_LIMITS, wsTransport } from "./ws-transport.ts";

interface WsPair {
  readonly relay: Transport;
  readonly connector: Transport;
  readonly connectorSocket: WebSocket;
  readonly relaySocket: WebSocket;
  close(): Promise<void>;
}

async function wsPair(): Promise<WsPair> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...WS_LIMITS });
  await once(server, "listening");
  const connectorSocket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, WS_LIMITS);
  const connector = wsTransport(connectorSocket);
  const [relaySocket] = (await once(server, "connection")) as [WebSocket];
  const relay = wsTransport(relaySocket);
  if (connectorSocket.readyState !== WebSocket.OPEN) await once(connectorSocket, "open");
  return {
    relay,
    connector,
    connectorSocket,
    relaySocket,
    close: async () => {
      connectorSocket.terminate();
      relaySocket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("multiplexer over WebSockets", () => {
  muxSuite({ pair: wsPair });
});

describe("WebSocket transport", () => {
  it("refuses text messages and messages over the limit, and limits them more before authentication (R-K9)", async () => {
    for (const [message, limitBytes, code] of [
      ["text", MAX_MESSAGE_BYTES, "ERR_PROTOCOL_MESSAGE_TYPE"],
      [Buffer.alloc(MAX_MESSAGE_BYTES + 1), MAX_MESSAGE_BYTES, "ERR_PROTOCOL_MESSAGE_TOO_LARGE"],
      [Buffer.alloc(4_097), 4_096, "ERR_PROTOCOL_MESSAGE_TOO_LARGE"],
    ] as const) {
      const pair = await wsPair();
      pair.relay.limitMessages(limitBytes);
      const invalid = new Promise((resolve) => {
        pair.relay.setReceiver({
          onMessage: () => resolve("accepted"),
          onInvalidMessage: resolve,
          onDrain: () => undefined,
          onClose: () => undefined,
        });
      });
      pair.connectorSocket.send(message);
      expect(await invalid).toBe(code);
      await pair.close();
    }
  });

  it("holds what arrives while nobody listens", async () => {
    const pair = await wsPair();
    pair.connector.send(Buffer.from("one"));
    pair.connector.send(Buffer.from("two"));
    const received: string[] = [];
    await new Promise<void>((resolve) => {
      const listen = (): void => {
        pair.relay.setReceiver({
          onMessage: (message) => {
            received.push(message.toString());
            if (received.length === 2) resolve();
            else {
              pair.relay.setReceiver(undefined);
              setImmediate(listen);
            }
          },
          onInvalidMessage: () => undefined,
          onDrain: () => undefined,
          onClose: () => undefined,
        });
      };
      listen();
    });
    expect(received).toEqual(["one", "two"]);
    await pair.close();
  });

  it("reads messages itself, without garbage: `ws` sees none of them, and its socket has the one listener that is replaced", async () => {
    const pair = await wsPair();
    const seenByWs: number[] = [];
    pair.connectorSocket.on("message", (data: Buffer) => seenByWs.push(data.length));
    const message = Buffer.alloc(50_000, "m");
    const done = Promise.withResolvers<void>();
    let receivedBytes = 0;
    let whole = true;
    const before = process.memoryUsage().arrayBuffers;
    let mostBytes = 0;
    pair.connector.setReceiver({
      onMessage: (received) => {
        whole &&= received.length === message.length && received[0] === 0x6d && received[message.length - 1] === 0x6d;
        receivedBytes += received.length;
        mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers - before);
        if (receivedBytes === 500 * message.length) done.resolve();
      },
      onInvalidMessage: () => undefined,
      onDrain: () => undefined,
      onClose: () => undefined,
    });
    for (let i = 0; i < 500; i++) {
      // A server does not mask, and so makes no copies that would be counted.
      await new Promise<void>((resolve) => pair.relaySocket.send(message, () => resolve()));
    }
    await done.promise;
    expect([whole, seenByWs]).toEqual([true, []]);
    expect(mostBytes).toBeLessThan(2 << 20);
    await pair.close();
  });
});
