import { expect, test } from "vitest";
import { isFieldValue, isToken, trimOws } from "./grammar.ts";

const everyOctet = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

test("R-C2, R-D3: a token is made of the 77 characters of RFC 9110 and nothing else", () => {
  expect(everyOctet.filter(isToken)).toHaveLength(77);
  for (const name of ["X-A", "__proto__", "constructor", "a.b", "!#$%&'*+-.^_`|~"]) expect(isToken(name)).toBe(true);
  for (const name of ["", "a b", "a:", "a\r", "a\u0000", "é", "a(b)", "a\u0141", "Content-Length "]) expect(isToken(name)).toBe(false);
});

test("R-D3, R-D9: a value holds no control but HTAB, and no character that is no octet", () => {
  const refused = everyOctet.filter((octet) => !isFieldValue(`a${octet}b`)).map((octet) => octet.charCodeAt(0));
  expect(refused).toEqual([...Array(32).keys(), 127].filter((code) => code !== 9));
  expect(isFieldValue("")).toBe(true);
  expect(isFieldValue("a\u010ab")).toBe(false);
});

test("only SP and HTAB are optional whitespace: VT, NBSP and NUL stay", () => {
  expect(trimOws(" \ta b\t ")).toBe("a b");
  expect(trimOws("\u000b\u00a0a\u0000")).toBe("\u000b\u00a0a\u0000");
  expect(trimOws(" \t")).toBe("");
});
