// R-C4: fields of one hop stay on it, in both directions, and Connection takes nothing away that security needs.

import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { ask, expectForwarded, expectRejected } from "./support/visit.ts";
import { ok } from "./support/origin.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test("R-C4: hop-by-hop fields of a request do not pass", async () => {
  const fields = [
    "Keep-Alive: timeout=5",
    "Proxy-Authorization: Basic x",
    "Proxy-Connection: keep-alive",
    "Proxy-Anything: x",
    "TE: gzip, trailers;q=0.5, deflate",
    "Trailer: X-Late",
    "HTTP2-Settings: AAMAAABkAAQAAP__",
    "Upgrade: h2c",
  ];
  const request = await expectForwarded(bed(), write("/x", { fields }));
  const names = request.fields.map(([name]) => name.toLowerCase());
  for (const name of [
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "proxy-anything",
    "trailer",
    "http2-settings",
    "upgrade",
    "transfer-encoding",
  ]) {
    expect(names).not.toContain(name);
  }
  expect(request.values("te").every((value) => value === "trailers")).toBe(true);
  expect(request.values("connection").join()).not.toMatch(/upgrade|http2-settings/i);
});

test.each([
  ["an ordinary field", "X-Private", "X-Private: secret", "secret"],
  ["it in another case", "x-pRIVATE", "X-Private: secret", "secret"],
  ["several", "close, X-Private ,x-other", "X-Private: secret", "secret"],
  ["it in a second Connection", "X-Other\r\nConnection: X-Private", "X-Private: secret", "secret"],
])("R-C4: %s that Connection names is taken out", async (_name, connection, field, value) => {
  const request = await expectForwarded(bed(), write("/x", { fields: [field, `Connection: ${connection}`] }));
  expect(request.raw).not.toContain(value);
});

const PROTECTED = [
  "Sallyport-Jwt-Assertion",
  "sallyport_jwt_assertion",
  "Sallyport-Client-Id",
  "Cookie",
  "Host",
  "Content-Length",
  "Authorization",
  "Origin",
  "Referer",
  "Content-Type",
  "X-Forwarded-For",
  "X-Real-IP",
  "Forwarded",
  "Remote-User",
  "Sec-Fetch-Site",
  "Destination",
  "X Y",
  "X(Y",
];

test.each(PROTECTED)("R-C4: Connection that names %s is rejected", async (name) => {
  const fields = [`Connection: keep-alive, ${name}`, "Cookie: a=1", ...bed().token.fields];
  await expectRejected(bed(), write("/admin", { fields, close: false }), { status: 400, code: "ERR_CONNECTION_OPTION" });
});

test.each(["Transfer-Encoding", "Upgrade", "TE", "Keep-Alive", "Proxy-Authorization"])(
  "R-C4: naming %s in Connection changes nothing: it goes anyway",
  async (name) => {
    const request = await expectForwarded(bed(), write("/x", { fields: [`Connection: ${name}`] }));
    expect(request.values("host")).toEqual(["app.example.test"]);
  },
);

describe("R-C4: responses", () => {
  test("hop-by-hop fields and what Connection names do not pass", async () => {
    bed().open.respond = () =>
      ok(
        "served",
        "Keep-Alive: timeout=4",
        "Proxy-Authenticate: Basic",
        "Upgrade: h2c",
        "Connection: keep-alive, X-Private",
        "X-Private: secret",
        "X-Public: yes",
      );
    const response = await ask(bed(), "/x");
    expect([
      response.status,
      response.value("x-public"),
      response.value("x-private"),
      response.value("upgrade"),
      response.value("proxy-authenticate"),
    ]).toEqual([200, "yes", undefined, undefined, undefined]);
    expect(response.value("keep-alive") ?? "").not.toContain("timeout=4");
  });

  test.each(["Content-Security-Policy", "Set-Cookie", "Content-Length", "Strict-Transport-Security", "Location"])(
    "Connection that names %s is an answer that is not understood",
    async (name) => {
      bed().open.respond = () => ok("served", `Connection: ${name}`, "Content-Security-Policy: default-src 'none'");
      const response = await ask(bed(), "/x");
      expect([response.status, response.value("sallyport-error")]).toEqual([502, "ERR_ORIGIN_PROTOCOL"]);
    },
  );
});
