import { afterEach, describe, expect, it } from "vitest";
import type { EngineRefusal } from "../engine.ts";
import { answer, Exchanges, RawVisitor, startServer, stopServers } from "../test-support.ts";

afterEach(stopServers);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("an HTTP/1.1 exchange", () => {
  it("hands over the head as received and keeps order, case and duplicates both ways", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    const visitor = new RawVisitor(port).send(
      "GET /a//b?c HTTP/1.1\r\nHost: a\r\nX-B: 1\r\nx-a: 2\r\nX-b: 3\r\nx_u: \xe9\r\n__proto__: p\r\n\r\n",
    );
    const { exchange } = await exchanges.at(0);
    expect(exchange.request).toMatchObject({
      httpVersion: "1.1",
      method: "GET",
      target: "/a//b?c",
      authority: undefined,
      scheme: "http",
      upgrade: false,
      bodyless: true,
    });
    expect(exchange.request.fields).toEqual(["Host", "a", "X-B", "1", "x-a", "2", "X-b", "3", "x_u", "\xe9", "__proto__", "p"]);
    expect(exchange.request.peer.address).toBe("127.0.0.1");
    exchange.sendHead(
      200,
      ["X-Z", "1", "x-y", "2", "x-z", "3", "Content-Length", "2", "Connection", "x-z", "Transfer-Encoding", "gzip"],
      false,
    );
    exchange.write(Buffer.from("hi"));
    exchange.end();
    const text = await visitor.until(/hi$/);
    expect(text).toContain("X-Z: 1\r\nx-y: 2\r\nx-z: 3\r\nContent-Length: 2\r\n");
    expect(text).not.toMatch(/gzip|Connection: x-z/);
    visitor.socket.destroy();
  });

  it("sends a head before its body, chunks an open length, and puts trailers behind it", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    const visitor = new RawVisitor(port).send(GET);
    const { exchange, recorder } = await exchanges.at(0);
    exchange.sendHead(200, ["Content-Type", "text/event-stream"], false);
    await visitor.until(/\r\n\r\n$/);
    exchange.write(Buffer.from("data: 1\n\n"));
    await visitor.until(/9\r\ndata: 1\n\n\r\n$/);
    exchange.end(["X-Sum", "1", "x-sum", "2", "Content-Length", "9"]);
    await visitor.until(/0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n$/);
    await recorder.saw("close");
    expect(recorder.events).toEqual(["close"]);
    visitor.socket.destroy();
  });

  it("sends 103 before the head, and none to HTTP/1.0", async () => {
    const { port } = await startServer({
      onExchange: (exchange) => {
        exchange.sendInformational(103, ["Link", "</a.css>; rel=preload", "Link", "</b.js>"]);
        answer(exchange);
      },
    });
    const visitor = new RawVisitor(port).send(GET);
    expect(await visitor.until(/ok$/)).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\nLink: <\/b\.js>\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    );
    visitor.socket.destroy();
    expect(await new RawVisitor(port).send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").all()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it("answers HTTP/1.0 without chunks: a body of open length ends with the connection", async () => {
    const { port } = await startServer({
      onExchange: (exchange) => {
        expect(exchange.request.httpVersion).toBe("1.0");
        exchange.sendHead(200, [], false);
        exchange.write(Buffer.from("open"));
        exchange.end(["x-trailer", "dropped"]);
      },
    });
    const text = await new RawVisitor(port).send("GET / HTTP/1.0\r\n\r\n").all();
    expect(text).toMatch(/\r\n\r\nopen$/);
    expect(text).not.toMatch(/chunked|dropped/);
  });

  it("cuts an unfinished HTTP/1.0 body by a reset, since its end looks like any other", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    const visitor = new RawVisitor(port).send("GET / HTTP/1.0\r\n\r\n");
    const { exchange, recorder } = await exchanges.at(0);
    exchange.sendHead(200, [], false);
    exchange.write(Buffer.from("half"));
    await visitor.until(/half$/);
    exchange.abort();
    await visitor.closed;
    expect(visitor.error?.code).toBe("ECONNRESET");
    await recorder.saw("close");
    expect(recorder.events).toEqual(["close"]);
  });

  it.each([
    ["HEAD / HTTP/1.1", 200, ["Content-Length", "5"], "Content-Length: 5"],
    ["GET / HTTP/1.1", 204, ["Content-Length", "5"], "204 No Content"],
    ["GET / HTTP/1.1", 304, ["Content-Length", "5"], "Content-Length: 5"],
  ] as const)("sends no body for %s with %i, so that the next answer is not shifted", async (line, status, fields, expected) => {
    let count = 0;
    const { port } = await startServer({
      onExchange: (exchange) => {
        if (++count > 1) return answer(exchange, "second");
        exchange.sendHead(status, fields, false);
        exchange.write(Buffer.from("12345"));
        exchange.end();
      },
    });
    const visitor = new RawVisitor(port).send(`${line}\r\nHost: a\r\n\r\n${GET}`);
    const text = await visitor.until(/second$/);
    expect(text).toContain(expected);
    expect(text).not.toContain("12345");
    if (status === 204) expect(text.split("\r\n\r\n")[0]).not.toMatch(/content-length|chunked/i);
    visitor.socket.destroy();
  });

  it("declares an empty body where the head ends the response", async () => {
    const { port } = await startServer({ onExchange: (exchange) => exchange.sendHead(404, ["X-A", "1"], true) });
    const visitor = new RawVisitor(port).send(GET);
    expect(await visitor.until(/\r\n\r\n$/)).toContain("Content-Length: 0\r\n");
    visitor.socket.destroy();
  });

  it("refuses to write fields that would split the response, before any byte is sent", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    const visitor = new RawVisitor(port).send(GET);
    const { exchange } = await exchanges.at(0);
    for (const fields of [
      ["X-A", "1\r\nX-B: 2"],
      ["X A", "1"],
      ["X-A", "\0"],
      ["", "1"],
      ["X-A", "\u0100"],
      ["Content-Length", "1, 1"],
      ["Content-Length", "1", "content-length", "2"],
    ]) {
      expect(() => exchange.sendHead(200, fields, false)).toThrow(/cannot be written/);
      expect(() => exchange.sendInformational(103, fields.length > 2 || fields[0] === "Content-Length" ? ["\n", ""] : fields)).toThrow(
        /cannot be written/,
      );
    }
    answer(exchange);
    expect(await visitor.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    visitor.socket.destroy();
  });

  it("cuts the connection when the body is shorter or longer than its declared length", async () => {
    for (const body of ["12", "12345678"]) {
      const { port } = await startServer({
        onExchange: (exchange) => {
          exchange.sendHead(200, ["Content-Length", "5"], false);
          exchange.write(Buffer.from(body));
          exchange.end();
        },
      });
      expect(await new RawVisitor(port).send(GET).all()).not.toContain("12345678");
    }
  });
});

describe("request bodies", () => {
  it("flow only after resume, stop while paused, and end once", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    const visitor = new RawVisitor(port).send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    const { exchange, recorder } = await exchanges.at(0);
    expect(exchange.request.bodyless).toBe(false);
    expect(recorder.events).toEqual([]);
    exchange.resume();
    await recorder.until(() => recorder.text === "abc");
    visitor.send("2\r\nde\r\n0\r\nX-Trailer: dropped\r\n\r\n");
    await recorder.saw("end");
    expect(recorder.text).toBe("abcde");
    answer(exchange);
    await recorder.saw("close");
    expect(recorder.events.slice(-2)).toEqual(["end", "close"]);
    visitor.socket.destroy();
  });

  it("stop the visitor's socket while the owner is paused: memory stays bounded", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    const total = 64 * 1024 * 1024;
    const visitor = new RawVisitor(port).send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`);
    const { exchange, recorder } = await exchanges.at(0);
    exchange.resume();
    const chunk = Buffer.alloc(1024 * 1024, 0x61);
    let written = 0;
    visitor.socket.write(chunk);
    await recorder.saw("data");
    exchange.pause();
    const seen = recorder.bytes;
    while (visitor.socket.writableLength === 0 && (written += chunk.length) < total) {
      visitor.socket.write(chunk);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(written).toBeLessThan(total / 2);
    expect(recorder.bytes - seen).toBeLessThanOrEqual(64 * 1024);
    exchange.resume();
    await recorder.until(() => recorder.bytes > seen + 256 * 1024);
    visitor.socket.destroy();
    await recorder.saw("close");
    expect(recorder.events.slice(-2)).toEqual(["abort 0", "close"]);
  });

  it("of GET, DELETE and HEAD are handed over too (R-D8)", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    for (const [index, method] of ["GET", "DELETE", "HEAD"].entries()) {
      const visitor = new RawVisitor(port).send(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`);
      const { exchange, recorder } = await exchanges.at(index);
      exchange.resume();
      await recorder.saw("end");
      expect(recorder.text).toBe("abc");
      visitor.socket.destroy();
    }
  });

  it("end with 408 when no byte comes for the idle limit, and not while the owner is paused", async () => {
    const exchanges = new Exchanges();
    const refused: EngineRefusal[] = [];
    const { port } = await startServer({
      onExchange: exchanges.onExchange,
      limits: { requestBodyIdleMs: 80 },
      onRefused: (refusal) => void refused.push(refusal),
    });
    const visitor = new RawVisitor(port).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    const paused = new RawVisitor(port).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    const { exchange, recorder } = await exchanges.at(0);
    const other = await exchanges.at(1);
    exchange.resume();
    expect(await visitor.all()).toMatch(/^HTTP\/1\.1 408 [^]*Connection: close[^]*ERR_BODY_TIMEOUT/);
    await recorder.saw("close");
    expect(recorder.events).toEqual(["data", "refused ERR_BODY_TIMEOUT", "abort 0", "close"]);
    // Its owner records it, under the id that the visitor was told.
    expect(refused).toEqual([]);
    expect(visitor.received).toContain(`Sallyport-Request-Id: ${recorder.requestId}`);
    expect(other.recorder.events).toEqual([]);
    paused.socket.destroy();
  });

  it("that are refused unread do not cost the visitor the answer: no reset overtakes it", async () => {
    const { port } = await startServer({
      onExchange: (exchange) => {
        exchange.closeConnectionAfter();
        answer(exchange, "too large", 413);
      },
    });
    const visitor = new RawVisitor(port).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n\r\n");
    visitor.send(Buffer.alloc(700_000));
    expect(await visitor.all()).toMatch(/^HTTP\/1\.1 413 [^]*too large$/);
    expect(visitor.error).toBeUndefined();
  });

  it("that go on after the answer end the connection, and nothing of them is read as a request", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({
      onExchange: (exchange) => {
        exchanges.onExchange(exchange);
        answer(exchange);
      },
    });
    const visitor = new RawVisitor(port).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\npart");
    await visitor.until(/ok$/);
    visitor.send(GET);
    await visitor.all();
    expect(exchanges.list.length).toBe(1);
  });
});

describe("100-continue", () => {
  const HEAD = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";

  it("is sent when the owner asks for it, once, and the body follows", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    const visitor = new RawVisitor(port).send(HEAD);
    const { exchange, recorder } = await exchanges.at(0);
    exchange.resume();
    exchange.sendContinue();
    exchange.sendContinue();
    expect(await visitor.until(/\r\n\r\n$/)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    visitor.send("abc");
    await recorder.saw("end");
    answer(exchange);
    await visitor.until(/ok$/);
    visitor.send(GET);
    await exchanges.at(1);
    visitor.socket.destroy();
  });

  it("is not sent before a refusal: final answer, close, body never read (R-D6)", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({
      onExchange: (exchange) => {
        exchanges.onExchange(exchange);
        answer(exchange, "no", 401);
      },
    });
    const text = await new RawVisitor(port).send(`${HEAD}abc${GET}`).all();
    expect(text).toMatch(/^HTTP\/1\.1 401 [^]*Connection: close/);
    expect(exchanges.list.length).toBe(1);
  });

  it("is the only expectation: another gets 417 and never reaches the owner", async () => {
    const exchanges = new Exchanges();
    const refused: string[] = [];
    const { port } = await startServer({ onExchange: exchanges.onExchange, onRefused: ({ code }) => void refused.push(code) });
    const text = await new RawVisitor(port).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 200-ok\r\n\r\n").all();
    expect(text).toMatch(/^HTTP\/1\.1 417 [^]*Sallyport-Error: ERR_EXPECT/);
    expect(refused).toEqual(["ERR_EXPECT"]);
    expect(exchanges.list).toEqual([]);
  });
});

describe("a visitor that goes away", () => {
  it.each(["before the head", "after the head"])("%s is reported once, then close", async (when) => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    const visitor = new RawVisitor(port).send(GET);
    const { exchange, recorder } = await exchanges.at(0);
    if (when === "after the head") {
      exchange.sendHead(200, [], false);
      exchange.write(Buffer.from("x"));
      await visitor.until(/x\r\n$/);
    }
    visitor.socket.destroy();
    await recorder.saw("close");
    expect(recorder.events).toEqual(["abort 0", "close"]);
    exchange.write(Buffer.from("late"));
    exchange.end();
    exchange.abort();
  });

  it("before its owner set a handler is still reported", async () => {
    const exchanges: Parameters<Exchanges["onExchange"]>[0][] = [];
    const { port, server } = await startServer({ onExchange: (exchange) => void exchanges.push(exchange) });
    const visitor = new RawVisitor(port).send(GET);
    const late = new Exchanges();
    while (exchanges.length === 0) await new Promise((resolve) => setImmediate(resolve));
    visitor.socket.destroy();
    while (server.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
    for (const exchange of exchanges) late.onExchange(exchange);
    expect(late.list[0]?.recorder.events).toEqual([]);
    await late.list[0]?.recorder.saw("close");
    expect(late.list[0]?.recorder.events).toEqual(["abort 0", "close"]);
  });
});

describe("backpressure towards a slow visitor", () => {
  it("makes write return false, and drain follows when it reads again", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ onExchange: exchanges.onExchange });
    const visitor = new RawVisitor(port, { reads: false }).send(GET);
    visitor.socket.pause();
    const { exchange, recorder } = await exchanges.at(0);
    exchange.sendHead(200, [], false);
    const chunk = Buffer.alloc(256 * 1024);
    let sent = 0;
    const fill = async (): Promise<void> => {
      while (exchange.write(chunk)) {
        sent += chunk.length;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    };
    await fill();
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    expect(recorder.events).toEqual([]);
    visitor.socket.resume();
    await recorder.saw("drain");
    exchange.end();
    await recorder.saw("close");
    visitor.socket.destroy();
  });
});
