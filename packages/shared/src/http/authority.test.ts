import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalHostname, formatAuthority, pickAuthority, readAuthority, type AuthorityResult } from "./authority.ts";

const HTTPS = { scheme: "https" } as const;

function short(result: AuthorityResult): string {
  return result.ok ? `${result.hostname} ${result.port}` : result.code;
}

test.each([
  ["example.com", "example.com 443"],
  ["EXAMPLE.com.", "example.com 443"],
  ["Example.com:443", "example.com 443"],
  ["example.com:8443", "example.com 8443"],
  ["localhost", "localhost 443"],
  ["xn--bcher-kva.de", "xn--bcher-kva.de 443"],
  ["a-b.c--d.e1", "a-b.c--d.e1 443"],
  ["example.com:65535", "example.com 65535"],
  ["1password.com", "1password.com 443"],
  [`${"a".repeat(63)}.com`, `${"a".repeat(63)}.com 443`],
])("R-B3: %s is canonically %s", (raw, expected) => expect(short(readAuthority(raw, HTTPS))).toBe(expected));

test.each([
  "user@a",
  "a/b",
  "a, b",
  "a,b",
  "a#b",
  "a\\b",
  "a b",
  " a",
  "a\t",
  "a%2eb",
  "%61",
  "a_b.com",
  "-a.com",
  "a-.com",
  "a..b",
  ".a",
  ".",
  "a..",
  "*.example.com",
  "b\u00fccher.de",
  "\u00c3\u00a9.de",
  "a\u0000",
  "a?b",
  "[::1]",
  "[::1]:443",
  "127.0.0.1",
  "127.1",
  "0x7f.1",
  "2130706433",
  "1.2.3.4.",
  "a.1",
  "a.0x1f",
])("R-B2: the host %j is refused", (raw) => expect(short(readAuthority(raw, HTTPS))).toBe("ERR_AUTHORITY_HOSTNAME"));

test("R-B2: names end at 253 characters, the trailing dot aside, and labels at 63", () => {
  const longest = `${"a.".repeat(126)}a`;
  expect(short(readAuthority(longest, HTTPS))).toBe(`${longest} 443`);
  expect(short(readAuthority(`${longest}.:65535`, HTTPS))).toBe(`${longest} 65535`);
  for (const raw of [`${longest}a`, `${"a".repeat(64)}.com`, "a".repeat(10_000)])
    expect(short(readAuthority(raw, HTTPS))).toBe("ERR_AUTHORITY_HOSTNAME");
});

test("R-B2: user information with a colon is refused", () => expect(readAuthority("u:p@a", HTTPS).ok).toBe(false));

test.each(["a:", "a:0", "a:99999", "a:65536", "a:0443", "a:+1", "a: 1", "a:1 ", "a:1:2", "a:x", "a:-1", "a:1e2"])(
  "R-B2: the port of %j is refused",
  (raw) => expect(short(readAuthority(raw, HTTPS))).toBe("ERR_AUTHORITY_PORT"),
);

test("R-B2: an empty host is missing", () => expect(short(readAuthority("", HTTPS))).toBe("ERR_AUTHORITY_MISSING"));

test("R-B2: underscore and address literals pass by option only, address literals in canonical form", () => {
  expect(short(readAuthority("a_b.com", { ...HTTPS, allowUnderscore: true }))).toBe("a_b.com 443");
  const ip = { ...HTTPS, allowIp: true };
  expect(short(readAuthority("127.0.0.1:8443", ip))).toBe("127.0.0.1 8443");
  expect(short(readAuthority("[0:0::1]:8443", ip))).toBe("[::1] 8443");
  expect(short(readAuthority("[2001:DB8::0:1]", ip))).toBe("[2001:db8::1] 443");
  for (const raw of ["127.1", "010.0.0.1", "[::1", "[::1]x", "[fe80::1%25eth0]", "[fe80::1%eth0]", "::1", "[1.2.3.4]", "0x7f.1"]) {
    expect(short(readAuthority(raw, ip))).toMatch(/^ERR_AUTHORITY_/);
  }
});

test("R-B3: the default port is the scheme's, and left out when written", () => {
  expect(short(readAuthority("a", { scheme: "http" }))).toBe("a 80");
  expect(formatAuthority("a", 443, "https")).toBe("a");
  expect(formatAuthority("a", 443, "http")).toBe("a:443");
  expect(formatAuthority("[::1]", 8443, "https")).toBe("[::1]:8443");
});

test.each([
  ["B\u00dcCHER.de", "xn--bcher-kva.de"],
  ["fa\u00df.de", "xn--fa-hia.de"],
  ["a\u3002de", "a.de"],
  ["Example.COM.", "example.com"],
  ["\uff11\uff12\uff17.1", undefined],
  ["\u00e9%2ecom", undefined],
  ["\u00e9/x", undefined],
  ["\u00e9:80", undefined],
  ["b\u00fc_x.de", undefined],
  ["127.0.0.1", undefined],
  ["", undefined],
])("R-B3: the configured hostname %j becomes %j", (text, expected) => expect(canonicalHostname(text)).toBe(expected));

test("R-B3: digits beyond ASCII never become an address, not even where addresses are accepted", () => {
  expect(canonicalHostname("\uff11\uff12\uff17.1", { allowIp: true })).toBeUndefined();
  expect(canonicalHostname("127.0.0.1", { allowIp: true })).toBe("127.0.0.1");
});

describe("R-B1: exactly one authority", () => {
  const h1 = (fields: string[], target?: { scheme: "http" | "https"; authority: string }): string =>
    short(pickAuthority({ httpVersion: "1.1", authority: undefined, fields, target }, HTTPS));
  const h2 = (authority: string | undefined, fields: string[]): string =>
    short(pickAuthority({ httpVersion: "2.0", authority, fields }, HTTPS));

  test("on HTTP/1", () => {
    expect(h1(["Host", "a"])).toBe("a 443");
    expect(h1([])).toBe("ERR_AUTHORITY_MISSING");
    expect(h1(["Host", ""])).toBe("ERR_AUTHORITY_MISSING");
    expect(h1(["Host", "a", "hOST", "a"])).toBe("ERR_AUTHORITY_SEVERAL");
    expect(h1(["Host", "", "Host", "a"])).toBe("ERR_AUTHORITY_SEVERAL");
    expect(short(pickAuthority({ httpVersion: "1.0", authority: undefined, fields: [] }, HTTPS))).toBe("ERR_AUTHORITY_MISSING");
  });

  test("on HTTP/2", () => {
    expect(h2("a", [])).toBe("a 443");
    expect(h2("a", ["host", "A.:443"])).toBe("a 443");
    expect(h2("a", ["host", "b"])).toBe("ERR_AUTHORITY_MISMATCH");
    expect(h2("a", ["host", "u@a"])).toBe("ERR_AUTHORITY_MISMATCH");
    expect(h2("a", ["host", "a", "host", "a"])).toBe("ERR_AUTHORITY_SEVERAL");
    expect(h2(undefined, ["host", "a"])).toBe("a 443");
    expect(h2(undefined, [])).toBe("ERR_AUTHORITY_MISSING");
    expect(h2("u@a", [])).toBe("ERR_AUTHORITY_HOSTNAME");
  });

  test("R-A11: the authority of an absolute-form target equals Host canonically, port and scheme included", () => {
    expect(h1(["Host", "a"], { scheme: "https", authority: "A.:443" })).toBe("a 443");
    expect(h1(["Host", "a"], { scheme: "https", authority: "b" })).toBe("ERR_AUTHORITY_MISMATCH");
    expect(h1(["Host", "a"], { scheme: "http", authority: "a" })).toBe("ERR_AUTHORITY_MISMATCH");
    expect(h1(["Host", "a"], { scheme: "https", authority: "a\\..\\b" })).toBe("ERR_AUTHORITY_MISMATCH");
  });
});

test("R-B3: what is read is canonical: reading it again changes nothing; no bytes throw", () => {
  const unit = fc.constantFrom(..."aAzZ09.-_:[]@%/ é\u0000".split(""));
  const property = fc.property(fc.string({ unit, maxLength: 20 }), (raw) => {
    const read = readAuthority(raw, { ...HTTPS, allowIp: true, allowUnderscore: true });
    if (read.ok)
      expect(readAuthority(formatAuthority(read.hostname, read.port, "https"), { ...HTTPS, allowIp: true, allowUnderscore: true })).toEqual(
        read,
      );
  });
  fc.assert(property, { numRuns: 3000 });
});
