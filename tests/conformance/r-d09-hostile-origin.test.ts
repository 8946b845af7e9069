// R-D9: an answer of an origin is judged by the same rules as a request: what servers read differently is 502.

import { describe, expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { FrameType } from "@sallyport/shared/protocol/frame";
import { prepareHead, writeHead } from "@sallyport/shared/protocol/head";
import { eventually } from "../harness/scratch.ts";
import { ok } from "./support/origin.ts";
import { useBed } from "./support/bed.ts";
import { RogueConnector } from "./support/rogue-connector.ts";
import { ask, http2Ask, pseudo, visit } from "./support/visit.ts";
import { readResponses, write } from "./support/wire.ts";

const bed = useBed();

async function afterwards(): Promise<void> {
  bed().open.respond = (request) => ok(request.target);
  for (const target of ["/after", "/again"]) expect((await ask(bed(), target)).body).toBe(target);
}

describe("R-D9: heads that break HTTP are 502, and the connection is not used again", () => {
  test.each([
    ["CR in a value", "HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 0\r\n\r\n"],
    ["LF in a value", "HTTP/1.1 200 OK\r\nX-A: a\nSet-Cookie: x\r\nContent-Length: 0\r\n\r\n"],
    ["NUL in a value", "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n"],
    ["a control in a value", "HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 0\r\n\r\n"],
    ["a folded line", "HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n"],
    ["a name that is no token", "HTTP/1.1 200 OK\r\nX(A: a\r\nContent-Length: 0\r\n\r\n"],
    ["a space before the colon", "HTTP/1.1 200 OK\r\nX-A : a\r\nContent-Length: 0\r\n\r\n"],
    ["bare LF line ends", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    ["CL and TE", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nserved\r\n0\r\n\r\n"],
    ["TE and CL", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n6\r\nserved\r\n0\r\n\r\n"],
    ["two equal lengths", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 6\r\n\r\nserved"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 3\r\n\r\nserved"],
    ["a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 6, 6\r\n\r\nserved"],
    ["+6", "HTTP/1.1 200 OK\r\nContent-Length: +6\r\n\r\nserved"],
    ["gzip, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n6\r\nserved\r\n0\r\n\r\n"],
    ["gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nserved"],
    ["chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a status of 600", "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n"],
    ["a status of 99", "HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n"],
    ["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    ["a head of 70,000 bytes", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(70_000)}\r\nContent-Length: 0\r\n\r\n`],
    ["600 fields", `HTTP/1.1 200 OK\r\n${"X-A: a\r\n".repeat(600)}Content-Length: 0\r\n\r\n`],
  ])("%s", async (_name, answer) => {
    bed().open.respond = () => answer;
    const response = await ask(bed(), "/x");
    expect([response.status, response.value("sallyport-error"), response.value("sallyport-answered-by")]).toEqual([
      502,
      "ERR_ORIGIN_PROTOCOL",
      expect.any(String),
    ]);
    expect(JSON.stringify(response.fields)).not.toMatch(/set-cookie|x-a/i);
    const answered = await http2Ask(bed(), pseudo("/x"));
    expect([answered.status, answered.headers["sallyport-error"]]).toEqual([502, "ERR_ORIGIN_PROTOCOL"]);
    await afterwards();
  });
});

describe("R-D9: bodies where none may be are thrown away", () => {
  const POISON = ok("poison");
  test.each([
    ["204", "GET", 204, `HTTP/1.1 204 No Content\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`],
    ["chunked 204", "GET", 204, `HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n`],
    ["304", "GET", 304, `HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison`],
    ["HEAD", "HEAD", 200, `HTTP/1.1 200 OK\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`],
    ["chunked HEAD", "HEAD", 200, `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n`],
  ])("%s", async (_name, method, status, answer) => {
    bed().open.respond = () => answer;
    using client = await RawClient.connect({ port: bed().port });
    client.send(write("/x", { method }));
    const raw = await client.untilClosed();
    expect(readResponses(raw, [method]).map((response) => response.status)).toEqual([status]);
    expect(raw).not.toContain("poison");
    if (status === 204) expect(raw).not.toMatch(/content-length|transfer-encoding/i);
    await afterwards();
  });

  test("the answer to HEAD never shifts the stream for a pipelined request", async () => {
    bed().open.respond = (request) => ok(request.target);
    const responses = await visit(bed(), write("/head", { method: "HEAD", close: false }) + write("/get"), ["HEAD", "GET"]);
    expect(responses.map(({ status, body }) => [status, body])).toEqual([
      [200, ""],
      [200, "/get"],
    ]);
  });
});

describe("R-D9: an answer that is cut never looks whole", () => {
  test.each([
    ["within a declared length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"],
    ["within a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabc"],
    ["before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"],
    ["by a broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n"],
  ])("%s", async (_name, answer) => {
    bed().open.respond = (_request, socket) => void socket.end(answer, "latin1");
    const [response] = await visit(bed(), write("/x"));
    // Cut before a byte of it was sent, it is no response at all.
    const complete = response?.complete ?? false;
    expect([response?.status === 502, complete]).toEqual(response?.status === 502 ? [true, true] : [false, false]);
    const answered = await http2Ask(bed(), pseudo("/x"));
    expect(answered.status === 502 || answered.reset !== 0).toBe(true);
    await afterwards();
  });

  test.each(["", "HTTP/1.1 200 OK\r\nX-"])("before its head is whole (%j) it is 502", async (answer) => {
    bed().open.respond = (_request, socket) => void socket.end(answer, "latin1");
    expect((await ask(bed(), "/x")).status).toBe(502);
    await afterwards();
  });
});

test("R-D9: trailers of a hostile answer never become fields of this or the next answer", async () => {
  bed().open.respond = () =>
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nserved\r\n0\r\nSet-Cookie: evil=1\r\nContent-Length: 99\r\nX: a\x01b\r\n\r\n";
  const [response] = await visit(bed(), write("/x", { fields: ["TE: trailers"] }));
  const names = response?.fields.map(([name]) => name.toLowerCase()) ?? [];
  expect(names).not.toContain("set-cookie");
  expect(response?.values("content-length") ?? []).toEqual([]);
  await afterwards();
});

test("R-D9: an answer that outgrows its declared length is cut, and its connector told to stop", async () => {
  await using connector = await RogueConnector.connect(bed(), bed().credentials.lab);
  connector.onOpen = (stream) => {
    const head = { status: 200, fields: ["Content-Length", "5"] };
    const { text, payloadBytes } = prepareHead(head);
    const payload = Buffer.alloc(payloadBytes);
    writeHead(head, text, payload, 0);
    connector.send(FrameType.HEAD, stream, payload);
    connector.send(FrameType.DATA, stream, Buffer.from("more than five"));
  };
  const [response] = await visit(bed(), write("/x", { host: "lab.example.test" }));
  expect(response?.complete).toBe(false);
  await eventually(() => connector.frames.some(({ type }) => type === FrameType.RESET), { what: "the relay to reset the stream" });
});
