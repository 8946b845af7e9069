// Visitors that go away in the middle, origins that do: afterwards both programs hold no more handles and no more
// streams than before.

import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { sendBulk } from "../harness/bulk.ts";
import { openHandles } from "../harness/memory.ts";
import { startOrigin } from "../harness/origin.ts";
import { RawClient } from "../harness/raw-client.ts";
import { eventually } from "../harness/scratch.ts";
import { answer, openVisit, visit } from "../harness/visitor.ts";

const VISITORS = 150;
/** Kept connections to the origin may outlive the test (pool idle 4 s); nothing else may. */
const SPARE_HANDLES = 12;

test("after visitors and origins that went away in the middle no handle is left", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (request, response) => {
    if (request.url === "/small") {
      response.end("ok");
    } else if (request.url === "/dies") {
      response.writeHead(200, { "content-length": 1000 }).write("a part");
      response.destroy();
    } else {
      response.writeHead(200);
      sendBulk(response, 2 ** 30).catch(() => {});
    }
  });
  const { relay, connector } = await createBed(stack, { services: { web: origin.url } });
  await visit(relay, "web", "/small");
  const programs = [relay.program, connector.program];
  const before = programs.map(({ pid }) => openHandles(pid));

  await Promise.all(
    Array.from({ length: VISITORS }, async (_, index) => {
      const request = openVisit(relay, "web", index % 3 === 0 ? "/dies" : "/endless");
      request.on("error", () => {});
      request.end();
      const response = await answer(request).catch(() => undefined);
      response?.on("error", () => {});
      request.destroy();
    }),
  );
  for (const [index, { name, pid }] of programs.entries()) {
    const bound = (before[index] ?? 0) + SPARE_HANDLES;
    await eventually(() => openHandles(pid) <= bound, { what: `the ${name} to let go (more than ${bound} handles)`, timeoutMs: 15_000 });
  }
  expect((await visit(relay, "web", "/small")).status).toBe(200);
});

test("a visitor who leaves before the origin switches protocols leaves nothing behind", async () => {
  await using stack = new AsyncDisposableStack();
  const asked = Promise.withResolvers<Duplex>();
  const origin = await startOrigin(stack, (_request, response) => void response.end());
  origin.server.on("upgrade", (_request, socket) => asked.resolve(socket));
  const { relay, authority } = await createBed(stack, { services: { web: origin.url }, tls: true });
  const ca = readFileSync(authority?.caFile ?? "", "utf8");
  const client = await RawClient.connect({ port: relay.port, tls: { serverName: "web.relay.localhost", ca } });
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  client.send(`GET / HTTP/1.1\r\nHost: ${relay.host("web")}\r\n${upgrade}\r\n\r\n`);
  const socket = await asked.promise;
  socket.on("error", () => {}).on("end", () => socket.end());
  client[Symbol.dispose]();
  await client.closed;
  socket.resume();
  // RFC 6455 section 1.3: the answer to that key.
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  );
  await eventually(async () => (await relay.metric("sallyport_exchanges_active")) === 0, { what: "the exchange to be over" });
});
