import { NO_FIELDS } from "@sallyport/shared/http/fields";
import { StreamKind } from "@sallyport/shared/protocol/head";
import type { OpenHead } from "@sallyport/shared/protocol/head";
import { describe, expect, test } from "vitest";

import { DEFAULT_ORIGIN_OPTIONS } from "./options.ts";
import type { OriginOptions } from "./options.ts";
import { createRequestBuilder } from "./request.ts";
import type { BuiltRequest } from "./request.ts";

interface Given extends Partial<OpenHead> {
  readonly end?: boolean;
}

function build({ end = true, ...head }: Given, options: Partial<OriginOptions> = {}): BuiltRequest {
  const open: OpenHead = {
    kind: StreamKind.HTTP,
    service: "app",
    assertion: 0,
    method: "GET",
    path: "/",
    authority: "app.example.com",
    fields: NO_FIELDS,
    contentLength: undefined,
    ...head,
  };
  return createRequestBuilder({ ...DEFAULT_ORIGIN_OPTIONS, ...options })(open, end);
}

describe("fields towards the origin", () => {
  test("hop-by-hop and framing fields of the peer are dropped; what the relay set stays even when Connection names it (R-C4)", () => {
    const fields = [
      ...["Connection", "close, Sallyport-Jwt-Assertion, Cookie", "Keep-Alive", "timeout=5", "Proxy-Authorization", "x", "Upgrade", "h2c"],
      ...[
        "HTTP2-Settings",
        "x",
        "Transfer-Encoding",
        "chunked",
        "Trailer",
        "X",
        "Host",
        "evil",
        "Content-Length",
        "5",
        "Expect",
        "100-continue",
      ],
      ...["Sallyport-Jwt-Assertion", "ey", "Cookie", "a=1", "X-Forwarded-For", "192.0.2.1"],
    ];
    expect(build({ fields })).toMatchObject({
      ok: true,
      request: { fields: ["Sallyport-Jwt-Assertion", "ey", "Cookie", "a=1", "X-Forwarded-For", "192.0.2.1"], expectContinue: false },
    });
  });

  test.each([
    ["trailers", ["TE", "trailers"]],
    ["gzip, trailers;q=0.5", []],
    ["gzip, trailers", ["TE", "trailers"]],
    ["gzip", []],
  ])("of TE: %s only trailers goes on", (value, fields) => {
    expect(build({ fields: ["TE", value] })).toMatchObject({ request: { fields } });
  });

  test("names of Object.prototype are names like others", () => {
    const fields = ["__proto__", "1", "constructor", "2", "toString", "3"];
    expect(build({ fields })).toMatchObject({ request: { fields } });
  });

  test("set wins over remove, replaces every spelling once, and adds what is missing", () => {
    const options = { setRequestHeaders: { "X-A": "new", "X-B": "added" }, removeRequestHeaders: ["x-a", "X-GONE"] };
    expect(build({ fields: ["x-a", "1", "X-Gone", "2", "X-A", "3", "X-C", "4"] }, options)).toMatchObject({
      request: { fields: ["X-A", "new", "X-C", "4", "X-B", "added"] },
    });
  });
});

describe("body framing", () => {
  test.each<[string, Given, unknown]>([
    ["GET without a body", {}, { kind: "none" }],
    ["POST without a body", { method: "POST" }, { kind: "length", bytes: 0 }],
    ["DELETE without a body", { method: "DELETE" }, { kind: "none" }],
    ["a declared length", { method: "POST", contentLength: 7, end: false }, { kind: "length", bytes: 7 }],
    ["no declared length", { method: "POST", end: false }, { kind: "unknown" }],
    ["an upgrade", { kind: StreamKind.UPGRADE, end: false }, { kind: "none" }],
  ])("%s", (_name, given, body) => {
    expect(build(given)).toMatchObject({ ok: true, request: { body } });
  });
});

describe("prefixes (R-A9)", () => {
  test.each([
    ["/app", "/"],
    ["/app?x=1", "/?x=1"],
    ["/app/", "/"],
    ["/app/x/%2f?y", "/x/%2f?y"],
  ])("%s less /app is %s", (path, stripped) => {
    expect(build({ path }, { stripPrefix: "/app" })).toMatchObject({ ok: true, request: { path: stripped } });
  });

  test.each(["/", "/apple", "/other/app", "/app//evil", "/app/../admin", "/app/%2e%2e/admin", "/app\\x"])(
    "%s does not fit /app",
    (path) => {
      expect(build({ path }, { stripPrefix: "/app" })).toMatchObject({ ok: false });
    },
  );

  test("addPrefix comes after stripPrefix", () => {
    expect(build({ path: "/app/x?y" }, { stripPrefix: "/app", addPrefix: "/v2" })).toMatchObject({ request: { path: "/v2/x?y" } });
  });
});
