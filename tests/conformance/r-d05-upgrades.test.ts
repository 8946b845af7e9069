// R-D5: the one upgrade that passes is a WebSocket handshake that cannot be taken for anything else, and bytes become
// raw only after the origin's own, right 101.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { eventually, within } from "../harness/scratch.ts";
import { ok, type RecordedRequest } from "./support/origin.ts";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded, expectRejected, expectSilence, fence, mark, only, visit } from "./support/visit.ts";
import { readResponses, write } from "./support/wire.ts";

const bed = useBed();
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

interface Change {
  readonly method?: string;
  readonly version?: string;
  readonly connection?: string;
  readonly upgrade?: string;
  readonly key?: readonly string[];
  readonly wsVersion?: readonly string[];
  readonly more?: readonly string[];
  readonly target?: string;
  readonly body?: string;
}

function handshake(change: Change = {}): string {
  const {
    method = "GET",
    version = "1.1",
    connection = "Upgrade",
    upgrade = "websocket",
    key = [KEY],
    wsVersion = ["13"],
    more = [],
    target = "/ws",
    body = "",
  } = change;
  const fields = [
    `Connection: ${connection}`,
    `Upgrade: ${upgrade}`,
    ...key.map((value) => `Sec-WebSocket-Key: ${value}`),
    ...wsVersion.map((value) => `Sec-WebSocket-Version: ${value}`),
    ...more,
  ];
  return write(target, { method, version, close: false, fields, body });
}

function accept(request: RecordedRequest, ...more: readonly string[]): string {
  const [key = ""] = request.values("sec-websocket-key");
  const hash = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${hash}\r\n${more.map((line) => `${line}\r\n`).join("")}\r\n`;
}

test.each(["websocket", "WebSocket", "WEBSOCKET"])(
  "R-D5: an upgrade to %s switches, and bytes go both ways as they are",
  async (upgrade) => {
    bed().open.respond = (request, socket) => {
      setImmediate(() => socket.write("\x81\x05hello", "latin1"));
      return accept(request, "Sec-WebSocket-Protocol: chat");
    };
    using client = await RawClient.connect({ port: bed().port });
    client.send(
      handshake({ upgrade, connection: "keep-alive, Upgrade", more: ["Sec-WebSocket-Protocol: chat", "Origin: https://app.example.test"] }),
    );
    await client.until(/hello$/);
    expect(only(readResponses(client.received))).toMatchObject({ status: 101 });
    client.send("GET /smuggled HTTP/1.1\r\nHost: app.example.test\r\n\r\n");
    const connection = bed().open.connections;
    await eventually(() => bed().open.switched[connection]?.includes("smuggled"), { what: "raw bytes at the origin" });
    expect(bed().open.switched[connection]).toBe("GET /smuggled HTTP/1.1\r\nHost: app.example.test\r\n\r\n");
    const request = bed().open.requests.at(-1);
    expect([request?.values("upgrade"), request?.values("connection").join().toLowerCase(), request?.values("sec-websocket-key")]).toEqual([
      ["websocket"],
      "upgrade",
      [KEY],
    ]);
  },
);

describe("R-D5: a WebSocket handshake that breaks its own rules is rejected", () => {
  test.each([
    ["POST", { method: "POST" }, 400, "ERR_UPGRADE_METHOD"],
    ["HEAD", { method: "HEAD" }, 400, "ERR_UPGRADE_METHOD"],
    ["version 8", { wsVersion: ["8"] }, 426, "ERR_UPGRADE_VERSION"],
    ["no version", { wsVersion: [] }, 426, "ERR_UPGRADE_VERSION"],
    ["two versions", { wsVersion: ["13", "13"] }, 426, "ERR_UPGRADE_VERSION"],
    ["no key", { key: [] }, 400, "ERR_UPGRADE_KEY"],
    ["a short key", { key: ["dGhl"] }, 400, "ERR_UPGRADE_KEY"],
    ["a key that is no base64", { key: ["!!!!!!!!!!!!!!!!!!!!!!=="] }, 400, "ERR_UPGRADE_KEY"],
    ["two keys", { key: [KEY, KEY] }, 400, "ERR_UPGRADE_KEY"],
    ["a length", { more: ["Content-Length: 5"], body: "hello" }, 400, "ERR_UPGRADE_BODY"],
    ["a length of 0", { more: ["Content-Length: 0"] }, 400, "ERR_UPGRADE_BODY"],
    ["chunks", { more: ["Transfer-Encoding: chunked"], body: "0\r\n\r\n" }, 400, "ERR_UPGRADE_BODY"],
  ] as const)("%s", async (_name, change, status, code) => {
    const before = mark(bed());
    const [response] = await visit(bed(), handshake(change) + write("/smuggled"), ["method" in change ? change.method : "GET"]);
    expect([response?.status, response?.value("sallyport-error")]).toEqual([status, code]);
    await expectSilence(bed(), before);
  });
});

test.each([
  ["h2c", { upgrade: "h2c", connection: "Upgrade, HTTP2-Settings", more: ["HTTP2-Settings: AAMAAABkAAQAAP__"] }],
  ["a list", { upgrade: "websocket, h2c" }],
  ["another list", { upgrade: "h2c, websocket" }],
  ["TLS", { upgrade: "TLS/1.0" }],
  ["an upgrade that Connection does not name", { connection: "close" }],
  ["an upgrade on HTTP/1.0", { version: "1.0" }],
  ["two Upgrade fields", { more: ["Upgrade: h2c"] }],
])("R-D5: %s is an ordinary request, and Upgrade does not pass", async (_name, change) => {
  const bytes = handshake({ ...change, connection: "connection" in change ? change.connection : "Upgrade" }).replace(
    "\r\nConnection: ",
    "\r\nConnection: close, ",
  );
  const request = await expectForwarded(bed(), bytes);
  expect([request.values("upgrade"), request.values("http2-settings")]).toEqual([[], []]);
  expect(request.values("connection").join()).not.toMatch(/upgrade|http2/i);
});

describe("R-D5: without a right 101 nothing becomes raw", () => {
  test.each([
    ["200", () => ok("no"), 200],
    ["426", () => "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", 426],
    ["401", () => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 401],
  ])("%s is an answer like any other; what was pipelined is never read", async (_name, answer, status) => {
    bed().open.respond = answer;
    const before = mark(bed());
    const responses = await visit(bed(), handshake() + write("/smuggled"));
    expect(responses.map((response) => response.status)).toEqual([status]);
    bed().open.reset();
    await fence(bed());
    expect(
      bed()
        .open.requests.slice(before.open)
        .map(({ target }) => target),
    ).toEqual(["/ws"]);
  });

  test.each([
    ["a wrong accept", (request: RecordedRequest) => accept(request).replace(/Accept: .{5}/, "Accept: AAAAA")],
    ["no accept", (request: RecordedRequest) => accept(request).replace(/Sec-WebSocket-Accept: .*\r\n/, "")],
    ["another protocol", (request: RecordedRequest) => accept(request).replace("Upgrade: websocket", "Upgrade: h2c")],
    ["no Upgrade", (request: RecordedRequest) => accept(request).replace("Upgrade: websocket\r\n", "")],
    ["no Connection", (request: RecordedRequest) => accept(request).replace("Connection: Upgrade\r\n", "")],
    ["two accepts", (request: RecordedRequest) => accept(request, "Sec-WebSocket-Accept: x")],
  ])("a 101 with %s is 502", async (_name, answer) => {
    bed().open.respond = answer;
    const before = mark(bed());
    const responses = await visit(bed(), handshake() + write("/smuggled"));
    expect(responses.map((response) => [response.status, response.value("sallyport-error")])).toEqual([[502, "ERR_ORIGIN_PROTOCOL"]]);
    expect(
      bed()
        .open.requests.slice(before.open)
        .map(({ target }) => target),
    ).toEqual(["/ws"]);
  });
});

test("R-D5: bytes behind the handshake are held until the 101, and reach the origin as raw bytes, never as HTTP", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  bed().open.respond = (request, socket) => void promise.then(() => socket.write("late"));
  using client = await RawClient.connect({ port: bed().port });
  const requests = bed().open.requests.length;
  client.send(`${handshake()}GET /smuggled HTTP/1.1\r\nHost: app.example.test\r\n\r\n`);
  await eventually(() => bed().open.requests.length > requests, { what: "the handshake at the origin" });
  const opened = bed().opened.length;
  bed().open.reset();
  await fence(bed());
  expect(bed().opened).toHaveLength(opened);
  expect(
    bed()
      .open.requests.slice(requests)
      .map(({ target }) => target),
  ).toEqual(["/ws"]);
  resolve();
  // "late" is no answer that HTTP knows.
  expect(readResponses(await client.untilClosed()).map(({ status }) => status)).toEqual([502]);
  expect(
    bed()
      .open.requests.slice(requests)
      .map(({ target }) => target),
  ).toEqual(["/ws"]);
});

test("R-L9: a visitor who leaves before the handshake is answered is gone for the origin too", async () => {
  const { promise: left, resolve } = Promise.withResolvers<void>();
  let asked = false;
  bed().open.respond = (_request, socket) => {
    asked = true;
    socket.once("close", resolve);
    return undefined;
  };
  {
    using client = await RawClient.connect({ port: bed().port });
    client.send(handshake());
    await eventually(() => asked, { what: "the handshake at the origin" });
  }
  await within(5_000, "the origin to be left", left);
});

test("R-D5: a handshake is authorised like any request", async () => {
  await expectDenied(bed(), handshake({ target: "/admin/ws" }), { status: 401 });
  await expectRejected(bed(), handshake({ target: "/a%zz" }), { status: 400 });
});
