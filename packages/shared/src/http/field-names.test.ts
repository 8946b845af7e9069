import { expect, test } from "vitest";
import { classifyField, FieldClass, hasMethodOverride, normaliseFieldName } from "./field-names.ts";

test.each([
  ["User-Agent", FieldClass.PLAIN],
  ["x-custom", FieldClass.PLAIN],
  ["constructor", FieldClass.PLAIN],
  ["toString", FieldClass.PLAIN],
  ["prototype", FieldClass.PLAIN],
  ["__proto__", FieldClass.UNUSUAL],
  ["my.header", FieldClass.UNUSUAL],
  ["COOKIE", FieldClass.COOKIE],
  ["sEt-CoOkIe", FieldClass.SET_COOKIE],
  ["Transfer-Encoding", FieldClass.HOP_BY_HOP],
  ["PROXY-anything", FieldClass.HOP_BY_HOP],
  ["Content_Length", FieldClass.IMITATION],
  ["x_forwarded_user", FieldClass.IMITATION],
  ["X-Forwarded_User", FieldClass.IMITATION],
  ["REMOTE_USER", FieldClass.IMITATION],
  ["sallyport.jwt.assertion", FieldClass.IMITATION],
  ["X-Forwarded-Anything", FieldClass.CLIENT_IDENTITY],
  ["cf-access-jwt-assertion", FieldClass.CLIENT_IDENTITY],
  ["Sallyport-Client-Id", FieldClass.RESERVED],
  ["", FieldClass.INVALID],
  ["a b", FieldClass.INVALID],
  ["a:", FieldClass.INVALID],
  ["Cookie\u0000", FieldClass.INVALID],
])("R-C1, R-C2: the name %j has class %i", (name, kind) => expect(classifyField(name)).toBe(kind));

test("R-C1: spelling changes neither class nor normal form", () => {
  for (const name of [
    "Host",
    "Connection",
    "Cookie",
    "TE",
    "Authorization",
    "X-Forwarded-For",
    "Content-Length",
    "ETag",
    "HTTP2-Settings",
  ]) {
    expect(classifyField(name.toUpperCase())).toBe(classifyField(name));
    expect(classifyField(name.toLowerCase())).toBe(classifyField(name));
  }
  expect(normaliseFieldName("X_Forwarded.User")).toBe("x-forwarded-user");
});

test("R-A12: a method override is noticed in every spelling", () => {
  for (const name of ["X-HTTP-Method-Override", "x_http_method_override", "X-Method-Override", "X-HTTP-Method", "x.http.method"]) {
    expect(hasMethodOverride(["Accept", "*/*", name, "DELETE"])).toBe(true);
  }
  expect(hasMethodOverride(["X-HTTP-Methods", "a", "X-Method-Override-2", "b"])).toBe(false);
});
