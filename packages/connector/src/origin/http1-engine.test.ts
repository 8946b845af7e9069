// The HTTP/1.1 engine on connections in memory: what it writes and when, which connections it keeps, and what it makes of
// an origin that ends them. Hostile answers are in hostile-origin.test.ts, whole exchanges in http1.test.ts.

import { Duplex } from "node:stream";

import { ManualClock } from "@sallyport/shared/clock";
import { NO_FIELDS } from "@sallyport/shared/http/fields";
import type { Fields } from "@sallyport/shared/http/fields";
import { ResetCode } from "@sallyport/shared/protocol/codes";
import { describe, expect, test } from "vitest";

import type { OriginExchange, OriginFailure, OriginHandler, OriginRequest, RawReader } from "./exchange.ts";
import { Http1Engine } from "./http1-engine.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const GET: OriginRequest = {
  method: "GET",
  path: "/",
  authority: "app.example.com",
  fields: NO_FIELDS,
  body: { kind: "none" },
  expectContinue: false,
  upgrade: false,
};
const POST: OriginRequest = { ...GET, method: "POST", body: { kind: "length", bytes: 5 } };
const CHUNKED: OriginRequest = { ...GET, method: "POST", body: { kind: "unknown" } };

/** The engine's end of a connection; each entry of `writes` is one call that the system would get. */
class Line extends Duplex {
  readonly writes: string[] = [];

  constructor() {
    super({ allowHalfOpen: true });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.writes.push(chunk.toString("latin1"));
    callback();
  }

  override _writev(chunks: { readonly chunk: Buffer }[], callback: () => void): void {
    this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString("latin1"));
    callback();
  }

  override _read(): void {
    // Pushed as it comes.
  }

  async answer(text: string): Promise<void> {
    this.push(Buffer.from(text, "latin1"));
    await turn();
  }
}

class Visitor implements OriginHandler {
  readonly events: string[] = [];
  failure: OriginFailure | undefined;
  exchange: OriginExchange | undefined;
  onReady: ((exchange: OriginExchange) => void) | undefined;

  ready(): void {
    this.events.push("ready");
    if (this.exchange !== undefined) this.onReady?.(this.exchange);
  }
  interim(status: number): void {
    this.events.push(`interim ${status}`);
  }
  head(status: number, _fields: Fields, end: boolean): void {
    this.events.push(`head ${status}${end ? " end" : ""}`);
  }
  switched(_fields: Fields, _socket: Duplex, first: Uint8Array): RawReader {
    this.events.push(`switched ${Buffer.from(first).toString("latin1")}`);
    return (bytes) => void this.events.push(`raw ${Buffer.from(bytes).toString("latin1")}`);
  }
  body(chunk: Uint8Array): void {
    this.events.push(`body ${Buffer.from(chunk).toString("latin1")}`);
  }
  complete(trailers: Fields): void {
    this.events.push(["complete", ...trailers].join(" "));
  }
  writable(): void {
    this.events.push("writable");
  }
  failed(failure: OriginFailure): void {
    this.failure = failure;
    this.events.push("failed");
  }
}

interface Bench {
  readonly lines: Line[];
  readonly clock: ManualClock;
  readonly engine: Http1Engine;
  open(request?: OriginRequest, onReady?: (exchange: OriginExchange) => void): Promise<Visitor>;
}

function bench(poolIdleMs: number = 4_000): Bench {
  const lines: Line[] = [];
  const clock = new ManualClock();
  const engine = new Http1Engine(
    (handler) => {
      const line = new Line();
      lines.push(line);
      let wanted = true;
      setImmediate(() => wanted && handler.connected(line));
      return () => void (wanted = false);
    },
    poolIdleMs,
    clock,
  );
  const open = async (request: OriginRequest = GET, onReady?: (exchange: OriginExchange) => void): Promise<Visitor> => {
    const visitor = new Visitor();
    visitor.onReady = onReady;
    visitor.exchange = engine.open(request, visitor);
    expect(visitor.events).toEqual([]);
    await turn();
    return visitor;
  };
  return { lines, clock, engine, open };
}

/** Lets what is due now happen: ticks, and two rounds of immediates. */
async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("what is written (R-D2)", () => {
  test("a request without a body is one write, and so is one whose body is there", async () => {
    const { lines, open } = bench();
    await open(GET);
    await open(POST, (exchange) => {
      exchange.write(Buffer.from("he"));
      exchange.write(Buffer.from("llo"));
      exchange.end();
    });
    await open(CHUNKED, (exchange) => {
      exchange.write(Buffer.from("hello"));
      exchange.end();
    });
    expect(lines.map(({ writes }) => writes)).toEqual([
      ["GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n"],
      ["POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 5\r\n\r\nhello"],
      ["POST / HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
    ]);
  });

  test("the head does not wait for a body that is not there yet", async () => {
    const { lines, open } = bench();
    const { exchange } = await open(CHUNKED);
    expect(lines[0]?.writes).toHaveLength(1);
    exchange?.write(Buffer.alloc(20_000, "x"));
    exchange?.end();
    expect(lines[0]?.writes.slice(1)).toEqual([`4e20\r\n${"x".repeat(20_000)}\r\n`, "0\r\n\r\n"]);
  });

  test("an empty chunk does not end a chunked body", async () => {
    const { lines, open } = bench();
    const { exchange } = await open(CHUNKED);
    exchange?.write(Buffer.alloc(0));
    exchange?.write(Buffer.from("a"));
    expect(lines[0]?.writes.slice(1)).toEqual(["1\r\na\r\n"]);
  });

  test.each([
    ["longer", "helloX", "body is longer than declared"],
    ["shorter", "hell", "body is shorter than declared"],
  ])("a body %s than declared fails, ends the connection, and is never completed", async (_name, body, text) => {
    const { lines, open } = bench();
    const visitor = await open(POST);
    visitor.exchange?.write(Buffer.from(body));
    visitor.exchange?.end();
    expect(visitor.failure).toBeUndefined();
    await turn();
    expect(visitor.failure).toMatchObject({ code: ResetCode.REQUEST_INVALID, text, retry: "no" });
    expect([lines[0]?.destroyed, lines[0]?.writes.join("").includes("helloX")]).toEqual([true, false]);
  });

  test("a connection that will not be kept says so", async () => {
    const { lines, open } = bench(0);
    await open();
    expect(lines[0]?.writes).toEqual(["GET / HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n"]);
  });
});

describe("what is read (R-D9)", () => {
  test("interim responses are told, a 100 nobody asked for and a second one included", async () => {
    const { lines, open } = bench();
    const visitor = await open();
    await lines[0]?.answer(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n${OK}`);
    expect(visitor.events).toEqual(["ready", "interim 100", "interim 100", "interim 103", "head 200", "body ok", "complete"]);
  });

  test("trailers come with the end", async () => {
    const { lines, open } = bench();
    const visitor = await open();
    await lines[0]?.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n");
    expect(visitor.events).toEqual(["ready", "head 200", "body ok", "complete X-Sum 1"]);
  });

  test("the chunks of one read are one piece, and what came before a broken one is handed on", async () => {
    const { lines, open } = bench();
    const visitor = await open();
    await lines[0]?.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n");
    await lines[0]?.answer("1\r\nc\r\n1\r\nd\r\nX");
    expect(visitor.events).toEqual(["ready", "head 200", "body ab", "body cd", "failed"]);
    expect(visitor.failure).toMatchObject({ code: ResetCode.ORIGIN_PROTOCOL, text: "ERR_RESPONSE_CHUNK" });
  });

  test("behind a 101 that was asked for nothing is HTTP any more", async () => {
    const { lines, open } = bench();
    const visitor = await open({ ...GET, upgrade: true });
    await lines[0]?.answer("HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/");
    await lines[0]?.answer("1.1 200 OK\r\n\r\n");
    expect(visitor.events).toEqual(["ready", "switched HTTP/", "raw 1.1 200 OK\r\n\r\n"]);
  });

  test("a 101 that nobody asked for fails, and ends the connection", async () => {
    const { lines, open } = bench();
    const visitor = await open();
    await lines[0]?.answer("HTTP/1.1 101 Switching Protocols\r\n\r\nraw");
    expect(visitor.failure).toMatchObject({ code: ResetCode.ORIGIN_PROTOCOL, retry: "no" });
    expect(lines[0]?.destroyed).toBe(true);
  });

  test("nothing is told after an abort, from within a call either", async () => {
    const { lines, open } = bench();
    const visitor = await open();
    visitor.head = () => visitor.exchange?.abort();
    await lines[0]?.answer(OK);
    expect([visitor.events, lines[0]?.destroyed]).toEqual([["ready"], true]);
    const second = await open();
    second.body = () => second.exchange?.abort();
    await lines[1]?.answer(OK);
    expect([second.events, lines[1]?.destroyed]).toEqual([["ready", "head 200"], true]);
  });

  test("an abort before there is a connection opens none", async () => {
    const { lines, engine } = bench();
    const visitor = new Visitor();
    engine.open(GET, visitor).abort();
    await turn();
    expect([visitor.events, lines[0]?.writes]).toEqual([[], []]);
  });

  test("the end of the connection completes only a body that lasts until then", async () => {
    const { lines, open } = bench();
    const first = await open();
    await lines[0]?.answer("HTTP/1.1 200 OK\r\n\r\npart");
    expect(first.events).toEqual(["ready", "head 200", "body part"]);
    lines[0]?.push(null);
    await turn();
    expect([first.events.at(-1), lines[0]?.destroyed]).toEqual(["complete", true]);
    const second = await open();
    await lines[1]?.answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npart");
    lines[1]?.push(null);
    await turn();
    expect(second.failure).toMatchObject({ code: ResetCode.ORIGIN_CLOSED, retry: "no" });
  });
});

describe("which connections are kept (R-D4)", () => {
  test("the last used is lent first, and none after its idle time", async () => {
    const { lines, clock, engine, open } = bench(4_000);
    await open();
    await open();
    await lines[0]?.answer(OK);
    clock.advance(1_000);
    await lines[1]?.answer(OK);
    await open();
    expect(lines.map(({ writes }) => writes.length)).toEqual([1, 2]);
    clock.advance(2_999);
    expect(lines[0]?.destroyed).toBe(false);
    clock.advance(1);
    expect(lines[0]?.destroyed).toBe(true);
    await lines[1]?.answer(OK);
    expect(clock.pendingTimers).toBe(1);
    clock.advance(4_000);
    expect([lines[1]?.destroyed, clock.pendingTimers]).toEqual([true, 0]);
    engine.close();
  });

  test("the origin's hint shortens the idle time, by a second more, and never lengthens it", async () => {
    const { lines, clock, open } = bench(4_000);
    await open();
    await lines[0]?.answer("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\nContent-Length: 0\r\n\r\n");
    clock.advance(2_000);
    expect(lines[0]?.destroyed).toBe(true);
    await open();
    await lines[1]?.answer("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=60\r\nContent-Length: 0\r\n\r\n");
    clock.advance(4_000);
    expect(lines[1]?.destroyed).toBe(true);
  });

  test.each([
    ["Connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    ["a 204 that declares a body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n"],
    ["a chunked 304", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["octets behind the answer", `${OK}x`],
  ])("not after %s", async (_name, answer) => {
    const { lines, open } = bench();
    const visitor = await open();
    await lines[0]?.answer(answer);
    expect([visitor.events.at(-1), lines[0]?.destroyed]).toEqual(["complete", true]);
  });

  test.each([
    ["a 204", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["a 304 that tells the length of what it stands for", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"],
    ["a chunked answer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["HTTP/1.0 that says keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"],
  ])("after %s", async (_name, answer) => {
    const { lines, open } = bench();
    await open();
    await lines[0]?.answer(answer);
    await open();
    expect(lines).toHaveLength(1);
  });

  test("not when the answer came before the end of the request", async () => {
    const { lines, open } = bench();
    const visitor = await open(POST, (exchange) => exchange.write(Buffer.from("hel")));
    await lines[0]?.answer(OK);
    expect([visitor.events.at(-1), lines[0]?.destroyed]).toEqual(["complete", true]);
    expect(visitor.exchange?.write(Buffer.from("lo"))).toBe(true);
    expect(lines[0]?.writes.join("")).not.toContain("lo\r\n");
  });

  test("not after an upgrade that was refused", async () => {
    const { lines, open } = bench();
    await open({ ...GET, upgrade: true });
    await lines[0]?.answer(OK);
    expect(lines[0]?.destroyed).toBe(true);
  });

  test("octets on an idle connection end it", async () => {
    const { lines, open } = bench();
    await open();
    await lines[0]?.answer(OK);
    await lines[0]?.answer(OK);
    expect(lines[0]?.destroyed).toBe(true);
    const next = await open();
    expect([lines.length, next.events]).toEqual([2, ["ready"]]);
  });

  test("one that was paused is read again", async () => {
    const { lines, open } = bench();
    const visitor = await open();
    visitor.body = () => visitor.exchange?.pause();
    await lines[0]?.answer(OK);
    expect(visitor.events.at(-1)).toBe("complete");
    const next = await open();
    await lines[0]?.answer(OK);
    expect(next.events.at(-1)).toBe("complete");
  });

  test("closing ends the idle ones at once, and the others after their exchange", async () => {
    const { lines, clock, engine, open } = bench();
    await open();
    await open();
    await lines[0]?.answer(OK);
    engine.close();
    expect(lines.map(({ destroyed }) => destroyed)).toEqual([true, false]);
    await lines[1]?.answer(OK);
    expect([lines[1]?.destroyed, clock.pendingTimers]).toEqual([true, 0]);
  });
});

describe("a kept connection that ends (R-D4)", () => {
  async function kept(): Promise<Bench & { readonly line: Line }> {
    const opened = bench();
    await opened.open();
    const line = opened.lines[0] as Line;
    await line.answer(OK);
    return { ...opened, line };
  }

  test("while idle is forgotten", async () => {
    const { line, lines, open } = await kept();
    line.push(null);
    await turn();
    await open();
    expect([line.destroyed, lines.length]).toEqual([true, 2]);
  });

  test("between being lent and being written to costs the request nothing, POST included", async () => {
    const { engine, line } = await kept();
    const visitor = new Visitor();
    engine.open(POST, visitor);
    line.destroy();
    await turn();
    expect(visitor.failure).toMatchObject({ retry: "same-origin" });
    expect(line.writes).toHaveLength(1);
  });

  test("before the first octet of an answer lets an idempotent request be repeated, and not afterwards", async () => {
    const first = await kept();
    const unanswered = await first.open();
    first.line.push(null);
    await turn();
    expect(unanswered.failure).toMatchObject({ code: ResetCode.ORIGIN_CLOSED, retry: "if-idempotent" });
    const second = await kept();
    const begun = await second.open();
    await second.line.answer("H");
    second.line.push(null);
    await turn();
    expect(begun.failure).toMatchObject({ code: ResetCode.ORIGIN_CLOSED, retry: "no" });
  });

  test("a new one that ends is not repeated", async () => {
    const { lines, open } = bench();
    const visitor = await open();
    lines[0]?.push(null);
    await turn();
    expect(visitor.failure).toMatchObject({ code: ResetCode.ORIGIN_CLOSED, retry: "no" });
  });
});
