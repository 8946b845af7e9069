// R-L9: input that has ended processes elsewhere. Each is sent, whatever it is answered; afterwards the same relay and the
// same connector serve a visitor, and neither has reported a fault.

import { randomBytes } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { within } from "../harness/scratch.ts";
import { AUTH_HOST, useBed } from "./support/bed.ts";
import { expectForwarded, http2Ask, pseudo, visit } from "./support/visit.ts";
import { write } from "./support/wire.ts";

// Late heads are cut soon, so that silence is not what the test waits for.
const bed = useBed({ relay: { limits: { headerTimeout: "2s" } } });
const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);

beforeEach(() => {
  process.on("uncaughtExceptionMonitor", note);
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  await expectForwarded(bed(), write("/visitor"));
  process.off("uncaughtExceptionMonitor", note);
  process.off("unhandledRejection", note);
  expect(unhandled.splice(0)).toEqual([]);
  expect(
    bed()
      .logLines.splice(0)
      .filter(({ level }) => level === "error" || level === "fatal"),
  ).toEqual([]);
});

const WEBSOCKET = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
];

describe("R-L9: fields", () => {
  test.each([
    "__proto__: x",
    "constructor: x",
    "toString: x",
    "hasOwnProperty: x",
    "Cookie: __proto__=x; constructor=y",
    "Cookie: =; ;;; =x; a",
    "Cookie: __Host-Sallyport_Authorization=%ud800%udfff",
    "Cookie: __Host-Sallyport_Authorization=\xed\xa0\x80",
    "Cookie: __Host-Sallyport_Session=__proto__",
    "Authorization: Bearer",
    "Authorization: Bearer .",
    "Authorization: Bearer ..",
    "Authorization: Bearer eyJhbGciOiJFUzI1NiJ9..",
    "Authorization: Basic \xff\xfe",
    "Sallyport-Access-Token: \xed\xa0\x80.\xed\xa0\x80.\xed\xa0\x80",
    'X-Token: {"__proto__":1}',
    `X-Token: ${"[".repeat(900)}`,
    `X-Token: ${'{"a":'.repeat(150)}`,
    "Range: bytes=0-,0-,0-,0-,0-,0-",
    "Accept: ,,,;q=,;q=x",
    "Origin: \xff://\xff",
    'Forwarded: for="["',
    "X-Forwarded-For: ,,,%,::::",
    "Destination: http://[::/",
    "If-Modified-Since: \xff",
    "Sec-Fetch-Mode: __proto__",
  ])("%j", async (field) => {
    for (const host of ["app.example.test", AUTH_HOST, "json.example.test"])
      for (const target of ["/x", "/admin/x", "/.sallyport/identity", "/login?to=x", "/callback/corp?state=x"]) {
        await visit(bed(), write(target, { host, fields: [field] }));
        await visit(bed(), write(target, { host, method: "COPY", fields: [field] }));
      }
  });
});

describe("R-L9: targets and queries", () => {
  test.each([
    "/callback/__proto__",
    "/callback/constructor?code=x&state=x",
    "/.sallyport/callback?code=%ud800",
    "/.sallyport/callback?code=%ED%A0%80&state=%00",
    "/login?to=%ED%A0%80",
    "/login?to=__proto__&to=x",
    "/logout?to=%%%",
    "/.sallyport/logout?__proto__[x]=1",
    "/.well-known/__proto__",
    "/.sallyport/assets/../../..",
    "/.sallyport/assets/__proto__",
    "/.sallyport/backchannel-logout/constructor",
    "/.sallyport/cli/authorize?redirect_uri=http://[::1&state=x",
  ])("%s", async (target) => {
    for (const host of ["app.example.test", AUTH_HOST]) {
      await visit(bed(), write(target, { host }));
      const body = "__proto__=x&%=%&\xed\xa0\x80=\xff";
      const fields = ["Content-Type: application/x-www-form-urlencoded", `Content-Length: ${body.length}`];
      await visit(bed(), write(target, { host, method: "POST", fields, body }));
    }
  });
});

describe("R-L9: upgrades", () => {
  test.each([
    "Sec-WebSocket-Extensions: constructor",
    "Sec-WebSocket-Extensions: __proto__; __proto__=1",
    'Sec-WebSocket-Extensions: a; b="\\',
    "Sec-WebSocket-Protocol: constructor, __proto__",
    "Sec-WebSocket-Protocol: sallyport.v1, sallyport.v1",
    "Sec-WebSocket-Protocol: ,",
  ])("%s", async (field) => {
    for (const [host, target] of [
      ["app.example.test", "/x"],
      [AUTH_HOST, "/.sallyport/tunnel"],
      ["app.example.test", "/.sallyport/tcp"],
    ] as const) {
      using client = await RawClient.connect({ port: bed().port });
      client.send(write(target, { host, close: false, fields: [...WEBSOCKET, field] }));
      client.send(Buffer.of(0xff, 0xff, 0xff, 0xff));
      await client.until(/^HTTP\/1\.1 \d{3} /);
    }
  });

  test("to something else, on every host", async () => {
    for (const host of ["app.example.test", AUTH_HOST, "unknown.example.test"])
      for (const protocol of ["h2c", "TLS/1.0", "__proto__", "websocket, h2c"]) {
        using client = await RawClient.connect({ port: bed().port });
        client.send(write("/x", { host, fields: ["Connection: Upgrade, close", `Upgrade: ${protocol}`] }));
        client.end();
        await client.untilClosed();
      }
  });
});

describe("R-L9: what is no request", () => {
  test("nonsense and silence on plain and TLS listeners", async () => {
    const junk = [
      "",
      "\0",
      "\r\n\r\n",
      "GET",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\x16\x03\x01\xff\xff\x01",
      randomBytes(2_000).toString("latin1"),
    ];
    const send = async (bytes: string, port: number): Promise<void> => {
      const socket = connectTcp({ port, host: "127.0.0.1" });
      socket.on("error", () => {});
      socket.resume();
      socket.end(bytes, "latin1");
      // What could still become a request has the time that a head may take.
      await within(25_000, "the relay to close", new Promise<void>((resolve) => void socket.once("close", () => resolve())));
    };
    await Promise.all(junk.flatMap((bytes) => [send(bytes, bed().port), send(bytes, bed().tlsPort)]));
  });

  test("TLS handshakes with odd names and protocols", async () => {
    const names = [undefined, "", "a".repeat(250), "__proto__", "constructor", "xn--", "*.example.test", "-", "APP.EXAMPLE.TEST"];
    for (const servername of names)
      for (const ALPNProtocols of [undefined, ["http/1.1"], ["spdy/9"], ["h2", "x".repeat(255)]]) {
        const socket = connectTls({
          port: bed().tlsPort,
          host: "127.0.0.1",
          rejectUnauthorized: false,
          ...(servername === undefined ? {} : { servername }),
          ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
        });
        socket.on("error", () => {});
        socket.once("secureConnect", () => socket.destroy());
        await within(10_000, "an end", new Promise<void>((resolve) => void socket.once("close", () => resolve())));
      }
  });

  test("HTTP/2 with names and values that nobody expects", async () => {
    for (const more of [
      ["__proto__", "x"],
      ["cookie", "=", "cookie", ";"],
      ["content-length", "5"],
      ["te", "trailers"],
      ["x", "\xff"],
    ])
      await http2Ask(bed(), [...pseudo("/x"), ...more]);
    for (const path of ["*", "/%ud800", "/\\", "//", "/.sallyport/callback"]) await http2Ask(bed(), pseudo(path)).catch(() => {});
  });
});
