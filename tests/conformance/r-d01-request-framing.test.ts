// R-D1: a request has one length, said in one way; whatever servers read differently is refused.

import { describe, expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { useBed } from "./support/bed.ts";
import { RawHttp2 } from "./support/raw-http2.ts";
import { expectForwarded, expectRejected, fence, mark, pseudo } from "./support/visit.ts";
import { readResponses, write } from "./support/wire.ts";

const bed = useBed();

const post = (fields: readonly string[], body = "", version = "1.1"): string =>
  write("/x", { method: "POST", close: false, fields, body, version });

describe("R-D1: heads that are rejected", () => {
  test.each([
    ["TE and CL", ["Content-Length: 5", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["CL and TE", ["Transfer-Encoding: chunked", "Content-Length: 5"], "0\r\n\r\n"],
    ["two equal CL", ["Content-Length: 5", "Content-Length: 5"], "hello"],
    ["two different CL", ["Content-Length: 5", "Content-Length: 6"], "hello"],
    ["CL in two cases", ["Content-Length: 5", "CONTENT-LENGTH: 0"], "hello"],
    ["a list of CL", ["Content-Length: 5, 5"], "hello"],
    ["+5", ["Content-Length: +5"], "hello"],
    ["-5", ["Content-Length: -5"], "hello"],
    ["0x5", ["Content-Length: 0x5"], "hello"],
    ["5_0", ["Content-Length: 5_0"], "hello"],
    ["5.0", ["Content-Length: 5.0"], "hello"],
    ["5 5", ["Content-Length: 5 5"], "hello"],
    ["an empty CL", ["Content-Length:"], "hello"],
    ["2^53", ["Content-Length: 9007199254740992"], "hello"],
    ["2^64+5", ["Content-Length: 18446744073709551621"], "hello"],
    ["17 digits", ["Content-Length: 00000000000000005"], "hello"],
    ["VT around CL", ["Content-Length: \x0b5"], "hello"],
    [",chunked", ["Transfer-Encoding: ,chunked"], "0\r\n\r\n"],
    ["chunked,", ["Transfer-Encoding: chunked,"], "0\r\n\r\n"],
    ["gzip, chunked", ["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"],
    ["chunked, chunked", ["Transfer-Encoding: chunked, chunked"], "0\r\n\r\n"],
    ["chunked, identity", ["Transfer-Encoding: chunked, identity"], "0\r\n\r\n"],
    ["identity", ["Transfer-Encoding: identity"], "0\r\n\r\n"],
    ["gzip", ["Transfer-Encoding: gzip"], "0\r\n\r\n"],
    ["xchunked", ["Transfer-Encoding: xchunked"], "0\r\n\r\n"],
    ["chunkedx", ["Transfer-Encoding: chunkedx"], "0\r\n\r\n"],
    ["chunked;q=1", ["Transfer-Encoding: chunked;q=1"], "0\r\n\r\n"],
    ["quoted chunked", ['Transfer-Encoding: "chunked"'], "0\r\n\r\n"],
    ["an empty TE", ["Transfer-Encoding:"], "0\r\n\r\n"],
    ["VT before chunked", ["Transfer-Encoding: \x0bchunked"], "0\r\n\r\n"],
    ["NUL behind chunked", ["Transfer-Encoding: chunked\0"], "0\r\n\r\n"],
    ["two TE", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["two TE of which one is no coding", ["Transfer-Encoding: chunked", "Transfer-Encoding: cow"], "0\r\n\r\n"],
    ["TE with a space before the colon", ["Transfer-Encoding : chunked"], "0\r\n\r\n"],
    ["TE that is folded", ["Transfer-Encoding:\r\n chunked"], "0\r\n\r\n"],
    ["TE behind a bare CR", ["X: a\rTransfer-Encoding: chunked"], "0\r\n\r\n"],
    ["TE behind a bare LF", ["X: a\nTransfer-Encoding: chunked"], "0\r\n\r\n"],
    ["CL behind NUL", ["X: a\0Content-Length: 5"], "hello"],
    ["a folded line", ["X: a\r\n b"], ""],
    ["an empty name", [": a"], ""],
    ["a line without a colon", ["X"], ""],
  ] as const)("%s", async (_name, fields, body) => {
    await expectRejected(bed(), post(fields, body), { status: 400 });
  });

  test.each([
    ["chunked on HTTP/1.0", post(["Transfer-Encoding: chunked"], "0\r\n\r\n", "1.0")],
    ["HTTP/1.2", "GET /x HTTP/1.2\r\nHost: app.example.test\r\n\r\n"],
    ["HTTP/2.0 in a request line", "GET /x HTTP/2.0\r\nHost: app.example.test\r\n\r\n"],
    ["HTTP/0.9", "GET /x\r\n\r\n"],
    ["HTTP/0.9 by name", "GET /x HTTP/0.9\r\nHost: app.example.test\r\n\r\n"],
    ["bare LF line ends", "GET /x HTTP/1.1\nHost: app.example.test\n\n"],
    ["CR CR LF", "GET /x HTTP/1.1\r\nHost: app.example.test\r\r\n\r\n"],
    ["CR LF CR X", "GET /x HTTP/1.1\r\nHost: app.example.test\r\n\rX"],
    ["CR CR ;", "GET /x HTTP/1.1\r\nHost: app.example.test\r\r;\r\n\r\n"],
    ["a space before the first field", "GET /x HTTP/1.1\r\n Host: app.example.test\r\n\r\n"],
    ["a tab in the request line", "GET\t/x HTTP/1.1\r\nHost: app.example.test\r\n\r\n"],
    ["a third part in the request line", "GET /x HTTP/1.1 HTTP/1.1\r\nHost: app.example.test\r\n\r\n"],
    ["HTTP/1.1 in lower case", "GET /x http/1.1\r\nHost: app.example.test\r\n\r\n"],
    ["several spaces in the request line", "GET   /x HTTP/1.1\r\nHost: app.example.test\r\n\r\n"],
    ["two empty lines before a request", "\r\n\r\nGET /x HTTP/1.1\r\nHost: app.example.test\r\n\r\n"],
    ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
  ])("%s", async (_name, bytes) => {
    await expectRejected(bed(), bytes, { status: 400 });
  });
});

describe("R-D1: bodies that break: the origin never gets a whole request", () => {
  test.each([
    ["0x prefix", "0x5\r\nhello\r\n0\r\n\r\n"],
    ["+", "+5\r\nhello\r\n0\r\n\r\n"],
    ["-", "-5\r\nhello\r\n0\r\n\r\n"],
    ["_", "0_5\r\nhello\r\n0\r\n\r\n"],
    ["a space before the size", " 5\r\nhello\r\n0\r\n\r\n"],
    ["a size that wraps", "10000000000000005\r\nhello\r\n0\r\n\r\n"],
    ["no size", "\r\nhello\r\n0\r\n\r\n"],
    ["g", "g\r\nhello\r\n0\r\n\r\n"],
    ["a bare LF behind the size", "5\nhello\r\n0\r\n\r\n"],
    ["a bare CR behind the size", "5\rhello\r\n0\r\n\r\n"],
    ["a bare LF behind the data", "5\r\nhello\n0\r\n\r\n"],
    ["data longer than its size", "5\r\nhelloX\r\n0\r\n\r\n"],
    ["data shorter than its size", "6\r\nhello\r\n0\r\n\r\n"],
    ["a LF within an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"],
    ["an extension of 20,000 bytes", `5;${"a".repeat(20_000)}\r\nhello\r\n0\r\n\r\n`],
    ["17 digits of which the first are zeros", "00000000000000005\r\nhello\r\n0\r\n\r\n"],
    ["an extension of 257 bytes", `5;${"a".repeat(256)}\r\nhello\r\n0\r\n\r\n`],
    ["an extension that is no extension", "5;a b\r\nhello\r\n0\r\n\r\n"],
    ["a folded trailer", "5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n"],
    ["a trailer that is no field", "5\r\nhello\r\n0\r\nX Y\r\n\r\n"],
  ])("%s", async (_name, body) => {
    const before = bed().open.requests.length;
    using client = await RawClient.connect({ port: bed().port });
    client.send(post(["Transfer-Encoding: chunked"], body) + write("/smuggled"));
    const responses = readResponses(await client.untilClosed());
    expect(responses.filter(({ status }) => status < 400)).toEqual([]);
    expect(responses.length).toBeLessThanOrEqual(1);
    expect(bed().open.requests.slice(before)).toEqual([]);
    expect(bed().open.violations).toEqual([]);
  });

  test.each([
    ["within a declared length", ["Content-Length: 10"], "hello"],
    ["within a chunk", ["Transfer-Encoding: chunked"], "a\r\nhello"],
    ["before the last chunk", ["Transfer-Encoding: chunked"], "5\r\nhello\r\n"],
    ["before the last CRLF", ["Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n"],
  ])("a connection that ends %s", async (_name, fields, body) => {
    const before = bed().open.requests.length;
    using client = await RawClient.connect({ port: bed().port });
    client.send(post(fields, body));
    client.end();
    await client.untilClosed();
    expect(bed().open.requests.slice(before)).toEqual([]);
  });
});

describe("R-D1: what is well formed arrives, framed anew", () => {
  test("extensions of chunks are dropped", async () => {
    const request = await expectForwarded(
      bed(),
      write("/x", { method: "POST", fields: ["Transfer-Encoding: chunked"], body: '2;a=b;c="d"\r\nhe\r\n3\r\nllo\r\n0;end\r\n\r\n' }),
    );
    expect(request.body).toBe("hello");
    expect(request.raw.slice(request.raw.indexOf("\r\n\r\n"))).not.toContain(";");
  });

  test.each(["chunked", "Chunked", "CHUNKED"])("Transfer-Encoding: %s", async (coding) => {
    const request = await expectForwarded(
      bed(),
      write("/x", { method: "POST", fields: [`Transfer-Encoding: ${coding}`], body: "5\r\nhello\r\n0\r\n\r\n" }),
    );
    expect([request.body, request.values("transfer-encoding")]).toEqual(["hello", ["chunked"]]);
  });

  test("a body that holds a request is a body", async () => {
    const inner = write("/admin", { close: false });
    const request = await expectForwarded(bed(), write("/x", { method: "POST", fields: [`Content-Length: ${inner.length}`], body: inner }));
    expect([request.body, request.values("content-length")]).toEqual([inner, [String(inner.length)]]);
  });

  test("an empty line before a request is skipped", async () => {
    await expectForwarded(bed(), `\r\n${write("/x")}`);
  });
});

describe("R-D1: HTTP/2 downgraded", () => {
  const good = pseudo("/x", "app.example.test", "POST");
  const withPath = (path: string): string[] => pseudo(path);

  test.each([
    ["transfer-encoding", [...good, "transfer-encoding", "chunked"]],
    ["a content-length that is a list", [...good, "content-length", "5, 5"]],
    ["a content-length that lies", [...good, "content-length", "50"]],
    ["two content-length", [...good, "content-length", "5", "content-length", "6"]],
    ["an upper-case name", [...good, "X-A", "b"]],
    ["connection", [...good, "connection", "close"]],
    ["upgrade", [...good, "upgrade", "websocket"]],
    ["proxy-connection", [...good, "proxy-connection", "close"]],
    ["te other than trailers", [...good, "te", "gzip"]],
    ["a pseudo-field behind a field", [...good.slice(0, 6), "x-a", "b", ...good.slice(6)]],
    ["a pseudo-field twice", [...good, ":path", "/admin"]],
    ["an unknown pseudo-field", [...good, ":admin", "1"]],
    ["no :path", [":method", "POST", ":scheme", "https", ":authority", "app.example.test"]],
    ["a request line in :path", withPath("/x HTTP/1.1\r\nHost: evil")],
    ["a line end in :path", withPath("/x\r\n")],
    ["a space in :path", withPath("/x y")],
    ["NUL in :path", withPath("/x\0")],
    ["a request line in :method", pseudo("/x", "app.example.test", "GET /admin HTTP/1.1\r\nX:")],
    ["a space in :method", pseudo("/x", "app.example.test", "GE T")],
    ["an empty :method", pseudo("/x", "app.example.test", "")],
    ["a line end in :authority", pseudo("/x", "app.example.test\r\nX: y")],
  ])("%s: nothing whole reaches the origin", async (_name, headers) => {
    const before = mark(bed());
    using client = await RawHttp2.connect(bed());
    client.request(headers, "hello");
    await client.answered();
    await fence(bed());
    expect(bed().open.requests.slice(before.open)).toEqual([]);
    expect(bed().open.violations).toEqual([]);
  });

  // nghttp2 leaves such a field out instead of refusing the request: docs/threat-model.md, known gaps.
  test.each([
    ["CR LF in a value", [...good, "x-a", "a\r\nTransfer-Encoding: chunked"]],
    ["LF in a value", [...good, "x-a", "a\nb"]],
    ["CR in a value", [...good, "x-a", "a\rb"]],
    ["NUL in a value", [...good, "x-a", "a\0b"]],
    ["CR LF in a name", [...good, "x-a\r\nhost", "b"]],
    ["a colon in a name", [...good, "host: evil", "b"]],
    ["an empty name", [...good, "", "b"]],
  ])("%s: the origin gets the one request that was decided, and nothing of the field", async (_name, headers) => {
    const before = mark(bed());
    using client = await RawHttp2.connect(bed());
    client.request(headers, "hello");
    await client.answered();
    await fence(bed());
    const received = bed().open.requests.slice(before.open);
    expect(received.length).toBeLessThanOrEqual(1);
    for (const request of received) expect([request.values("x-a"), request.raw.match(/evil|\r\nX: |chunked\r\nh/g)]).toEqual([[], null]);
    expect(bed().open.violations).toEqual([]);
  });

  test("the same frames without a fault do arrive", async () => {
    const before = mark(bed());
    using client = await RawHttp2.connect(bed());
    client.request([...good, "x-a", "b"], "hello");
    await client.answered();
    expect(
      bed()
        .open.requests.slice(before.open)
        .map(({ body }) => body),
    ).toEqual(["hello"]);
  });
});

test("R-D1: the lenient parser of node:http, which the admin listener and the connector's pages use, is not switched on", () => {
  expect(process.env["NODE_OPTIONS"] ?? "").not.toContain("insecure-http-parser");
  expect(process.execArgv.join(" ")).not.toContain("insecure-http-parser");
});
