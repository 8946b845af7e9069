// The fault forwarder itself: a fault test is worth what its faults are.

import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "vitest";
import { FaultForwarder } from "../harness/fault-forwarder.ts";
import { RawClient } from "../harness/raw-client.ts";
import { within } from "../harness/scratch.ts";

async function startEcho(stack: AsyncDisposableStack): Promise<{ readonly port: number; readonly sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

test("without faults it is a wire, half-close included", async () => {
  await using stack = new AsyncDisposableStack();
  const forwarder = stack.use(await FaultForwarder.listen(await startEcho(stack)));
  using client = await RawClient.connect({ port: forwarder.port });
  client.send("hello");
  client.end();
  expect(await client.untilClosed()).toBe("hello");
  expect(forwarder.forwarded).toEqual({ up: 5, down: 5 });
});

test("a delay holds each direction back and keeps the order", async () => {
  await using stack = new AsyncDisposableStack();
  const forwarder = stack.use(await FaultForwarder.listen(await startEcho(stack), { delayMs: 50 }));
  using client = await RawClient.connect({ port: forwarder.port });
  const startedAtMs = performance.now();
  for (const part of ["one ", "two ", "three"]) client.send(part);
  expect(await client.until(/three/)).toBe("one two three");
  expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(99);
});

test("a narrow line takes its time", async () => {
  await using stack = new AsyncDisposableStack();
  const forwarder = stack.use(await FaultForwarder.listen(await startEcho(stack), { bytesPerSecond: 1_000_000 }));
  using client = await RawClient.connect({ port: forwarder.port });
  const startedAtMs = performance.now();
  client.send(`${"x".repeat(300_000)}.`);
  await client.until(/\.$/);
  expect(performance.now() - startedAtMs).toBeGreaterThan(250);
});

test("a stall stops everything and closes nothing; what was sent meanwhile arrives afterwards", async () => {
  await using stack = new AsyncDisposableStack();
  const forwarder = stack.use(await FaultForwarder.listen(await startEcho(stack)));
  using client = await RawClient.connect({ port: forwarder.port });
  client.send("a");
  await client.until(/a/);
  forwarder.stall();
  client.send("b");
  using late = await RawClient.connect({ port: forwarder.port });
  late.send("c");
  await expect(client.until(/b/, 200)).rejects.toThrow("nothing within");
  forwarder.unstall();
  expect(await client.until(/b/)).toBe("ab");
  expect(await late.until(/c/)).toBe("c");
});

test("a cut resets both sides, and a refusal the next ones", async () => {
  await using stack = new AsyncDisposableStack();
  const { port, sockets } = await startEcho(stack);
  const forwarder = stack.use(await FaultForwarder.listen({ port }));
  using client = await RawClient.connect({ port: forwarder.port });
  client.send("a");
  await client.until(/a/);
  const [far] = sockets;
  if (far === undefined) throw new Error("nothing was forwarded");
  const reset = new Promise<void>((resolve) => far.once("close", () => resolve()));
  forwarder.cut();
  await Promise.all([client.untilClosed(), within(5_000, "the far side's end", reset)]);
  expect(forwarder.connections).toBe(0);
  forwarder.refuse(true);
  // The reset may arrive before the connection is known to be there.
  const refused = RawClient.connect({ port: forwarder.port }).then((next) => next.untilClosed());
  expect(await refused.catch((error: unknown) => String(error))).toMatch(/ECONNRESET|^$/);
  expect(sockets).toHaveLength(1);
});
