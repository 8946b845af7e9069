// R-A11: forms of the request target other than a path, and methods that act on the hop itself.

import { expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { useBed } from "./support/bed.ts";
import { expectDenied, expectForwarded, expectRejected, expectSilence, http2Ask, mark, only, pseudo, visit } from "./support/visit.ts";
import { readResponses, write } from "./support/wire.ts";

const bed = useBed();

test.each([
  "https://app.example.test/x?y=1",
  "HTTPS://APP.example.test/x?y=1",
  "https://app.example.test.:443/x?y=1",
  "http://app.example.test:443/x?y=1",
])("R-A11: %s with the same authority in Host becomes /x", async (target) => {
  const request = await expectForwarded(bed(), write(target));
  expect([request.target, request.values("host")]).toEqual(["/x?y=1", ["app.example.test"]]);
});

test("R-A11: absolute form is decided by its path", async () => {
  await expectDenied(bed(), write("https://app.example.test/pub/../admin"), { status: 401 });
  expect((await expectForwarded(bed(), write("https://app.example.test"))).target).toBe("/");
});

test.each([
  ["another host", "https://other.example.test/x"],
  ["another port", "https://app.example.test:444/x"],
  ["the port of another scheme", "http://app.example.test/x"],
  ["user information", "https://user@app.example.test/x"],
  ["no host", "https:///x"],
  ["ftp", "ftp://app.example.test/x"],
  ["file", "file:///etc/passwd"],
  ["ws", "ws://app.example.test/x"],
  ["no scheme", "app.example.test/x"],
  ["no slash", "x"],
  ["a query only", "?x=1"],
  ["an asterisk with GET", "*"],
  ["a backslash", "\\x"],
])("R-A11: %s in the target is rejected", async (_name, target) => {
  await expectRejected(bed(), write(target, { close: false }), { status: 400 });
});

test("R-A11: OPTIONS * is answered by the relay", async () => {
  const before = mark(bed());
  const response = only(await visit(bed(), write("*", { method: "OPTIONS" })));
  expect([response.status, response.value("allow")]).toEqual([204, expect.stringContaining("GET")]);
  await expectSilence(bed(), before);
});

test.each([
  ["CONNECT", "app.example.test:443"],
  ["CONNECT", "127.0.0.1:22"],
  ["CONNECT", "/x"],
  ["TRACE", "/x"],
  ["TRACK", "/x"],
])("R-A11: %s %s is 405, and what follows is never read", async (method, target) => {
  const response = await expectRejected(bed(), write(target, { method, close: false, fields: ["Content-Length: 4"], body: "data" }), {
    status: 405,
    code: "ERR_METHOD_NOT_ALLOWED",
  });
  expect(response.value("allow")).not.toContain(method);
});

test("R-A11: CONNECT never becomes a tunnel: bytes sent after it meet a closed socket", async () => {
  const before = mark(bed());
  using client = await RawClient.connect({ port: bed().port });
  client.send(write("app.example.test:443", { method: "CONNECT", close: false }));
  await client.until(/^HTTP\/1\.1 405 /);
  client.send(write("/through"));
  expect(readResponses(await client.untilClosed())).toHaveLength(1);
  await expectSilence(bed(), before);
});

test.each(["CONNECT", "TRACE", "TRACK"])("R-A11: %s over HTTP/2 goes nowhere", async (method) => {
  const before = mark(bed());
  const headers =
    method === "CONNECT" ? [":method", "CONNECT", ":authority", "app.example.test:443"] : pseudo("/x", "app.example.test", method);
  const answer = await http2Ask(bed(), headers);
  expect(answer.status === 405 || (answer.status === undefined && answer.reset !== 0)).toBe(true);
  await expectSilence(bed(), before);
});

test.each(["x", "", "https://app.example.test/x", "*"])("R-A11: :path %j without a leading slash goes nowhere", async (path) => {
  const before = mark(bed());
  const answer = await http2Ask(bed(), pseudo(path)).catch(() => ({ status: undefined, reset: 1 }));
  expect(answer.status === undefined ? answer.reset !== 0 : [400, 204].includes(answer.status)).toBe(true);
  await expectSilence(bed(), before);
});

test("R-A11: a target of 8,192 bytes passes, one more is 414", async () => {
  expect((await expectForwarded(bed(), write(`/${"a".repeat(8_191)}`))).target).toHaveLength(8_192);
  await expectRejected(bed(), write(`/${"a".repeat(8_192)}`, { close: false }), { status: 414, code: "ERR_REQUEST_TARGET_TOO_LONG" });
  await expectRejected(bed(), write(`/?${"a".repeat(8_192)}`, { close: false }), { status: 414 });
});
