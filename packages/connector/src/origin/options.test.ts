import { describe, expect, test } from "vitest";

import { formatOrigin, headerEditProblem, parseOriginUrl, prefixProblem } from "./options.ts";

describe("parseOriginUrl", () => {
  const http = { kind: "http", secure: false, http2: false, host: "127.0.0.1", port: 3000 };
  test.each([
    ["3000", http],
    ["http://127.0.0.1:3000", http],
    ["http://127.0.0.1:3000/", http],
    ["HTTP://127.0.0.1:3000", http],
    ["http://wiki.internal", { ...http, host: "wiki.internal", port: 80 }],
    ["https://wiki.internal", { ...http, secure: true, host: "wiki.internal", port: 443 }],
    ["https://wiki.internal:80", { ...http, secure: true, host: "wiki.internal", port: 80 }],
    ["http://[::1]:3000", { ...http, host: "::1" }],
    ["h2c://127.0.0.1:50051", { ...http, http2: true, port: 50051 }],
    ["unix:/run/wiki.sock", { kind: "unix", http2: false, path: "/run/wiki.sock" }],
    ["unix:///run/wiki.sock", { kind: "unix", http2: false, path: "/run/wiki.sock" }],
    ["tcp://127.0.0.1:22", { kind: "tcp", host: "127.0.0.1", port: 22 }],
    ["tcp://[fe80::1]:80", { kind: "tcp", host: "fe80::1", port: 80 }],
    ["status:404", { kind: "status", status: 404 }],
    ["hello", { kind: "hello" }],
  ])("%s", (text, address) => {
    expect(parseOriginUrl(text)).toEqual({ ok: true, address });
  });

  test.each(["http://127.0.0.1:3000", "https://wiki.internal:443", "unix:/run/x.sock", "3000"])("%s takes the http2 flag", (text) => {
    expect(parseOriginUrl(text, true)).toMatchObject({ ok: true, address: { http2: true } });
  });

  test.each([
    ["0", "65535"],
    ["65536", "65535"],
    ["http://127.0.0.1:0", "port 0"],
    ["http://127.0.0.1:65536", "not a valid URL"],
    ["127.0.0.1:3000", "http://host:port"],
    ["ftp://host", "http://host:port"],
    ["file:///etc/passwd", "http://host:port"],
    ["http://", "not a valid URL"],
    ["http://user:secret@host", "setRequestHeaders"],
    ["http://host/base", "addPrefix"],
    ["http://host?x", "addPrefix"],
    ["http://host#x", "addPrefix"],
    ["unix:relative.sock", "absolute"],
    ["unix://host/run.sock", "absolute"],
    [`unix:/${"a".repeat(107)}`, "107 bytes"],
    ["tcp://127.0.0.1", "port"],
    ["status:199", "200 to 599"],
    ["status:600", "200 to 599"],
    ["status:abc", "200 to 599"],
    ["", "http://host:port"],
    ["hello ", "http://host:port"],
  ])("%j is refused, and the problem says what to write", (text, advice) => {
    expect(parseOriginUrl(text)).toEqual({ ok: false, problem: expect.stringContaining(advice) });
  });

  test("a password never stands in the problem", () => {
    expect(JSON.stringify(parseOriginUrl("http://user:s3cret@host"))).not.toContain("s3cret");
  });

  test.each([
    "http://127.0.0.1:3000",
    "https://wiki.internal:443",
    "http://[::1]:80",
    "h2c://h:1",
    "unix:/run/x.sock",
    "tcp://h:22",
    "status:404",
    "hello",
  ])("formatOrigin writes %s back", (text) => {
    const parsed = parseOriginUrl(text);
    expect(parsed.ok && formatOrigin(parsed.address)).toBe(text);
  });
});

describe("headerEditProblem", () => {
  test.each([["X-From"], ["Authorization", "Basic abc"], ["x-empty", ""], ["X-Latin", "M\xfcller"]])(
    "%s is fine",
    (name, value?: string) => {
      expect(headerEditProblem(name, value)).toBeUndefined();
    },
  );

  test.each([
    ["Host", "x", "hostHeader"],
    ["Content-Length", "1", "itself"],
    ["TRANSFER-ENCODING", "chunked", "itself"],
    ["Connection", "close", "itself"],
    ["Sallyport-Jwt-Assertion", "x", "reserved"],
    ["X A", "1", "not a header name"],
    ["", "1", "not a header name"],
    ["X-A", "a\r\nX-B: b", "control character"],
    ["X-A", " padded", "space around"],
    ["X-A", "\u20ac", "latin1"],
  ])("%j: %j is refused", (name, value, advice) => {
    expect(headerEditProblem(name, value)).toContain(advice);
  });
});

test.each(["/app", "/app/v2", "/a%20b", "/app/"])("prefix %s is fine", (prefix) => {
  expect(prefixProblem(prefix)).toBeUndefined();
});

test.each(["app", "", "/a/../b", "/a//b", "/a?x", "/a#x", "/%2e%2e/b", "/a\\b"])("prefix %j is refused", (prefix) => {
  expect(prefixProblem(prefix)).toContain("looks like");
});
