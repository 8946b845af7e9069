import { once } from "node:events";
import { createServer } from "node:net";
import type { Socket } from "node:net";

import { acceptKey } from "@sallyport/shared/http/upgrade";
import { StreamKind } from "@sallyport/shared/protocol/head";
import { describe, expect, test } from "vitest";

import { openStream } from "./testing/memory-stream.ts";
import type { MemoryStream } from "./testing/memory-stream.ts";
import { address, closedPort, listening, rawOrigin, routerTo } from "./testing/origins.ts";
import type { TestRouter } from "./testing/origins.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const FIELDS = ["Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", KEY, "Sec-WebSocket-Protocol", "chat"];
const SWITCH = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(KEY)}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`;

function upgrade(router: TestRouter): MemoryStream {
  return openStream(router.accept, { kind: StreamKind.UPGRADE, path: "/ws", fields: FIELDS, end: false });
}

async function upgradeOrigin(answer: (socket: Socket, request: string) => void): Promise<TestRouter> {
  const origin = await rawOrigin((socket, request, count) => {
    if (count === 1) answer(socket, request);
  });
  return routerTo(address(`http://127.0.0.1:${origin.port}`));
}

describe("a WebSocket", () => {
  test("the origin gets one clean handshake, and the visitor its answer without hop-by-hop fields", async () => {
    let seen = "";
    const router = await upgradeOrigin((socket, request) => {
      seen = request;
      socket.write(SWITCH);
    });
    const stream = upgrade(router);
    expect(await stream.head()).toEqual({
      status: 101,
      fields: ["Sec-WebSocket-Accept", acceptKey(KEY), "Sec-WebSocket-Protocol", "chat"],
    });
    expect(seen.split("\r\n")).toEqual([
      "GET /ws HTTP/1.1",
      "Host: app.example.com",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Protocol: chat",
      "Upgrade: websocket",
      "",
      "",
    ]);
    stream.cancel();
  });

  test("bytes that come with the 101 are not lost", async () => {
    const router = await upgradeOrigin((socket) => socket.write(`${SWITCH}first bytes`));
    const stream = upgrade(router);
    await stream.until(() => stream.bytes === 11);
    expect(stream.received).toBe("first bytes");
    stream.cancel();
  });

  test("bytes of the visitor before the 101 are held, then sent", async () => {
    const router = await upgradeOrigin((socket) => {
      socket.once("data", (chunk) => socket.write(chunk));
      socket.write(SWITCH);
    });
    const stream = upgrade(router);
    stream.send("early");
    expect(stream.consumed).toBe(0);
    await stream.until(() => stream.received === "early");
    expect(stream.consumed).toBe(5);
    stream.cancel();
  });

  test("each half ends by itself", async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.once("data", () => {
        socket.write(SWITCH);
        socket.on("data", () => undefined);
        socket.on("end", () => socket.end("after your end"));
      });
    });
    const { port } = await listening(server);
    const stream = upgrade(routerTo(address(`http://127.0.0.1:${port}`)));
    await stream.head();
    stream.finish();
    expect(await stream.text()).toBe("after your end");
  });

  test("the origin's end leaves the visitor's half open", async () => {
    let received = "";
    const ended = Promise.withResolvers<void>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.once("data", () => {
        socket.end(SWITCH);
        socket.on("data", (chunk) => (received += String(chunk)));
        socket.on("end", () => ended.resolve());
      });
    });
    const { port } = await listening(server);
    const router = routerTo(address(`http://127.0.0.1:${port}`));
    const stream = upgrade(router);
    await stream.done();
    stream.send("still here");
    stream.finish();
    await ended.promise;
    expect(received).toBe("still here");
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });

  test("a socket that breaks is ORIGIN_CLOSED", async () => {
    const router = await upgradeOrigin((socket) => {
      socket.write(SWITCH);
      socket.once("data", () => socket.resetAndDestroy());
    });
    const stream = upgrade(router);
    await stream.head();
    stream.send("x");
    expect(await stream.failure()).toMatchObject({ code: "ORIGIN_CLOSED" });
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });

  test("a visitor that goes away closes the origin's socket", async () => {
    const server = createServer((socket) => void socket.once("data", () => socket.write(SWITCH)));
    const { port } = await listening(server);
    const router = routerTo(address(`http://127.0.0.1:${port}`));
    const connected = once(server, "connection") as Promise<Socket[]>;
    const stream = upgrade(router);
    const [socket] = await connected;
    await stream.head();
    const closed = new Promise((resolve) => socket?.once("close", resolve));
    stream.cancel();
    await closed;
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });

  test.each([
    ["the wrong accept key", SWITCH.replace(acceptKey(KEY), acceptKey("AAAAAAAAAAAAAAAAAAAAAA=="))],
    ["no accept key", SWITCH.replace(/Sec-WebSocket-Accept: [^\r]*\r\n/, "")],
    ["another protocol", SWITCH.replace("Upgrade: websocket", "Upgrade: h2c")],
  ])("a 101 with %s is ORIGIN_PROTOCOL, and no raw byte passes", async (_name, answer) => {
    const router = await upgradeOrigin((socket) => socket.write(`${answer}raw`));
    const stream = upgrade(router);
    expect(await stream.failure()).toMatchObject({ code: "ORIGIN_PROTOCOL" });
    expect(stream.bytes).toBe(0);
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });

  test("any other status is an ordinary response, and what the visitor sends is not handed on", async () => {
    let received = "";
    const router = await upgradeOrigin((socket) => {
      socket.on("data", (chunk) => (received += String(chunk)));
      socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    });
    const stream = upgrade(router);
    stream.send("GET /internal HTTP/1.1\r\n\r\n");
    expect(await stream.text()).toBe("no");
    expect((await stream.head()).status).toBe(403);
    await stream.until(() => stream.consumed === stream.sent);
    expect(received).toBe("");
  });

  test("backpressure: a visitor that does not read stops the origin", async () => {
    const chunk = Buffer.alloc(65_536, 1);
    let written = 0;
    const router = await upgradeOrigin((socket) => {
      socket.write(SWITCH);
      const pump = (): void => {
        while (written++ < 256) if (!socket.write(chunk)) return;
      };
      socket.on("drain", pump);
      pump();
    });
    const stream = openStream(router.accept, { kind: StreamKind.UPGRADE, fields: FIELDS, end: false, stalled: true, discard: true });
    await stream.until(() => stream.bytes >= 65_536);
    expect(stream.bytes).toBeLessThan(1_048_576);
    stream.read();
    await stream.until(() => stream.bytes === 256 * 65_536);
    stream.cancel();
  });
});

describe("a TCP service", () => {
  test("connects, answers 200 and carries raw bytes with half-close", async () => {
    const { port } = await listening(
      createServer({ allowHalfOpen: true }, (socket) => {
        socket.write("SSH-2.0\r\n");
        socket.pipe(socket);
      }),
    );
    const router = routerTo(address(`tcp://127.0.0.1:${port}`));
    const stream = openStream(router.accept, { kind: StreamKind.TCP, method: "", path: "", end: false });
    stream.send("before connecting ");
    expect(await stream.head()).toEqual({ status: 200, fields: [] });
    stream.send("and after");
    stream.finish();
    expect(await stream.text()).toBe("SSH-2.0\r\nbefore connecting and after");
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });

  test("nobody listens: ORIGIN_UNREACHABLE", async () => {
    const router = routerTo(address(`tcp://127.0.0.1:${await closedPort()}`));
    const stream = openStream(router.accept, { kind: StreamKind.TCP, method: "", path: "", end: false });
    expect(await stream.failure()).toMatchObject({ code: "ORIGIN_UNREACHABLE", text: "ECONNREFUSED" });
  });

  test("is not reached by an HTTP stream, nor an HTTP service by a TCP stream", async () => {
    const tcp = routerTo(address("tcp://127.0.0.1:9"));
    expect(await openStream(tcp.accept).failure()).toMatchObject({ code: "REQUEST_INVALID" });
    const http = routerTo(address("http://127.0.0.1:9"));
    expect(await openStream(http.accept, { kind: StreamKind.TCP, method: "", path: "", end: false }).failure()).toMatchObject({
      code: "REQUEST_INVALID",
    });
  });
});
