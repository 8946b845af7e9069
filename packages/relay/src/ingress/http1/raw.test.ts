// What raw bytes from a hostile visitor come to at the level of the engine: refused here, or handed over exactly once.

import { afterEach, describe, expect, it } from "vitest";
import type { IngressExchange } from "../exchange.ts";
import { answer, Exchanges, RawVisitor, startServer, stopServers } from "../test-support.ts";

afterEach(stopServers);

const GET = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

async function start(onExchange?: (exchange: IngressExchange) => void): Promise<{ port: number; exchanges: Exchanges; refused: string[] }> {
  const exchanges = new Exchanges();
  const refused: string[] = [];
  const { port } = await startServer({
    onExchange: (exchange) => {
      exchanges.onExchange(exchange);
      onExchange?.(exchange);
    },
    onRefused: ({ code }) => void refused.push(code),
  });
  return { port, exchanges, refused };
}

describe("messages that are refused before anybody sees them (R-D1)", () => {
  it.each([
    ["both lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400],
    ["a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400],
    ["a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", 400],
    ["two codings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["chunked not last", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400],
    ["a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400],
    ["a bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400],
    ["a bare CR", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n", 400],
    ["CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\n\r\rX", 400],
    ["a NUL", "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400],
    ["a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400],
    ["an empty name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400],
    ["a coding list", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400],
    ["two spaces in the request line", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["two empty lines before a request", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["TRACK", "TRACK / HTTP/1.1\r\nHost: a\r\n\r\n", 405],
    ["TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405],
    ["CONNECT", "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\nsecret", 405],
    ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["101 fields", `GET / HTTP/1.1\r\nHost: a\r\n${"X: 1\r\n".repeat(100)}\r\n`, 431],
    ["3,000 fields", `GET / HTTP/1.1\r\nHost: a\r\n${"X: 1\r\n".repeat(2_999)}\r\n`, 431],
    ["17 KiB of fields", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(17 * 1024)}\r\n\r\n`, 431],
    ["100 KiB of fields", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100 * 1024)}\r\n\r\n`, 431],
    ["a target of 8,193 bytes", `GET /${"x".repeat(8_192)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ])("%s", async (_name, bytes, status) => {
    const { port, exchanges, refused } = await start();
    const text = await new RawVisitor(port).send(bytes + GET).all();
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toMatch(/Sallyport-Request-Id: r-test\r\n[^]*Connection: close\r\n/);
    expect(text.match(/HTTP\/1\.1/g)?.length).toBe(1);
    expect(exchanges.list).toEqual([]);
    expect(refused.length).toBe(1);
  });

  it("100 fields, 8,192 bytes of target and a colon in a value pass", async () => {
    const { port, exchanges } = await start((exchange) => answer(exchange));
    const visitor = new RawVisitor(port).send(`GET /${"x".repeat(8_191)} HTTP/1.1\r\nHost: a\r\n${"X: a:b\r\n".repeat(99)}\r\n`);
    expect(await visitor.until(/ok$/)).toMatch(/^HTTP\/1\.1 200/);
    expect(exchanges.list[0]?.exchange.request.fields.length).toBe(200);
    visitor.socket.destroy();
  });
});

describe("what the pipeline judges is handed over as received", () => {
  it.each([
    ["no Host", "GET / HTTP/1.1\r\n\r\n"],
    ["two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
    ["absolute-form", "GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a method nobody knows", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a lower-case method", "get / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"],
  ])("%s", async (_name, bytes) => {
    const { port, exchanges } = await start((exchange) => {
      exchange.closeConnectionAfter();
      answer(exchange, "judged", 400);
    });
    const text = await new RawVisitor(port).send(bytes + GET).all();
    expect(text).toMatch(/^HTTP\/1\.1 400 [^]*judged$/);
    expect(exchanges.list.length).toBe(1);
    const { request } = (await exchanges.at(0)).exchange;
    expect(bytes).toBe(
      `${request.method} ${request.target} HTTP/1.1\r\n${request.fields.map((part, index) => part + (index % 2 === 0 ? ": " : "\r\n")).join("")}\r\n${request.bodyless ? "" : "0\r\n\r\n"}`,
    );
  });
});

describe("bodies that break after their head (R-D1)", () => {
  it.each([
    ["a hexadecimal prefix", "0x2\r\nab\r\n"],
    ["a sign", "+2\r\nab\r\n"],
    ["an underscore", "1_0\r\nab\r\n"],
    ["more than 16 digits that count", "11111111111111111\r\nab\r\n"],
    ["no CRLF after the data", "2\r\nabX\r\n"],
    ["a bare LF after the size", "2\nab\r\n"],
  ])("%s: the owner is told, and the visitor gets 400 where no answer began", async (_name, chunk) => {
    const { port, exchanges } = await start((exchange) => exchange.resume());
    const text = await new RawVisitor(port).send(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`).all();
    expect(text === "" || text.startsWith("HTTP/1.1 400 ")).toBe(true);
    expect(exchanges.list.length).toBeLessThanOrEqual(1);
    const recorder = exchanges.list[0]?.recorder;
    await recorder?.saw("close");
    expect(recorder?.events.slice(-2)).toEqual(["abort 0", "close"]);
    expect(recorder?.events).not.toContain("end");
  });

  it("a connection closed in the middle of a body is an abort, not an end", async () => {
    const { port, exchanges } = await start((exchange) => exchange.resume());
    const visitor = new RawVisitor(port).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    const { recorder } = await exchanges.at(0);
    await recorder.saw("data");
    visitor.socket.end();
    await recorder.saw("close");
    expect(recorder.events).toEqual(["data", "abort 0", "close"]);
  });
});

describe("several requests on one connection (R-D7)", () => {
  it("reach the owner one after the other, the second only when the first is answered", async () => {
    const { port, exchanges } = await start();
    const visitor = new RawVisitor(port).send(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\n${GET}`);
    const first = await exchanges.at(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(exchanges.list.length).toBe(1);
    answer(first.exchange, "one");
    const second = await exchanges.at(1);
    expect(second.exchange.request.target).toBe("/next");
    answer(second.exchange, "two");
    expect(await visitor.until(/two$/)).toMatch(/one[^]*two$/);
    visitor.socket.destroy();
  });

  it("behind a refused one are never looked at", async () => {
    const { port, exchanges } = await start((exchange) => {
      exchange.closeConnectionAfter();
      answer(exchange, "refused", 400);
    });
    const text = await new RawVisitor(port).send(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\n${GET}${GET}`).all();
    expect(text.match(/HTTP\/1\.1 /g)?.length).toBe(1);
    expect(exchanges.list.length).toBe(1);
  });

  it("let the first be answered when the second is not HTTP", async () => {
    const { port, exchanges } = await start();
    const visitor = new RawVisitor(port).send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nNONSENSE\r\n\r\n");
    answer((await exchanges.at(0)).exchange, "one");
    expect(await visitor.all()).toMatch(/^HTTP\/1\.1 200 [^]*one(HTTP\/1\.1 400 [^]*)$/);
    expect(exchanges.list.length).toBe(1);
  });

  it("wait without being read once they are many: memory stays bounded, and each is answered in its turn", async () => {
    const { port, exchanges } = await start();
    const count = 5_000;
    const visitor = new RawVisitor(port).send(GET.repeat(count));
    const first = await exchanges.at(0);
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    // 64 KiB wait in the connection, the rest in sockets: of the 150 KB the visitor has not got rid of everything.
    expect(exchanges.list.length).toBe(1);
    answer(first.exchange);
    for (let i = 1; i < count; i++) answer((await exchanges.at(i)).exchange);
    await visitor.until(/ok$/);
    while (visitor.received.length < 1 || (visitor.received.match(/HTTP\/1\.1 200/g)?.length ?? 0) < count) {
      await new Promise((resolve) => visitor.socket.once("data", resolve));
    }
    visitor.socket.destroy();
  });
});

describe("upgrades (R-D5)", () => {
  const UPGRADE =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

  it("hold what the visitor pipelined until the switch, then carry raw bytes both ways with half-close", async () => {
    const { port, exchanges } = await start();
    const visitor = new RawVisitor(port, { endsBack: false }).send(`${UPGRADE}GET /smuggled HTTP/1.1\r\n\r\n`);
    const { exchange, recorder } = await exchanges.at(0);
    expect(exchange.request).toMatchObject({ upgrade: true, bodyless: true });
    exchange.resume();
    await new Promise((resolve) => setImmediate(resolve));
    expect(recorder.events).toEqual([]);
    exchange.switchProtocols(["Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
    exchange.resume();
    await visitor.until(/\r\n\r\n$/);
    expect(visitor.received).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    await recorder.until(() => recorder.text === "GET /smuggled HTTP/1.1\r\n\r\n");
    exchange.write(Buffer.from("\x81\x02hi", "latin1"));
    await visitor.until(/\x81\x02hi$/);
    exchange.end();
    await new Promise<void>((resolve) => visitor.socket.once("end", () => resolve()));
    visitor.send("still sending");
    await recorder.until(() => recorder.text.endsWith("still sending"));
    visitor.socket.end();
    await recorder.saw("close");
    expect(recorder.events.slice(-2)).toEqual(["end", "close"]);
    expect(exchanges.list.length).toBe(1);
  });

  it("that are declined get an ordinary answer, and what was pipelined is never read", async () => {
    const { port, exchanges } = await start((exchange) => answer(exchange, "denied", 403));
    const text = await new RawVisitor(port).send(UPGRADE + GET).all();
    expect(text).toMatch(/^HTTP\/1\.1 403 [^]*Connection: close[^]*denied$/);
    expect(exchanges.list.length).toBe(1);
    await exchanges.list[0]?.recorder.saw("close");
    expect(exchanges.list[0]?.recorder.events).toEqual(["close"]);
  });

  it("that are declined with a body larger than the socket takes still arrive whole", async () => {
    const chunk = Buffer.alloc(64 * 1024, 0x78);
    const { port, exchanges } = await start();
    const visitor = new RawVisitor(port).send(UPGRADE);
    const { exchange, recorder } = await exchanges.at(0);
    exchange.sendHead(200, [], false);
    for (let i = 0; i < 100; i++) {
      const drains = recorder.events.filter((event) => event === "drain").length;
      if (!exchange.write(chunk)) await recorder.until(() => recorder.events.filter((event) => event === "drain").length > drains);
    }
    exchange.end();
    const text = await visitor.all();
    expect(text.replace(/[^x]/g, "").length).toBeGreaterThanOrEqual(100 * chunk.length);
    expect(text).toMatch(/0\r\n\r\n$/);
  });

  it.each(["h2c", "websocket, h2c", "TLS/1.0"])("to %s are ordinary requests", async (token) => {
    const { port, exchanges } = await start((exchange) => answer(exchange));
    const visitor = new RawVisitor(port).send(
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${token}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
    );
    expect(await visitor.until(/ok$/)).toMatch(/^HTTP\/1\.1 200/);
    expect(exchanges.list[0]?.exchange.request.upgrade).toBe(false);
    visitor.socket.destroy();
  });

  it("behind an unanswered request wait for its answer", async () => {
    const { port, exchanges } = await start();
    const visitor = new RawVisitor(port).send(GET + UPGRADE);
    const first = await exchanges.at(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(exchanges.list.length).toBe(1);
    answer(first.exchange);
    const { exchange } = await exchanges.at(1);
    expect(exchange.request.upgrade).toBe(true);
    exchange.switchProtocols([]);
    expect(await visitor.until(/101 Switching Protocols\r\n[^]*\r\n\r\n$/)).toMatch(/ok[^]*HTTP\/1\.1 101 /);
    visitor.socket.destroy();
  });

  it("notice a visitor that closes while they wait for the decision", async () => {
    const { port, exchanges } = await start();
    const visitor = new RawVisitor(port).send(UPGRADE);
    const { recorder } = await exchanges.at(0);
    visitor.socket.end();
    await recorder.saw("close");
    expect(recorder.events).toEqual(["abort 0", "close"]);
  });

  it("report a visitor that leaves before the decision and after the switch", async () => {
    const { port, exchanges } = await start();
    for (const [index, switched] of [false, true].entries()) {
      const visitor = new RawVisitor(port).send(UPGRADE);
      const { exchange, recorder } = await exchanges.at(index);
      if (switched) {
        exchange.switchProtocols([]);
        exchange.resume();
        await visitor.until(/\r\n\r\n$/);
      }
      visitor.socket.resetAndDestroy();
      if (!switched) exchange.switchProtocols([]);
      exchange.resume();
      await recorder.saw("close");
      expect(recorder.events).toEqual(["abort 0", "close"]);
    }
  });
});
