// Applications' own WebSockets pass as they are: subprotocols, extensions, close codes, big messages, both ways.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { randomBytes } from "node:crypto";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { within } from "../harness/scratch.ts";
import { nextMessage, openWebSocket } from "../harness/websocket.ts";

interface Talk {
  readonly url: string;
  readonly accepted: WebSocket[];
}

async function startTalk(stack: AsyncDisposableStack): Promise<Talk> {
  const http = createServer((_request, response) => response.writeHead(426).end("upgrade, please"));
  const accepted: WebSocket[] = [];
  const handleProtocols = (offered: Set<string>): string | false => (offered.has("chat.v2") ? "chat.v2" : false);
  const server = new WebSocketServer({ server: http, perMessageDeflate: true, maxPayload: 2 ** 26, handleProtocols });
  server.on("connection", (socket) => {
    accepted.push(socket);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  stack.defer(() => {
    for (const socket of server.clients) socket.terminate();
    http.close();
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, accepted };
}

test("subprotocol and extensions are negotiated end to end", async () => {
  await using stack = new AsyncDisposableStack();
  const { url } = await startTalk(stack);
  const { relay } = await createBed(stack, { services: { talk: url } });
  const socket = await openWebSocket(relay, "talk", "/", { protocols: ["chat.v1", "chat.v2"], options: { perMessageDeflate: true } });
  stack.defer(() => socket.terminate());
  expect(socket.protocol).toBe("chat.v2");
  expect(socket.extensions).toContain("permessage-deflate");
  const text = "grüße ".repeat(10_000);
  const echo = nextMessage(socket);
  socket.send(text);
  expect((await within(5_000, "the echo", echo)).toString()).toBe(text);
});

test("a message of 30 MB comes back unchanged", async () => {
  await using stack = new AsyncDisposableStack();
  const { url } = await startTalk(stack);
  const { relay } = await createBed(stack, { services: { talk: url } });
  const socket = await openWebSocket(relay, "talk", "/", { options: { perMessageDeflate: false, maxPayload: 2 ** 26 } });
  stack.defer(() => socket.terminate());
  const bytes = randomBytes(30_000_000);
  const echo = nextMessage(socket);
  socket.send(bytes);
  expect((await within(30_000, "the echo", echo)).equals(bytes)).toBe(true);
});

test.each(["visitor", "origin"] as const)("a close by the %s arrives with its code and reason", async (by) => {
  await using stack = new AsyncDisposableStack();
  const { url, accepted } = await startTalk(stack);
  const { relay } = await createBed(stack, { services: { talk: url } });
  const visitor = await openWebSocket(relay, "talk", "/");
  const origin = accepted[0];
  if (origin === undefined) throw new Error("the origin saw no connection");
  const [closer, other] = by === "visitor" ? [visitor, origin] : [origin, visitor];
  const closed = once(other, "close");
  closer.close(4321, "enough, thanks");
  const [code, reason] = (await within(5_000, "the close", closed)) as [number, Buffer];
  expect([code, reason.toString()]).toEqual([4321, "enough, thanks"]);
});

test("an origin that dies ends the visitor's WebSocket, and a visitor that dies ends the origin's", async () => {
  await using stack = new AsyncDisposableStack();
  const { url, accepted } = await startTalk(stack);
  const { relay } = await createBed(stack, { services: { talk: url } });
  const first = await openWebSocket(relay, "talk", "/");
  const firstClosed = once(first, "close");
  accepted[0]?.terminate();
  expect(((await within(5_000, "the visitor's end", firstClosed)) as [number])[0]).toBe(1006);
  const second = await openWebSocket(relay, "talk", "/");
  const secondClosed = once(accepted[1] ?? second, "close");
  second.terminate();
  expect(((await within(5_000, "the origin's end", secondClosed)) as [number])[0]).toBe(1006);
});

test("an origin that refuses the upgrade is heard, and the connection stays under the rules of HTTP", async () => {
  await using stack = new AsyncDisposableStack();
  const http = createServer();
  http.on("upgrade", (_request, socket) => {
    socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nX-Why: no\r\n\r\nnope");
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void http.close());
  const { relay } = await createBed(stack, { services: { talk: `http://127.0.0.1:${(http.address() as AddressInfo).port}` } });
  await expect(openWebSocket(relay, "talk", "/")).rejects.toThrow("403");
});
