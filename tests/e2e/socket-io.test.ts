// socket.io through the tunnel, by WebSocket alone, by HTTP long polling alone, and with the upgrade from one to
// the other; text, binary and acknowledgements in both directions.

import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import type { Socket } from "socket.io-client";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import type { Relay } from "../harness/relay.ts";
import { within } from "../harness/scratch.ts";
import { lookupLoopback } from "../harness/visitor.ts";

async function startChat(stack: AsyncDisposableStack): Promise<string> {
  const http = createServer();
  const server = new Server(http);
  server.on("connection", (socket) => {
    socket.on("echo", (value: unknown, acknowledge: (value: unknown) => void) => acknowledge(value));
    socket.on("shout", (text: string) => server.emit("shouted", text));
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  stack.defer(() => server.close());
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

function open(stack: AsyncDisposableStack, relay: Relay, transports: readonly string[]): Socket {
  const agent = new Agent({ lookup: lookupLoopback });
  // Typed as the browser's `string | boolean`; in Node it is an http.Agent.
  const node = { agent: agent as unknown as string };
  const options = { transports: [...transports], reconnection: false, forceNew: true, ...node };
  const socket = io(`http://${relay.host("chat")}`, options);
  stack.defer(() => {
    socket.disconnect();
    agent.destroy();
  });
  return socket;
}

async function connected(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("connect", resolve);
  socket.once("connect_error", reject);
  await within(10_000, "socket.io to connect", promise);
}

function upgrade(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.io.once("open", () => socket.io.engine.once("upgrade", () => resolve())));
}

test.each([
  { transports: ["websocket"], ends: "websocket" },
  { transports: ["polling"], ends: "polling" },
  { transports: ["polling", "websocket"], ends: "websocket" },
])("socket.io with $transports ends on $ends and carries messages both ways", async ({ transports, ends }) => {
  await using stack = new AsyncDisposableStack();
  const { relay } = await createBed(stack, { services: { chat: await startChat(stack) } });
  const speaker = open(stack, relay, transports);
  const listener = open(stack, relay, transports);
  const upgraded = transports.length > 1 ? upgrade(speaker) : undefined;
  await Promise.all([connected(speaker), connected(listener)]);
  if (upgraded !== undefined) await within(10_000, "the upgrade to WebSocket", upgraded);
  expect(speaker.io.engine.transport.name).toBe(ends);

  const binary = Buffer.alloc(200_000, 7);
  expect(await within(10_000, "text", speaker.emitWithAck("echo", { text: "grüße ✓", list: [1, null] }))).toEqual({
    text: "grüße ✓",
    list: [1, null],
  });
  const echoed = (await within(10_000, "binary", speaker.emitWithAck("echo", binary))) as Buffer;
  expect(binary.equals(echoed)).toBe(true);

  const heard = new Promise((resolve) => listener.once("shouted", resolve));
  speaker.emit("shout", "to everybody");
  expect(await within(10_000, "the broadcast", heard)).toBe("to everybody");
});
