// What an origin must not be able to do with HTTP/1.1 (R-D4, R-D9): each case is a raw server that misbehaves.

import { randomBytes } from "node:crypto";

import { describe, expect, test } from "vitest";

import { openStream } from "./testing/memory-stream.ts";
import { address, rawOrigin, routerTo } from "./testing/origins.ts";
import type { TestRouter } from "./testing/origins.ts";

async function routerToAnswer(answer: string): Promise<TestRouter> {
  const origin = await rawOrigin((socket) => socket.write(answer, "latin1"));
  return routerTo(address(`http://127.0.0.1:${origin.port}`));
}

describe("a response head that breaks HTTP is ORIGIN_PROTOCOL", () => {
  test.each([
    ["two different Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab"],
    ["the same Content-Length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab"],
    ["a list as Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab"],
    ["a signed Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab"],
    ["Content-Length beside Transfer-Encoding", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["Transfer-Encoding beside Content-Length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"],
    ["gzip, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    ["Transfer-Encoding without chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab"],
    ["chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a bare CR in a value", "HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 0\r\n\r\n"],
    ["a bare LF as line end", "HTTP/1.1 200 OK\nX-A: a\nContent-Length: 0\n\n"],
    ["NUL in a value", "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n"],
    ["a control character in a value", "HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 0\r\n\r\n"],
    ["a folded line", "HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n"],
    ["a space before the colon", "HTTP/1.1 200 OK\r\nX-A : a\r\nContent-Length: 0\r\n\r\n"],
    ["a name that is no token", "HTTP/1.1 200 OK\r\nX(A: a\r\nContent-Length: 0\r\n\r\n"],
    ["Connection that names a field of the answer", "HTTP/1.1 200 OK\r\nConnection: content-security-policy\r\nContent-Length: 0\r\n\r\n"],
    ["a status of 700", "HTTP/1.1 700 Odd\r\nContent-Length: 0\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n"],
    ["an unasked 101", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
    ["no HTTP at all", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["a head over 64 KiB", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(70_000)}\r\nContent-Length: 0\r\n\r\n`],
    ["more than 500 fields", `HTTP/1.1 200 OK\r\n${"X-A: a\r\n".repeat(501)}Content-Length: 0\r\n\r\n`],
    ["interim responses without end", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_001)],
  ])("%s", async (_name, answer) => {
    const router = await routerToAnswer(answer);
    expect(await openStream(router.accept).failure()).toMatchObject({ code: "ORIGIN_PROTOCOL" });
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });
});

describe("a response that is cut", () => {
  test.each([
    ["before the head", "", "no head"],
    ["within the head", "HTTP/1.1 200 OK\r\nX-", "no head"],
    ["within a body of declared length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "head"],
    ["within a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabc", "head"],
    ["before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "head"],
  ])("%s is ORIGIN_CLOSED, never an end", async (_name, answer, expected) => {
    const origin = await rawOrigin((socket) => socket.end(answer));
    const stream = openStream(routerTo(address(`http://127.0.0.1:${origin.port}`)).accept);
    expect((await stream.failure()).code).toMatch(/^ORIGIN_(?:CLOSED|PROTOCOL)$/);
    expect(stream.final === undefined ? "no head" : "head").toBe(expected);
  });

  test("a reset is ORIGIN_CLOSED", async () => {
    const origin = await rawOrigin((socket) => socket.resetAndDestroy());
    expect(await openStream(routerTo(address(`http://127.0.0.1:${origin.port}`)).accept).failure()).toMatchObject({
      code: "ORIGIN_CLOSED",
      text: "ECONNRESET",
    });
  });

  test("a body that lasts until the connection ends is whole at its end", async () => {
    const origin = await rawOrigin((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nall of it"));
    expect(await openStream(routerTo(address(`http://127.0.0.1:${origin.port}`)).accept).text()).toBe("all of it");
  });

  test("a reset is no end of a body that lasts until the connection ends", async () => {
    const origin = await rawOrigin((socket) => socket.write("HTTP/1.1 200 OK\r\n\r\npart"));
    const stream = openStream(routerTo(address(`http://127.0.0.1:${origin.port}`)).accept);
    await stream.until(() => stream.bytes === 4);
    for (const socket of origin.sockets) socket.resetAndDestroy();
    expect(await stream.failure()).toMatchObject({ code: "ORIGIN_CLOSED" });
  });
});

describe("bytes after a response never become the next answer", () => {
  const MARK = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

  test.each([
    ["204 with a body", "GET", `HTTP/1.1 204 No Content\r\nContent-Length: ${MARK.length}\r\n\r\n${MARK}`],
    ["204 with a chunked body", "GET", `HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n${MARK}`],
    ["304 with a body", "GET", `HTTP/1.1 304 Not Modified\r\n\r\n${MARK}`],
    ["HEAD with a body", "HEAD", `HTTP/1.1 200 OK\r\nContent-Length: ${MARK.length}\r\n\r\n${MARK}`],
    ["a second response behind the first", "GET", `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst${MARK}`],
    ["garbage behind the response", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst\r\n\r\nsecond"],
  ])("%s", async (_name, method, poisoned) => {
    const origin = await rawOrigin((socket, request, count) => {
      socket.write(count === 1 ? poisoned : `HTTP/1.1 200 OK\r\nContent-Length: ${idOf(request).length}\r\n\r\n${idOf(request)}`);
    });
    const router = routerTo(address(`http://127.0.0.1:${origin.port}`));
    const first = openStream(router.accept, { method, path: "/first" });
    await first.done();
    expect(await openStream(router.accept, { path: "/second" }).text()).toBe("/second");
    expect(origin.accepted).toBe(2);
  });

  test("many visitors of one poisoned origin each get their own answer or an error", async () => {
    const origin = await rawOrigin((socket, request, count) => {
      const body = idOf(request);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}${count % 3 === 0 ? MARK : ""}`);
    });
    const router = routerTo(address(`http://127.0.0.1:${origin.port}`));
    for (let round = 0; round < 20; round++) {
      const visitors = Array.from({ length: 5 }, (_, i) => `/${round}-${i}-${randomBytes(4).toString("hex")}`);
      const answers = await Promise.all(
        visitors.map((path) =>
          openStream(router.accept, { path })
            .text()
            .catch(() => path),
        ),
      );
      expect(answers).toEqual(visitors);
    }
  });
});

describe("a kept connection that the origin closes (R-D4)", () => {
  /** Answers the first request of each connection, and closes on the second without a byte. */
  function forgetfulOrigin(): ReturnType<typeof rawOrigin> {
    const served = new WeakSet<object>();
    return rawOrigin((socket) => {
      if (served.has(socket)) return void socket.destroy();
      served.add(socket);
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  }

  test("a GET is sent once more, on a new connection", async () => {
    const origin = await forgetfulOrigin();
    const router = routerTo(address(`http://127.0.0.1:${origin.port}`));
    expect(await openStream(router.accept).text()).toBe("ok");
    expect(await openStream(router.accept).text()).toBe("ok");
    expect(origin.accepted).toBe(2);
  });

  test("a POST is not", async () => {
    const origin = await forgetfulOrigin();
    const router = routerTo(address(`http://127.0.0.1:${origin.port}`));
    expect(await openStream(router.accept).text()).toBe("ok");
    expect(await openStream(router.accept, { method: "POST" }).failure()).toMatchObject({ code: "ORIGIN_CLOSED" });
    expect(origin.accepted).toBe(1);
  });

  test("a PUT with a body is not", async () => {
    const origin = await forgetfulOrigin();
    const router = routerTo(address(`http://127.0.0.1:${origin.port}`));
    expect(await openStream(router.accept).text()).toBe("ok");
    const put = openStream(router.accept, { method: "PUT", contentLength: 1, end: false });
    put.send("x");
    put.finish();
    expect(await put.failure()).toMatchObject({ code: "ORIGIN_CLOSED" });
    expect(origin.accepted).toBe(1);
  });

  test("a GET on a new connection is not", async () => {
    const origin = await rawOrigin((socket) => socket.destroy());
    expect(await openStream(routerTo(address(`http://127.0.0.1:${origin.port}`)).accept).failure()).toMatchObject({
      code: "ORIGIN_CLOSED",
    });
    expect(origin.accepted).toBe(1);
  });

  test("a GET whose answer had begun is not", async () => {
    const origin = await rawOrigin((socket, _request, count) => {
      if (count === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      else socket.end("HTTP/1.1 20");
    });
    const router = routerTo(address(`http://127.0.0.1:${origin.port}`));
    expect(await openStream(router.accept).text()).toBe("ok");
    expect((await openStream(router.accept).failure()).code).toMatch(/^ORIGIN_(?:CLOSED|PROTOCOL)$/);
    expect(origin.accepted).toBe(1);
  });

  test("a connection closed while unused costs nobody anything, POST included", async () => {
    const origin = await rawOrigin((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    const router = routerTo(address(`http://127.0.0.1:${origin.port}`));
    expect(await openStream(router.accept).text()).toBe("ok");
    const [socket] = origin.sockets;
    const closed = new Promise((resolve) => socket?.once("close", resolve));
    socket?.end();
    // The server's socket closes when the connector has answered its FIN, so it was noticed there.
    await closed;
    expect(await openStream(router.accept, { method: "POST" }).text()).toBe("ok");
    expect(origin.accepted).toBe(2);
  });

  test.each([
    ["Connection: close", "Connection: close"],
    ["a Keep-Alive hint that leaves no time", "Keep-Alive: timeout=1"],
  ])("%s is honoured", async (_name, field) => {
    const origin = await rawOrigin((socket) => socket.write(`HTTP/1.1 200 OK\r\n${field}\r\nContent-Length: 2\r\n\r\nok`));
    const router = routerTo(address(`http://127.0.0.1:${origin.port}`));
    expect(await openStream(router.accept).text()).toBe("ok");
    expect(await openStream(router.accept).text()).toBe("ok");
    expect(origin.accepted).toBe(2);
  });

  test("poolIdle 0 keeps nothing", async () => {
    const origin = await rawOrigin((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    const router = routerTo(address(`http://127.0.0.1:${origin.port}`), { poolIdleMs: 0 });
    expect(await openStream(router.accept).text()).toBe("ok");
    expect(await openStream(router.accept).text()).toBe("ok");
    expect(origin.accepted).toBe(2);
  });
});

function idOf(request: string): string {
  return request.split(" ")[1] as string;
}
