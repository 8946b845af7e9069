// R-A13: methods are compared as they are; HEAD counts as GET; Destination is decided as a second request.

import { METHODS } from "node:http";
import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import {
  expectDenied,
  expectForwarded,
  expectRejected,
  expectSilence,
  http2Ask,
  http2Session,
  mark,
  only,
  pseudo,
  visit,
} from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

const FORWARDED = METHODS.filter((method) => !["CONNECT", "TRACE", "HEAD", "COPY", "MOVE"].includes(method));

test.each(FORWARDED)("R-A13: %s is forwarded as it is", async (method) => {
  expect((await expectForwarded(bed(), write("/x", { method }))).method).toBe(method);
});

test.each(["get", "Post", "BREW", "GETX", "X-GET", "PROPFINDX"])("R-A13: %s is no method: 501", async (method) => {
  await expectRejected(bed(), write("/x", { method, close: false }), { status: 501, code: "ERR_METHOD_UNKNOWN" });
  const answer = await http2Ask(bed(), pseudo("/x", "app.example.test", method));
  expect(answer.status).toBe(501);
});

test.each(["TRACE", "TRACK"])("R-A13: %s is 405", async (method) => {
  await expectRejected(bed(), write("/x", { method, close: false }), { status: 405 });
});

describe("R-A13: where only GET is allowed", () => {
  const host = "readonly.example.test";

  test("HEAD counts as GET", async () => {
    await expectForwarded(bed(), write("/x", { host }));
    const opened = bed().opened.length;
    expect(only(await visit(bed(), write("/x", { host, method: "HEAD" }), ["HEAD"])).status).toBe(200);
    expect(bed().opened.slice(opened)).toMatchObject([{ method: "HEAD" }]);
  });

  test.each(["POST", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "SEARCH"])("%s is denied", async (method) => {
    await expectDenied(bed(), write("/x", { host, method }), { status: 403, code: "ERR_ACCESS_DENIED" });
  });
});

describe("R-A13: Destination of COPY and MOVE", () => {
  test.each(["COPY", "MOVE"])("%s within what one may reach is forwarded, Destination as it was", async (method) => {
    for (const destination of ["/b", "https://app.example.test/b%20c", "https://a.wild.example.test/b"]) {
      expect(
        (await expectForwarded(bed(), write("/a", { method, fields: [`Destination: ${destination}`] }))).values("destination"),
      ).toEqual([destination]);
    }
  });

  test.each([
    ["a path of another application", "/admin/x"],
    ["its other spelling", "/%61dmin/x"],
    ["dot segments", "/pub/../admin"],
    ["an absolute URL", "https://app.example.test/admin"],
    ["a host that needs a token", "https://basic.example.test/x"],
    ["an unknown host", "https://evil.example/x"],
    ["another port", "https://app.example.test:444/b"],
    ["the relay's own paths", "/.sallyport/x"],
  ])("to %s is denied", async (_name, destination) => {
    for (const method of ["COPY", "MOVE"])
      await expectDenied(bed(), write("/a", { method, fields: [`Destination: ${destination}`] }), { status: 403 });
  });

  test.each([
    ["is missing", []],
    ["is there twice", ["Destination: /b", "Destination: /admin"]],
    ["is empty", ["Destination:"]],
    ["has a bad escape", ["Destination: /%zz"]],
    ["has another scheme", ["Destination: file:///etc/passwd"]],
    ["is an asterisk", ["Destination: *"]],
  ])("that %s is refused", async (_name, fields) => {
    await expectDenied(bed(), write("/a", { method: "MOVE", fields }), { status: 400 });
  });

  test("that is ambiguous is refused", async () => {
    await expectDenied(bed(), write("/a", { method: "MOVE", fields: ["Destination: /x%2F..%2Fadmin"] }), { status: 403 });
  });
});

test("R-A13: extended CONNECT (RFC 8441) is not offered, and goes nowhere", async () => {
  const before = mark(bed());
  await using session = await http2Session(bed());
  expect(session.remoteSettings?.enableConnectProtocol).toBeFalsy();
  const answer = await http2Ask(bed(), [
    ":method",
    "CONNECT",
    ":protocol",
    "websocket",
    ":path",
    "/ws",
    ":scheme",
    "https",
    ":authority",
    "app.example.test",
  ]).catch(() => ({ status: undefined, reset: 1 }));
  expect(answer.status === undefined ? answer.reset !== 0 : answer.status >= 400).toBe(true);
  await expectSilence(bed(), before);
});
