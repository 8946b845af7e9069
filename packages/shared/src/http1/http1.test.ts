import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BodyDecoder, type BodyFraming } from "./body-decoder.ts";
import { HeadBuffer } from "./head-buffer.ts";
import { parseRequestHead } from "./request-head.ts";
import { parseResponseHead } from "./response-head.ts";

const LIMITS = { maxBytes: 4_096, maxFirstLineBytes: 1_024 };

/** Feeds `bytes` in pieces that end at `cuts`. */
function feedHead(bytes: Buffer, cuts: readonly number[]): { text?: string | undefined; rest?: string; fault?: string | undefined } {
  const buffer = new HeadBuffer(LIMITS);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const piece = Buffer.from(bytes.subarray(from, to));
    const text = buffer.push(piece, 0);
    if (text !== undefined) return { text, rest: piece.toString("latin1", buffer.next) + bytes.toString("latin1", to) };
    if (buffer.fault !== undefined) return { fault: buffer.fault };
    from = to;
  }
  return {};
}

function decode(
  framing: BodyFraming,
  bytes: Buffer,
  cuts: readonly number[],
): { body: string; rest: string; trailers: readonly string[]; done: boolean } | "fault" {
  const decoder = new BodyDecoder();
  decoder.begin(framing);
  let body = "";
  const sink = { bodyBytes: (chunk: Buffer): void => void (body += chunk.toString("latin1")) };
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const piece = Buffer.from(bytes.subarray(from, to));
    const next = decoder.push(piece, 0, sink);
    if (next === -1) return "fault";
    if (decoder.done)
      return { body, rest: piece.toString("latin1", next) + bytes.toString("latin1", to), trailers: decoder.trailers, done: true };
    from = to;
  }
  return { body, rest: "", trailers: decoder.trailers, done: decoder.done };
}

const everyCut = (bytes: Buffer): number[] => Array.from({ length: bytes.length - 1 }, (_, i) => i + 1);

describe("HeadBuffer", () => {
  const HEAD = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

  it("finds the end of a head wherever it is cut, and what follows", () => {
    const bytes = Buffer.from(`${HEAD}rest\r\n\r\n`, "latin1");
    const whole = { text: HEAD.slice(0, -2), rest: "rest\r\n\r\n" };
    expect(feedHead(bytes, [])).toEqual(whole);
    expect(feedHead(bytes, everyCut(bytes))).toEqual(whole);
    for (const cut of everyCut(bytes)) expect(feedHead(bytes, [cut])).toEqual(whole);
  });

  it.each([
    ["a bare LF", "GET / HTTP/1.1\nHost"],
    ["a LF at the beginning", "\nGET"],
    ["a bare CR", "GET / HTTP/1.1\rX"],
    ["CR CR", "GET / HTTP/1.1\r\r"],
    ["a NUL", "GET /\0"],
    ["a TLS hello", "\x16\x03\x01"],
    ["DEL", "GET /\x7f"],
  ])("tells of %s before the head is complete, wherever it is cut", (_name, text) => {
    const bytes = Buffer.from(text, "latin1");
    expect(feedHead(bytes, [])).toEqual({ fault: "octet" });
    expect(feedHead(bytes, everyCut(bytes))).toEqual({ fault: "octet" });
  });

  it("bounds a head, and its first line, however they arrive", () => {
    const exact = Buffer.from(`GET / HTTP/1.1\r\nA: ${"a".repeat(LIMITS.maxBytes - 23)}\r\n\r\n`, "latin1");
    expect(exact.length).toBe(LIMITS.maxBytes);
    const over = Buffer.from(exact.toString("latin1").replace("A: a", "A: aa"), "latin1");
    const line = Buffer.from(`GET /${"a".repeat(LIMITS.maxFirstLineBytes)}`, "latin1");
    for (const cuts of [[], [1], [100, 2_000], [over.length - 3], [LIMITS.maxBytes], [LIMITS.maxBytes + 1]]) {
      const within = cuts.filter((cut) => cut < exact.length);
      expect(feedHead(exact, within).text).toBeDefined();
      expect(
        feedHead(
          over,
          cuts.filter((cut) => cut < over.length),
        ).fault,
      ).toBe("head-too-large");
    }
    expect(feedHead(line, []).fault).toBe("first-line-too-large");
    expect(feedHead(line, [10, 500]).fault).toBe("first-line-too-large");
    expect(feedHead(Buffer.alloc(1_000_000, 0x61), []).fault).toBe("first-line-too-large");
  });
});

describe("parseRequestHead", () => {
  const ok = (text: string): object => expectHead(parseRequestHead(text));

  it("reads method, target, version and fields as received", () => {
    expect(ok("GET /a//b?c=%zz HTTP/1.1\r\nHost: a\r\nX-B:1\r\nx-a: \t 2 \t\r\nX-Empty:\r\nx_u: \xe9\r\n__proto__: p\r\n")).toEqual({
      httpVersion: "1.1",
      method: "GET",
      target: "/a//b?c=%zz",
      fields: ["Host", "a", "X-B", "1", "x-a", "2", "X-Empty", "", "x_u", "\xe9", "__proto__", "p"],
      framing: { kind: "none" },
      keepAlive: true,
      upgrade: false,
      expect: undefined,
    });
  });

  it.each([
    ["Content-Length", "Content-Length: 5", { framing: { kind: "length", length: 5 } }],
    ["chunked", "transfer-encoding: Chunked", { framing: { kind: "chunked" } }],
    ["close", "Connection: close", { keepAlive: false }],
    ["close among others", "Connection: te, Close", { keepAlive: false }],
    ["two Connection fields", "Connection: te\r\nconnection: close", { keepAlive: false }],
    ["Expect", "Expect: 100-continue", { expect: "100-continue" }],
    ["a WebSocket", "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket", { upgrade: true }],
    ["two Upgrade fields", "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket", { upgrade: false }],
    ["an Upgrade that Connection does not name", "Upgrade: websocket", { upgrade: false }],
    ["h2c", "Connection: Upgrade\r\nUpgrade: h2c", { upgrade: false }],
  ])("%s", (_name, lines, expected) => {
    expect(ok(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`)).toMatchObject(expected);
  });

  it("keeps an HTTP/1.0 connection only when asked to, and upgrades none", () => {
    expect(ok("GET / HTTP/1.0\r\n")).toMatchObject({ httpVersion: "1.0", keepAlive: false });
    expect(ok("GET / HTTP/1.0\r\nConnection: keep-alive\r\n")).toMatchObject({ keepAlive: true });
    expect(ok("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")).toMatchObject({ upgrade: false });
  });

  it("ignores one empty line before the request line", () => {
    expect(ok("\r\nGET / HTTP/1.1\r\n")).toMatchObject({ method: "GET" });
    expect(parseRequestHead("\r\n")).toEqual({ ok: false, code: "ERR_REQUEST_MALFORMED" });
  });

  it.each([
    "GET  / HTTP/1.1\r\n",
    "GET /  HTTP/1.1\r\n",
    "GET / HTTP/1.1 \r\n",
    " GET / HTTP/1.1\r\n",
    "GET\t/ HTTP/1.1\r\n",
    "GET HTTP/1.1\r\n",
    "GET / http/1.1\r\n",
    "GET / HTTP/1.2\r\n",
    "GET / HTTP/2.0\r\n",
    "GET / HTTP/01.1\r\n",
    "GET /\r\n",
    "G@T / HTTP/1.1\r\n",
    "GET /\x7f HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\nX\r\n",
    "GET / HTTP/1.1\r\n: x\r\n",
    "GET / HTTP/1.1\r\nX : x\r\n",
    "GET / HTTP/1.1\r\n X: x\r\n",
    "GET / HTTP/1.1\r\nX: a\r\n b\r\n",
    "GET / HTTP/1.1\r\nX: a\rb\r\n",
    "GET / HTTP/1.1\r\nX: a\nb\r\n",
    "GET / HTTP/1.1\r\nX: a\0\r\n",
    "GET / HTTP/1.1\r\nX: \x0b\r\n",
    "GET / HTTP/1.1\r\nX\u00e9: a\r\n",
    "GET / HTTP/1.1\r\nX: a",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\t\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding:\tchunked\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 1\t\r\n",
    "",
  ])("refuses %j", (text) => {
    expect(parseRequestHead(text)).toEqual({ ok: false, code: "ERR_REQUEST_MALFORMED" });
  });

  it.each([
    ["Content-Length: 1\r\nTransfer-Encoding: chunked", "ERR_FRAMING_CONFLICT"],
    ["Content-Length: 1\r\nContent-Length: 1", "ERR_FRAMING_CONTENT_LENGTH"],
    ["Content-Length: +1", "ERR_FRAMING_CONTENT_LENGTH"],
    ["Transfer-Encoding: gzip, chunked", "ERR_FRAMING_TRANSFER_ENCODING"],
    ["Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "ERR_FRAMING_TRANSFER_ENCODING"],
  ])("names what is wrong with the framing of %j", (lines, code) => {
    expect(parseRequestHead(`POST / HTTP/1.1\r\n${lines}\r\n`)).toEqual({ ok: false, code });
  });

  it("takes time linear in the length of whitespace and of names", () => {
    const long = " ".repeat(200_000);
    expect(parseRequestHead(`GET / HTTP/1.1\r\nX: a${long}b\r\n`).ok).toBe(true);
    expect(parseRequestHead(`GET / HTTP/1.1\r\nX:${long}\r\n`).ok).toBe(true);
    expect(parseRequestHead(`GET / HTTP/1.1\r\n${"x".repeat(200_000)}\r\n`).ok).toBe(false);
  });
});

describe("parseResponseHead", () => {
  it("reads status, fields, framing and how long the connection lasts", () => {
    expect(expectHead(parseResponseHead("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nKeep-Alive: timeout=5, max=100\r\n"))).toEqual({
      httpVersion: "1.1",
      status: 200,
      fields: ["Content-Length", "3", "Keep-Alive", "timeout=5, max=100"],
      framing: { kind: "length", length: 3 },
      keepAlive: true,
      keepAliveTimeoutS: 5,
    });
    expect(expectHead(parseResponseHead("HTTP/1.1 204\r\n"))).toMatchObject({ status: 204, fields: [] });
    expect(expectHead(parseResponseHead("HTTP/1.0 200 \r\n"))).toMatchObject({ httpVersion: "1.0", keepAlive: false });
    expect(expectHead(parseResponseHead("HTTP/1.1 404 Not\tF\xe9und\r\nConnection: Close\r\n"))).toMatchObject({ keepAlive: false });
  });

  it.each([
    "HTTP/1.1 99 OK\r\n",
    "HTTP/1.1 600 OK\r\n",
    "HTTP/1.1 2000 OK\r\n",
    "HTTP/1.1  200 OK\r\n",
    "HTTP/1.1 200OK\r\n",
    "HTTP/2.0 200 OK\r\n",
    "HTTP/0.9 200 OK\r\n",
    "http/1.1 200 OK\r\n",
    "ICY 200 OK\r\n",
    "\r\nHTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 O\0K\r\n",
    "HTTP/1.1 200 OK\rX: y\r\n",
    "HTTP/1.1 200 OK\r\nX : y\r\n",
    "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n",
    "",
  ])("refuses %j", (text) => {
    expect(parseResponseHead(text)).toEqual({ ok: false, code: "ERR_RESPONSE_MALFORMED" });
  });

  it("names what is wrong with the framing", () => {
    const text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n";
    expect(parseResponseHead(text)).toEqual({ ok: false, code: "ERR_FRAMING_CONFLICT" });
  });
});

describe("BodyDecoder", () => {
  it.each<[string, BodyFraming, string, string, string, readonly string[]]>([
    ["none", { kind: "none" }, "", "", "next", []],
    ["a length", { kind: "length", length: 5 }, "hello", "hello", "next", []],
    ["a length of 0", { kind: "length", length: 0 }, "", "", "next", []],
    ["chunks", { kind: "chunked" }, "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "hello", "next", []],
    ["extensions", { kind: "chunked" }, '5;a;b=c;d="e\\"f"\r\nhello\r\n0;x\r\n\r\n', "hello", "next", []],
    ["trailers", { kind: "chunked" }, "5\r\nhello\r\n0\r\nX-A: 1\r\nX-b:2\r\n\r\n", "hello", "\r\n\r\n", ["X-A", "1", "X-b", "2"]],
    ["16 digits", { kind: "chunked" }, "0000000000000005\r\nhello\r\n0000\r\n\r\n", "hello", "0", []],
    [
      "hexadecimal in both cases",
      { kind: "chunked" },
      `1A\r\n${"x".repeat(26)}\r\n0a\r\n${"y".repeat(10)}\r\n0\r\n\r\n`,
      "x".repeat(26) + "y".repeat(10),
      "z",
      [],
    ],
  ])("%s: the same wherever it is cut, and nothing of the next message", (_name, framing, coded, body, rest, trailers) => {
    const bytes = Buffer.from(coded + rest, "latin1");
    const whole = { body, rest, trailers, done: true };
    expect(decode(framing, bytes, [])).toEqual(whole);
    expect(decode(framing, bytes, everyCut(bytes))).toEqual(whole);
    for (const cut of everyCut(bytes)) expect(decode(framing, bytes, [cut])).toEqual(whole);
  });

  it("takes everything until the connection ends", () => {
    expect(decode({ kind: "until-close" }, Buffer.from("0\r\n\r\n"), [2])).toMatchObject({ body: "0\r\n\r\n", done: false });
  });

  it.each([
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "5_0\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5 ;a\r\nhello\r\n0\r\n\r\n",
    "\r\n",
    "g\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5;a b\r\nhello\r\n0\r\n\r\n",
    "5;a=\r\nhello\r\n0\r\n\r\n",
    '5;a="b\r\nhello\r\n0\r\n\r\n',
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    `5;${"a".repeat(256)}\r\nhello\r\n0\r\n\r\n`,
    "00000000000000005\r\nhello\r\n0\r\n\r\n",
    "20000000000000\r\n",
    "ffffffffffffffff\r\n",
    "0\r\nX Y\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "0\r\nX: a\r\ntransfer-encoding: chunked\r\n\r\n",
    "0\r\nX: a\n\r\n",
    "0\r\nX: a\r\n b\r\n\r\n",
    "0\r\n: a\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "0\r\ntransfer-encoding: chunked\r\n\r\n",
    `0\r\nX: ${"a".repeat(16_384)}\r\n\r\n`,
  ])("refuses the chunks %j, wherever they are cut", (coded) => {
    const bytes = Buffer.from(coded, "latin1");
    expect(decode({ kind: "chunked" }, bytes, [])).toBe("fault");
    expect(decode({ kind: "chunked" }, bytes, everyCut(bytes))).toBe("fault");
  });

  it("takes apart what was put together, however it is cut", () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(chunks, fc.array(fc.nat(400), { maxLength: 5 }), (parts, cutAt) => {
        const coded = Buffer.concat([
          ...parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]),
          Buffer.from("0\r\n\r\nnext"),
        ]);
        const cuts = [...new Set(cutAt.map((cut) => cut % coded.length))].filter((cut) => cut > 0).sort((a, b) => a - b);
        expect(decode({ kind: "chunked" }, coded, cuts)).toEqual({
          body: Buffer.concat(parts).toString("latin1"),
          rest: "next",
          trailers: [],
          done: true,
        });
      }),
    );
  });
});

function expectHead<Head>(result: { ok: true; head: Head } | { ok: false; code: string }): Head {
  if (!result.ok) throw new Error(`refused: ${result.code}`);
  return result.head;
}
