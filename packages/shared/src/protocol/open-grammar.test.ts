import { describe, expect, test } from "vitest";
import { StreamKind, type OpenHead } from "./head.ts";
import { openProblem } from "./open-grammar.ts";

interface Given extends Partial<OpenHead> {
  readonly end?: boolean;
}

function problem({ end = true, ...head }: Given): string | undefined {
  const open: OpenHead = {
    kind: StreamKind.HTTP,
    service: "app",
    assertion: 0,
    method: "GET",
    path: "/",
    authority: "app.example.com",
    fields: [],
    contentLength: undefined,
    ...head,
  };
  return openProblem(open, end);
}

const TCP: Given = { kind: StreamKind.TCP, method: "", path: "", end: false };

describe("what the relay opens is judged again (R-D3)", () => {
  test.each<[string, Given]>([
    ["a method that is no token", { method: "GET /x HTTP/1.1\r\n" }],
    ["an empty method", { method: "" }],
    ["CONNECT", { method: "CONNECT" }],
    ["a path without a slash", { path: "http://169.254.169.254/" }],
    ["an empty path", { path: "" }],
    ["an asterisk", { method: "OPTIONS", path: "*" }],
    ["a space in the path", { path: "/a HTTP/1.1" }],
    ["a line break in the path", { path: "/a\r\nX: y" }],
    ["NUL in the path", { path: "/a\0" }],
    ["DEL in the query", { path: "/a?\x7f" }],
    ["an authority with user information", { authority: "user@host" }],
    ["an authority with a path", { authority: "host/x" }],
    ["an authority with a line break", { authority: "host\r\nX: y" }],
    ["an empty authority", { authority: "" }],
    ["a field name with a space", { fields: ["X A", "1"] }],
    ["a field name with a colon", { fields: ["X:A", "1"] }],
    ["a field name with an octet above ASCII", { fields: ["X\u00e9", "1"] }],
    ["an empty field name", { fields: ["", "1"] }],
    ["a field value with CR LF", { fields: ["X-A", "1\r\nHost: evil"] }],
    ["a field value with NUL", { fields: ["X-A", "1\0"] }],
    ["a bad field behind good ones", { fields: ["Accept", "*/*", "X-B", "2", "X-A", "\n"] }],
    ["an odd list", { fields: ["X-A"] }],
    ["a promised body that is missing", { method: "POST", contentLength: 3 }],
    ["an upgrade with another method", { kind: StreamKind.UPGRADE, method: "POST", end: false }],
    ["an upgrade with a body", { kind: StreamKind.UPGRADE, contentLength: 3, end: false }],
    ["TCP with a method", { ...TCP, method: "GET" }],
    ["TCP with a path", { ...TCP, path: "/" }],
    ["TCP with fields", { ...TCP, fields: ["X-A", "1"] }],
    ["TCP with a length", { ...TCP, contentLength: 0 }],
    ["TCP without an authority", { ...TCP, authority: "" }],
  ])("%s is a problem", (_name, given) => {
    expect(problem(given)).toMatch(/^[a-zA-Z0-9 ']+$/);
  });

  test.each<[string, Given]>([
    ["a plain request", {}],
    ["an extension method", { method: "BASELINE-CONTROL" }],
    ["a path with escapes, a query and octets above ASCII", { path: "/a%2f;b//c?x=\u00e9#" }],
    ["an authority with a port", { authority: "app.example.com:8443" }],
    ["an IPv6 authority", { authority: "[::1]:80" }],
    ["TAB and obs-text in a value", { fields: ["X-A", "a\tb\u00ff", "X-B", ""] }],
    ["a declared body", { method: "POST", contentLength: 3, end: false }],
    ["a body of declared length zero", { method: "POST", contentLength: 0 }],
    ["a body of unknown length", { method: "POST", end: false }],
    ["an upgrade", { kind: StreamKind.UPGRADE, end: false }],
    ["TCP", TCP],
  ])("%s is none", (_name, given) => {
    expect(problem(given)).toBeUndefined();
  });
});
