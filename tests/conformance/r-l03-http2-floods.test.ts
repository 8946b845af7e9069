// R-L3: what a few bytes of HTTP/2 could make a server do without end. Each flood is sent to a real relay while another visitor
// is served within a second; floods that make the relay work end their session, and the connector hears of a bounded part.

import { afterEach, describe, expect, test } from "vitest";
import { eventually, within } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { END_HEADERS, END_STREAM, headerBlock, Http2Frame as Frame, RawHttp2 } from "./support/raw-http2.ts";
import { ask, pseudo } from "./support/visit.ts";

const bed = useBed();

const ENHANCE_YOUR_CALM = 0xb;
/** Streams that a client may break within ten seconds, and a margin for what was under way. */
const MAX_FORWARDED = 250;
const CANCEL = u32(8);

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Sends a part of a flood at a time, so that the relay reads while it is sent, until it closes. */
async function flood(visitor: RawHttp2, parts: number, send: (part: number) => void): Promise<void> {
  let closed = false;
  void visitor.closed.then(() => (closed = true));
  for (let part = 0; part < parts && !closed; part++) {
    send(part);
    if (part % 50 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

async function expectServedSoon(): Promise<void> {
  const startMs = performance.now();
  expect((await ask(bed(), "/visitor")).body).toBe("served");
  expect(performance.now() - startMs).toBeLessThan(1_000);
}

afterEach(async () => {
  bed().open.reset();
  await expectServedSoon();
  expect(
    bed()
      .logLines.splice(0)
      .filter(({ level }) => level === "error" || level === "fatal"),
  ).toEqual([]);
});

describe("R-L3: streams that are begun and broken", () => {
  test("rapid reset ends the session, and the connector gets a bounded part of it", async () => {
    using visitor = await RawHttp2.connect(bed());
    const before = bed().opened.length;
    await flood(visitor, 3_000, (n) => {
      visitor.headers(2 * n + 1, pseudo("/x"), END_HEADERS | END_STREAM);
      visitor.frame(Frame.RST_STREAM, 0, 2 * n + 1, CANCEL);
    });
    await within(10_000, "the session to end", visitor.closed);
    expect(visitor.goaway).toBe(ENHANCE_YOUR_CALM);
    expect(bed().opened.length - before).toBeLessThanOrEqual(MAX_FORWARDED);
  });

  // What makes the relay itself reset a stream (MadeYouReset): the client never sends RST_STREAM.
  test.each<readonly [string, (visitor: RawHttp2, stream: number) => void]>([
    ["a window update of zero", (visitor, stream) => visitor.frame(Frame.WINDOW_UPDATE, 0, stream, u32(0))],
    ["a window beyond 2^31-1", (visitor, stream) => visitor.frame(Frame.WINDOW_UPDATE, 0, stream, u32(0x7fff_ffff))],
    ["DATA on a stream that it has ended", (visitor, stream) => visitor.frame(Frame.DATA, 0, stream, Buffer.from("x"))],
    ["HEADERS on a stream that it has ended", (visitor, stream) => visitor.headers(stream, ["x", "y"], END_HEADERS | END_STREAM)],
    [
      "a stream that depends on itself",
      (visitor, stream) => visitor.frame(Frame.PRIORITY, 0, stream, Buffer.concat([u32(stream), Buffer.of(1)])),
    ],
  ])("%s, again and again, ends the session", async (_name, provoke) => {
    using visitor = await RawHttp2.connect(bed());
    // Answers stay away, so that every stream is open when it is provoked.
    bed().open.respond = () => undefined;
    const before = bed().opened.length;
    await flood(visitor, 2_000, (n) => {
      visitor.headers(2 * n + 1, pseudo("/x"), END_HEADERS | END_STREAM);
      provoke(visitor, 2 * n + 1);
    });
    await within(10_000, "the session to end", visitor.closed);
    expect(bed().opened.length - before).toBeLessThanOrEqual(MAX_FORWARDED);
  });

  test("more streams than it was told to open at once are refused, and reach nobody", async () => {
    using visitor = await RawHttp2.connect(bed());
    bed().open.respond = () => undefined;
    const before = bed().opened.length;
    await flood(visitor, 1_000, (n) => visitor.headers(2 * n + 1, pseudo("/x"), END_HEADERS | END_STREAM));
    await eventually(() => visitor.ended.size > 0 || visitor.goaway !== undefined, { what: "a refusal" });
    expect(bed().opened.length - before).toBeLessThanOrEqual(100);
  });
});

describe("R-L3: heads without end", () => {
  test.each<readonly [string, Buffer]>([
    ["CONTINUATION frames of 16 KiB", headerBlock(Array.from({ length: 140 }, () => ["x", "y".repeat(110)]).flat())],
    ["CONTINUATION frames without a byte", Buffer.alloc(0)],
    ["CONTINUATION frames of one tiny field", headerBlock(["a", "b"])],
  ])("%s end the session", async (_name, block) => {
    using visitor = await RawHttp2.connect(bed());
    const before = bed().opened.length;
    visitor.headers(1, pseudo("/x"), END_STREAM);
    await flood(visitor, 20_000, () => visitor.frame(Frame.CONTINUATION, 0, 1, block));
    await within(10_000, "the session to end", visitor.closed);
    expect(bed().opened.length).toBe(before);
  });

  test("an index bomb (one large field, referred to thousands of times) is 431 or ends the session", async () => {
    using visitor = await RawHttp2.connect(bed());
    const before = bed().opened.length;
    // Literal with incremental indexing (RFC 7541 section 6.2.1), then 3,000 references of one byte to it.
    const value = "v".repeat(120);
    const entry = Buffer.concat([Buffer.of(0x40, 1), Buffer.from("x"), Buffer.of(value.length), Buffer.from(value)]);
    visitor.frame(Frame.HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([headerBlock(pseudo("/x")), entry, Buffer.alloc(3_000, 0xbe)]));
    await visitor.answered();
    expect(bed().opened.length).toBe(before);
  });
});

describe("R-L3: frames that ask for an answer", () => {
  test.each<readonly [string, number, Buffer]>([
    ["SETTINGS", Frame.SETTINGS, Buffer.from([0, 4, 0, 1, 0, 0])],
    ["SETTINGS without a setting", Frame.SETTINGS, Buffer.alloc(0)],
    ["PING", Frame.PING, Buffer.alloc(8)],
  ])("a flood of %s ends the session", async (_name, type, payload) => {
    using visitor = await RawHttp2.connect(bed());
    await flood(visitor, 60_000, () => visitor.frame(type, 0, 0, payload));
    await within(20_000, "the session to end", visitor.closed);
    expect(visitor.goaway).toBe(ENHANCE_YOUR_CALM);
  });
});

describe("R-L3: frames that ask for nothing cost what they weigh", () => {
  test.each<readonly [string, (visitor: RawHttp2) => void]>([
    ["WINDOW_UPDATE of the session", (visitor) => visitor.frame(Frame.WINDOW_UPDATE, 0, 0, u32(1))],
    ["WINDOW_UPDATE of a stream", (visitor) => visitor.frame(Frame.WINDOW_UPDATE, 0, 1, u32(1))],
    [
      "PRIORITY of streams that are not there",
      (visitor) => visitor.frame(Frame.PRIORITY, 0, 12_345, Buffer.concat([u32(1), Buffer.of(1)])),
    ],
    ["DATA without a byte", (visitor) => visitor.frame(Frame.DATA, 0, 1, Buffer.alloc(0))],
    ["a type nobody knows", (visitor) => visitor.frame(0x42, 0, 0, Buffer.alloc(8))],
  ])("50,000 times %s, while others are served", async (_name, send) => {
    using visitor = await RawHttp2.connect(bed());
    bed().open.respond = (request) => (request.target === "/hang" ? undefined : "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved");
    visitor.headers(1, [...pseudo("/hang", "app.example.test", "POST")], END_HEADERS);
    const before = process.memoryUsage();
    const sent = flood(visitor, 50_000, () => send(visitor));
    await expectServedSoon();
    await sent;
    await expectServedSoon();
    const after = process.memoryUsage();
    expect(after.external + after.arrayBuffers - before.external - before.arrayBuffers).toBeLessThan(64 * 1024 * 1024);
  });
});

test("R-L3: a window of zero holds its own streams only, and what it held arrives when it opens", async () => {
  const body = "b".repeat(200_000);
  bed().open.respond = (request) =>
    `HTTP/1.1 200 OK\r\nContent-Length: ${request.target === "/x" ? body.length : 6}\r\n\r\n${request.target === "/x" ? body : "served"}`;
  // SETTINGS_INITIAL_WINDOW_SIZE = 0
  using visitor = await RawHttp2.connect(bed(), Buffer.from([0, 4, 0, 0, 0, 0]));
  const streams = Array.from({ length: 50 }, (_, n) => 2 * n + 1);
  const before = bed().open.requests.length;
  for (const stream of streams) visitor.headers(stream, pseudo("/x"), END_HEADERS | END_STREAM);
  await eventually(() => bed().open.requests.length === before + streams.length, { what: "the origin to have them all" });
  await expectServedSoon();
  expect(visitor.bodyBytes.size).toBe(0);
  visitor.frame(Frame.WINDOW_UPDATE, 0, 0, u32(0x3fff_ffff));
  for (const stream of streams) visitor.frame(Frame.WINDOW_UPDATE, 0, stream, u32(1_000_000));
  await eventually(() => visitor.ended.size === streams.length, { what: "every answer to arrive" });
  expect(new Set(visitor.bodyBytes.values())).toEqual(new Set([body.length]));
});
