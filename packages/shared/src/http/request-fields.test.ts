import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Fields } from "./fields.ts";
import { requestFieldsToForward, type RequestFieldOptions } from "./request-fields.ts";

function forward(fields: string[], options?: RequestFieldOptions): Fields | string {
  const result = requestFieldsToForward(fields, options);
  return result.ok ? result.fields : result.code;
}

test("I5: order, spelling, duplicates and bytes of ordinary fields are kept", () => {
  const fields = [
    "aCCept",
    "a",
    "X-B",
    "2",
    "x-b",
    "1",
    "X-B",
    " \u00e9\t ",
    "constructor",
    "c",
    "toString",
    "d",
    "X-Empty",
    "",
    "Set-Cookie",
    "x",
  ];
  expect(forward(fields)).toEqual(fields);
});

test.each([
  "X-Forwarded-User",
  "x_forwarded_user",
  "X-Forwarded_User",
  "x.forwarded.for",
  "X-Forwarded-For",
  "X-Forwarded-Proto",
  "X-Forwarded-Host",
  "X-Forwarded-Uri",
  "Forwarded",
  "Remote-User",
  "REMOTE_USER",
  "remote-groups",
  "X-Real-IP",
  "True-Client-IP",
  "CF-Connecting-IP",
  "Sallyport-Jwt-Assertion",
  "SALLYPORT_JWT_ASSERTION",
  "Sallyport-Client-Id",
  "Sallyport-Client-Secret",
  "Sallyport-Access-Token",
  "Cf-Access-Jwt-Assertion",
  "CF-Access-Client-Secret",
  "cf-access-token",
  "X-Original-URL",
  "X-Rewrite-URL",
  "X-Original_URL",
])("R-C1, R-C3, R-A12: no copy of %s reaches the origin, in any case and number", (name) => {
  const fields = [name, "1", "Accept", "*/*", name.toUpperCase(), "2", name.toLowerCase(), "3"];
  expect(forward(fields)).toEqual(["Accept", "*/*"]);
  expect(forward(fields, { keepUnusualNames: true })).toEqual(["Accept", "*/*"]);
});

test("R-C1: names an application sets itself are stripped too, in every spelling", () => {
  const identityNames = new Set(["x-user", "from"]);
  expect(forward(["X-User", "1", "x_user", "2", "From", "3", "X-Users", "4"], { identityNames, keepUnusualNames: true })).toEqual([
    "X-Users",
    "4",
  ]);
  expect(forward(["Connection", "X-User"], { identityNames })).toBe("ERR_CONNECTION_OPTION");
});

test("R-C2: names with _ or ., and names that are no tokens, are dropped; by option the first are kept unless they imitate", () => {
  const fields = [
    "__proto__",
    "1",
    "my_name",
    "2",
    "my.name",
    "3",
    "a b",
    "4",
    "",
    "5",
    "é",
    "6",
    "Content_Length",
    "7",
    "Transfer.Encoding",
    "8",
  ];
  expect(forward(fields)).toEqual([]);
  expect(forward(fields, { keepUnusualNames: true })).toEqual(["__proto__", "1", "my_name", "2", "my.name", "3"]);
  expect(({} as Record<string, unknown>)["1"]).toBeUndefined();
});

test("R-C2: cookie crumbs are joined at the place of the first", () => {
  expect(forward(["cookie", "a=1", "accept", "x", "cookie", "Sallyport_X=2", "cookie", "b=3"])).toEqual([
    "cookie",
    "a=1; b=3",
    "accept",
    "x",
  ]);
});

describe("R-C4: hop-by-hop fields", () => {
  test.each([
    "Keep-Alive",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "HTTP2-Settings",
    "Host",
    "Content-Length",
    "Expect",
  ])("%s is removed", (name) => expect(forward([name, "x", "A", "1", name.toLowerCase(), "y"])).toEqual(["A", "1"]));

  test("TE is reduced to trailers, once", () => {
    expect(forward(["TE", "gzip, Trailers", "te", "trailers"])).toEqual(["TE", "trailers"]);
    expect(forward(["TE", "deflate"])).toEqual([]);
  });

  test("what Connection names is removed, before or after it, in any spelling and over several lines", () => {
    expect(
      forward(["X-A", "1", "Connection", "close, x-a", "x_a", "2", "connection", " ,X-B,, keep-alive", "X-B", "3", "X-C", "4"]),
    ).toEqual(["X-C", "4"]);
    expect(forward(["Connection", "Upgrade, HTTP2-Settings, TE, Proxy-Foo, Transfer-Encoding", "X-C", "4"])).toEqual(["X-C", "4"]);
  });

  test.each([
    "close, Sallyport-Jwt-Assertion, Cookie, Host, Content-Length",
    "Sallyport-Jwt-Assertion",
    "cookie",
    "Host",
    "Content-Length",
    "Authorization",
    "X-Forwarded-For",
    "x_forwarded_for",
    "Forwarded",
    "Remote_User",
    "Origin",
    "Sec-Fetch-Site",
    "Content-Type",
    "a b",
    "close; x",
    "é",
  ])("Connection: %s is refused", (connection) => {
    expect(forward(["Connection", connection, "A", "1"])).toBe("ERR_CONNECTION_OPTION");
    expect(forward(["Connection", "keep-alive", "A", "1", "Connection", connection])).toBe("ERR_CONNECTION_OPTION");
  });
});

test("R-C7: Authorization passes untouched unless the relay consumed it; our cookies never pass", () => {
  const fields = ["Authorization", "Basic eDp5", "Cookie", "a=1; __Host-Sallyport_Authorization=t; b=2", "Cookie", "Sallyport_Login=1"];
  expect(forward(fields)).toEqual(["Authorization", "Basic eDp5", "Cookie", "a=1; b=2"]);
  expect(forward(fields, { dropAuthorization: true })).toEqual(["Cookie", "a=1; b=2"]);
  expect(forward(["Cookie", "__Host-Sallyport_Authorization=t"])).toEqual([]);
});

test.each(["a\r\nX: y", "a\nb", "a\u0000", "a\u007f", "a\u0100"])("R-D3: the value %j is refused", (value) => {
  expect(forward(["X-A", value])).toBe("ERR_FIELD_VALUE");
  expect(forward(["Cookie", value])).toBe("ERR_FIELD_VALUE");
});

test("what is forwarded is forwarded again unchanged, and no bytes throw", () => {
  const name = fc.oneof(
    fc.constantFrom("Connection", "TE", "Cookie", "Host", "X-A", "x_a", "Via", "__proto__", "Sallyport-X"),
    fc.string({ maxLength: 6 }),
  );
  const value = fc.oneof(fc.constantFrom("x-a, close", "trailers", "Sallyport_a=1; b=2", "=", ";"), fc.string({ maxLength: 6 }));
  const property = fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), fc.boolean(), (lines, keepUnusualNames) => {
    const once = requestFieldsToForward(lines.flat(), { keepUnusualNames });
    if (once.ok) expect(requestFieldsToForward(once.fields, { keepUnusualNames })).toEqual(once);
  });
  fc.assert(property, { numRuns: 2000 });
});
