// What a stranger at the WebSocket may cost before, during and after a connection.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { ManualClock } from "../clock.ts";
import type { Transport } from "./transport.ts";
import { WS_LIMITS, wsTransport } from "./ws-transport.ts";

interface Pair {
  readonly server: WebSocketServer;
  readonly socket: WebSocket;
  readonly peer: WebSocket;
  readonly transport: Transport;
  readonly clock: ManualClock;
}

const open: Pair[] = [];

async function pair(): Promise<Pair> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...WS_LIMITS });
  await once(server, "listening");
  const peer = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, WS_LIMITS);
  const clock = new ManualClock();
  const [socket] = (await once(server, "connection")) as [WebSocket];
  const transport = wsTransport(socket, clock);
  if (peer.readyState !== WebSocket.OPEN) await once(peer, "open");
  const made = { server, socket, peer, transport, clock };
  open.push(made);
  return made;
}

afterEach(async () => {
  for (const { server, socket, peer } of open.splice(0)) {
    peer.terminate();
    socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
});

interface Told {
  readonly messages: number[];
  readonly invalid: string[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

function listen(transport: Transport, onMessage: (count: number) => void = () => undefined): Told {
  const closed = Promise.withResolvers<{ readonly code: number; readonly reason: string }>();
  const told = { messages: [] as number[], invalid: [] as string[], closed: closed.promise };
  transport.setReceiver({
    onMessage: (message) => onMessage(told.messages.push(message.length)),
    onInvalidMessage: (code) => told.invalid.push(code),
    onDrain: () => undefined,
    onClose: (code, reason) => closed.resolve({ code, reason }),
  });
  return told;
}

describe("bounds of the WebSocket transport", () => {
  it("stops reading while nobody listens, and delivers everything in order afterwards", async () => {
    const { transport, peer } = await pair();
    const message = Buffer.alloc(65_536);
    let accepted = 0;
    for (let i = 0; i < 400; i++) peer.send(message, () => accepted++);
    // The kernel takes some megabytes for both sides; the rest stays with the sender, and the transport holds one read of the socket.
    await expect.poll(() => transport.bytesReceived).toBeGreaterThan(0);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(transport.bytesReceived).toBeLessThan(1 << 20);
    expect(accepted).toBeLessThan(400);
    const all = Promise.withResolvers<void>();
    const told = listen(transport, (count) => count === 400 && all.resolve());
    await all.promise;
    expect(told.messages.length).toBe(400);
  });

  it("hands what is left to the next receiver when the first one lets go within a delivery", async () => {
    const { transport, peer } = await pair();
    for (const text of ["a", "bb", "ccc"]) peer.send(Buffer.from(text));
    await expect.poll(() => transport.bytesReceived).toBe(6);
    const first = listen(transport, () => transport.setReceiver(undefined));
    expect(first.messages).toEqual([1]);
    expect(listen(transport).messages).toEqual([2, 3]);
  });

  it("drops what arrives after close()", async () => {
    const { transport, peer } = await pair();
    const told = listen(transport);
    const closing = once(peer, "close");
    for (let i = 0; i < 100; i++) peer.send(Buffer.alloc(1_000));
    transport.close(4001, "refused");
    await closing;
    await told.closed;
    expect([told.messages, transport.bytesReceived]).toEqual([[], 0]);
  });

  it("closes with a reason of any length and script, and leaves no timer behind", async () => {
    const { transport, peer, clock } = await pair();
    const told = listen(transport);
    const closing = once(peer, "close");
    transport.close(1001, `${"ü".repeat(61)}😀 and more`);
    transport.close(1001, "again");
    expect(clock.pendingTimers).toBe(1);
    const [code, reason] = (await closing) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([1001, "ü".repeat(61)]);
    await told.closed;
    expect(clock.pendingTimers).toBe(0);
  });

  it("cuts a peer that does not answer the close within two seconds", async () => {
    const { transport, peer, clock } = await pair();
    const told = listen(transport);
    peer.pause();
    transport.close(1001, "");
    clock.advance(2_000);
    expect((await told.closed).code).toBe(1006);
  });

  it("makes the peer's reason harmless for logs and terminals (R-M1)", async () => {
    const { transport, peer } = await pair();
    const told = listen(transport);
    peer.close(4000, "a\u001b[31m\r\nb\u202e");
    expect(await told.closed).toEqual({ code: 4000, reason: "a [31m  b " });
  });

  it("takes more than 200 WebSocket pings or pongs in ten seconds for a flood (R-L4)", async () => {
    const { transport, peer, clock } = await pair();
    const told = listen(transport);
    // `ws` itself cuts a peer whose pings it cannot answer as fast as they come; pongs reach the bound of ours.
    for (let i = 0; i < 200; i++) peer.pong();
    peer.send(Buffer.from("marker"));
    await expect.poll(() => told.messages.length).toBe(1);
    clock.advance(10_000);
    for (let i = 0; i < 200; i++) peer.pong();
    peer.send(Buffer.from("marker"));
    await expect.poll(() => told.messages.length).toBe(2);
    expect(told.invalid).toEqual([]);
    peer.ping();
    await expect.poll(() => told.invalid).toEqual(["ERR_PROTOCOL_FLOOD"]);
  });
});
