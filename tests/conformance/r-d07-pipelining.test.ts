// R-D7: each request of a connection is decided on its own, and after a rejection nothing more is read.

import { expect, test } from "vitest";
import { ok } from "./support/origin.ts";
import { useBed } from "./support/bed.ts";
import { expectRejected, expectSilence, fence, mark, visit } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();
const open = (target: string, fields: readonly string[] = []): string => write(target, { close: false, fields });

test("R-D7: pipelined requests are decided one by one and answered in order", async () => {
  bed().open.respond = (request) => ok(request.target);
  const before = mark(bed());
  const token = bed().token.fields;
  const bytes = open("/1") + open("/admin") + open("/2", token) + open("/admin/3", token) + open("/admin/4") + write("/5");
  const responses = await visit(bed(), bytes);
  expect(responses.map(({ status, body }) => (status === 200 ? body : status))).toEqual(["/1", 401, "/2", "served", 401, "/5"]);
  expect(
    bed()
      .opened.slice(before.opened)
      .map(({ path }) => path),
  ).toEqual(["/1", "/2", "/admin/3", "/5"]);
});

test("R-D7: a credential of one request says nothing of the next", async () => {
  const before = mark(bed());
  const responses = await visit(bed(), open("/admin", bed().token.fields) + write("/admin"));
  expect(responses.map(({ status }) => status)).toEqual([200, 401]);
  expect(bed().admin.requests).toHaveLength(before.admin + 1);
});

test.each([
  ["a malformed head", "GET /a%zz HTTP/1.1\r\nHost: app.example.test\r\n\r\n", 400],
  ["an unreadable head", "NONSENSE\r\n\r\n", 400],
  ["two lengths", write("/x", { method: "POST", close: false, fields: ["Content-Length: 1", "Content-Length: 1"], body: "x" }), 400],
  ["an unknown host", write("/x", { close: false, host: "evil.example" }), 421],
  ["CONNECT", write("app.example.test:443", { method: "CONNECT", close: false }), 405],
])("R-D7: after %s nothing more of the connection is read", async (_name, bytes, status) => {
  await expectRejected(bed(), bytes, { status });
});

test("R-D7: what came before a rejection is still answered", async () => {
  const before = mark(bed());
  const responses = await visit(bed(), open("/one") + open("/a%zz") + write("/smuggled"));
  expect(responses.map(({ status }) => status)).toEqual([200, 400]);
  await fence(bed());
  expect(
    bed()
      .opened.slice(before.opened)
      .map(({ path }) => path),
  ).toEqual(["/one"]);
});

test("R-D7: an upgrade behind an unanswered request waits for the answer, and is decided on its own", async () => {
  const before = mark(bed());
  const upgrade = write("/ws", {
    close: false,
    fields: ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
  });
  const responses = await visit(bed(), open("/one") + upgrade + write("/smuggled"));
  // The origin of this test does not switch: an ordinary answer, after which nothing more of the connection is read.
  expect(responses.map(({ status }) => status)).toEqual([200, 200]);
  expect(
    bed()
      .opened.slice(before.opened)
      .map(({ path }) => path),
  ).toEqual(["/one", "/ws"]);
});

test("R-D7: a body that was refused is not read as the next request", async () => {
  const before = mark(bed());
  const inner = write("/smuggled");
  const responses = await visit(bed(), write("/admin", { method: "POST", fields: [`Content-Length: ${inner.length}`], body: inner }));
  expect(responses.map(({ status }) => status)).toEqual([401]);
  await expectSilence(bed(), before);
});
