import { describe, expect, test } from "vitest";
import type { Fields } from "./fields.ts";
import { areFieldsWellFormed, responseFieldsToForward, trailersToForward, type ResponseFieldOptions } from "./response-fields.ts";

function forward(fields: string[], options?: ResponseFieldOptions): Fields | string {
  const result = responseFieldsToForward(fields, options);
  return result.ok ? result.fields : result.code;
}

test("I5: order, spelling and duplicates are kept, HSTS and Content-Length untouched", () => {
  const fields = [
    "content-TYPE",
    "a/b",
    "Strict-Transport-Security",
    "max-age=1",
    "X-A",
    "2",
    "X-A",
    "1",
    "Content-Length",
    "3",
    "my_name",
    "x",
    "Set-Cookie",
    "a=1",
    "Set-Cookie",
    "b=2; Path=/",
  ];
  expect(forward(fields)).toEqual(fields);
});

test("R-C4: hop-by-hop fields and what Connection names are removed", () => {
  expect(
    forward([
      "Connection",
      "x-a, keep-alive",
      "Keep-Alive",
      "timeout=5",
      "Transfer-Encoding",
      "chunked",
      "X-A",
      "1",
      "Upgrade",
      "h2c",
      "Trailer",
      "x",
      "Proxy-Authenticate",
      "y",
      "B",
      "2",
    ]),
  ).toEqual(["B", "2"]);
});

test.each(["Set-Cookie", "Content-Length", "Strict-Transport-Security", "Sallyport-Error", "content_type", "a b"])(
  "R-C4: Connection: %s in a response is refused",
  (option) => expect(forward(["Connection", option])).toBe("ERR_CONNECTION_OPTION"),
);

test("R-C8: reserved response fields and cookies of an origin are dropped", () => {
  expect(forward(["Sallyport-Error", "x", "sallyport-answered-by", "relay", "Sallyport_Request_Id", "1", "A", "1"])).toEqual(["A", "1"]);
  expect(
    forward([
      "Set-Cookie",
      "__Host-Sallyport_Session=x; Secure",
      "set-cookie",
      " sallyport_login=1",
      "Set-Cookie",
      "=__Host-Sallyport_Login=1",
      "Set-Cookie",
      "a=b",
    ]),
  ).toEqual(["Set-Cookie", "a=b"]);
});

test.each([
  ["a=b; Domain=example.com; Path=/", "a=b; Path=/"],
  ["a=b;domain = .example.com", "a=b"],
  ["a=b; DOMAIN; Secure", "a=b; Secure"],
  ["a=b; Domain=x; domain=y", "a=b"],
  ["domain=b; Path=/domain", "domain=b; Path=/domain"],
  ["a=b; x-domain=1", "a=b; x-domain=1"],
])("R-C8: %s is set for its own host only; by option it passes as it is", (value, narrowed) => {
  expect(forward(["Set-Cookie", value])).toEqual(["Set-Cookie", narrowed]);
  expect(forward(["Set-Cookie", value], { cookieDomain: "keep" })).toEqual(["Set-Cookie", value]);
});

test.each(["a\r\nSet-Cookie: x=y", "a\n", "a\r", "a\u0000b"])("R-D9: the value %j is refused wherever it stands", (value) => {
  for (const name of ["X-A", "Set-Cookie", "Keep-Alive", "Sallyport-X"]) expect(forward([name, value])).toBe("ERR_FIELD_VALUE");
});

test("R-D9: a name that is no token is refused", () => {
  for (const name of ["", "a b", "a:", "X-A\r\nB"]) expect(forward([name, "x"])).toBe("ERR_FIELD_NAME");
});

describe("R-C5: trailers", () => {
  test("ordinary ones pass in order", () => {
    const trailers = ["grpc-status", "0", "grpc-message", "", "x_meta", "1", "Server-Timing", "a", "Server-Timing", "b"];
    expect(trailersToForward(trailers)).toEqual(trailers);
  });

  test.each([
    "Content-Length",
    "Transfer-Encoding",
    "Set-Cookie",
    "Host",
    "Connection",
    "TE",
    "Content-Type",
    "Sallyport-Error",
    "Authorization",
    "X-Forwarded-User",
    "Location",
    "a b",
    "",
  ])("%j is dropped", (name) => expect(trailersToForward([name, "x", "grpc-status", "0"])).toEqual(["grpc-status", "0"]));

  test("a trailer with a line break is dropped", () => expect(trailersToForward(["a", "b\r\nc"])).toEqual([]));
});

test("R-D3: one bad name or value, or a name without value, makes a list malformed", () => {
  expect(areFieldsWellFormed(["A", "b", "c", ""])).toBe(true);
  for (const fields of [["A"], ["A b", "c"], ["", "c"], ["A", "b\n"], ["A", "b", "C\u0000", "d"]])
    expect(areFieldsWellFormed(fields)).toBe(false);
});
