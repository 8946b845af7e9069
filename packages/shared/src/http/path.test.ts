// R-A1 to R-A11 at the level of the reader; the same cases run over real sockets in tests/conformance.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_READINGS, resolveDotSegments } from "./path-readings.ts";
import { isForwardablePath, MAX_TARGET_BYTES, readTarget, type TargetPath } from "./path.ts";

function read(target: string): TargetPath {
  const result = readTarget(target);
  if (result.kind !== "path") throw new Error(`${target} was read as ${JSON.stringify(result)}`);
  return result;
}

function outcome(target: string): string {
  const result = readTarget(target);
  return result.kind === "refused" ? `${result.status} ${result.code}` : result.kind;
}

const AMBIGUOUS = "403 ERR_PATH_AMBIGUOUS";
const ESCAPE = "400 ERR_REQUEST_TARGET_ESCAPE";
const CHARACTER = "400 ERR_REQUEST_TARGET_CHARACTER";
const FORM = "400 ERR_REQUEST_TARGET_FORM";

test.each(["/", "/a", "/a/b.c/", "/.well-known/x", "/...", "/a..", "/..a/b", "/a~b!$&'()*+,=:@", '/a{b}|c^"<>`'])(
  "R-A1: %s is forwarded as received and has one reading, itself",
  (target) => {
    expect(read(target)).toEqual({ kind: "path", path: target, pathname: target, query: "", readings: [target] });
  },
);

test.each([
  ["/pub/../admin", "/admin"],
  ["/pub/./x", "/pub/x"],
  ["/pub/%2e%2e/admin", "/admin"],
  ["/pub/.%2e/", "/"],
  ["/pub/%2E./", "/"],
  ["/pub/%2E", "/pub/"],
  ["/pub/..", "/"],
  ["/a/b/../c?x=/../y", "/a/c?x=/../y"],
  ["/%61/../b%20/./c", "/b%20/c"],
])("R-A2: the dot segments of %s are resolved before it is forwarded, as %s", (target, path) => {
  const result = read(target);
  expect(result.path).toBe(path);
  expect(result.readings).toHaveLength(1);
});

test.each([
  "/..",
  "/../admin",
  "/a/../../b",
  "/%2e%2e/x",
  "/a/..%2f../b",
  "//../admin",
  "/x/..%252f..%252fy",
  "/..;x/a",
  "/a\\..\\..\\b",
  "/..%5cx",
])("R-A2: %s climbs above the root in some reading and is refused", (target) => expect(outcome(target)).toBe(AMBIGUOUS));

test.each([
  ["/@scope%2Fpkg", ["/@scope%2Fpkg", "/@scope/pkg"]],
  ["/a%5Cb", ["/a%5Cb", "/a\\b", "/a/b"]],
  ["/a\\b", ["/a\\b", "/a/b"]],
  ["/proxy/https://h/x", ["/proxy/https://h/x", "/proxy/https:/h/x"]],
  ["//admin", ["//admin", "/admin"]],
  ["/a///b", ["/a///b", "/a/b"]],
  ["/admin;x", ["/admin;x", "/admin"]],
  ["/public/..;x/admin", ["/public/..;x/admin", "/admin"]],
  ["/public/..%3bx/admin", ["/public/..%3bx/admin", "/public/..;x/admin", "/admin"]],
  ["/pub/%252e%252e/admin", ["/pub/%252e%252e/admin", "/admin"]],
  ["/pub/%25%32%65%25%32%65/admin", ["/pub/%252e%252e/admin", "/admin"]],
  ["/a%252Fb", ["/a%252Fb", "/a%2Fb", "/a/b"]],
  ["/100%25", ["/100%25", "/100%"]],
])("R-A3 to R-A6: %s is forwarded byte-exact and decided for %j", (target, readings) => {
  const result = read(target);
  expect(result.path).toBe(target);
  expect([...result.readings].sort()).toEqual([...readings].sort());
  expect(result.readings[0]).toBe(readings[0]);
});

test("R-A3: a server that cuts parameters before it decodes is one of the readings (/pub;%2fx/..%2fadmin)", () => {
  expect(read("/pub;%2fx/..%2fadmin").readings).toContain("/admin");
});

test.each(["/a%00b", "/%0a", "/%0D%0A", "/%7f", "/a%2500", "/a%250d", "/a%25%30%61", "/x;%2500/b"])(
  "R-A6: %s decodes to a control character and is refused",
  (target) => expect(outcome(target)).toBe(ESCAPE),
);

test.each(["/%", "/%2", "/%zz", "/%u002e", "/a%2/b", "/%%36%31", "/%2%35"])("R-A7: the bad escape in %s is refused", (target) =>
  expect(outcome(target)).toBe(ESCAPE),
);

test.each([
  "/a#/b",
  "/a\u0000",
  "/a\tb",
  "/a\nb",
  "/a b",
  "/a\u007f",
  "/\u00e9",
  "/a?x\u0000",
  "/a?\n",
  "/a?x y",
  "/a?\u007f",
  "/a\u2215b",
])("R-A7: the raw character in %j is refused", (target) => expect(outcome(target)).toBe(CHARACTER));

test("R-A7: overlong UTF-8 decodes to its bytes, never to a slash or a dot", () => {
  expect(read("/pub/%c0%ae%c0%ae/%c0%afadmin").readings).toEqual(["/pub/\u00c0\u00ae\u00c0\u00ae/\u00c0\u00afadmin"]);
});

test.each(["?", "?x=/public", "?a=%zz&b=%00", "?a#b", "?\u00e9", "?a=//../;\\"])(
  "R-A7, R-A8: the query %j is forwarded byte-exact and never read",
  (query) => {
    expect(read(`/secret${query}`)).toEqual({ kind: "path", path: `/secret${query}`, pathname: "/secret", query, readings: ["/secret"] });
  },
);

test.each([
  ["/%61dmin", "/admin"],
  ["/%41dmin", "/Admin"],
  ["/my%20file%7Bx%7D", "/my file{x}"],
  ["/caf%C3%A9", "/caf\u00c3\u00a9"],
])("R-A10: %s has the one reading %j, case kept, and is forwarded as it is", (target, reading) => {
  expect(read(target)).toMatchObject({ path: target, readings: [reading] });
});

describe("R-A11: forms of a request-target", () => {
  test("absolute-form becomes origin-form with an authority to compare", () => {
    expect(readTarget("HTTP://b:81/x/../y?z")).toEqual({ kind: "absolute", scheme: "http", authority: "b:81", origin: read("/y?z") });
    expect(readTarget("https://b")).toMatchObject({ kind: "absolute", scheme: "https", origin: { path: "/" } });
    expect(readTarget("http://b?x")).toMatchObject({ authority: "b", origin: { path: "/?x" } });
  });

  test.each(
    ["ftp://b/x", "javascript:alert(1)", "", "x", "b:443", "http:/x", "http:///x", "?x", "**", "file:///etc/passwd"].filter(
      (t) => t !== "//",
    ),
  )("%j is refused", (target) => expect(outcome(target)).toBe(FORM));

  test("an absolute-form whose path is refused is refused", () => expect(outcome("http://b/%zz")).toBe(ESCAPE));

  test("the asterisk is its own kind", () => expect(outcome("*")).toBe("asterisk"));

  test("8192 bytes pass, one more is 414", () => {
    expect(outcome("/".padEnd(MAX_TARGET_BYTES, "a"))).toBe("path");
    expect(outcome("/".padEnd(MAX_TARGET_BYTES + 1, "a"))).toBe("414 ERR_REQUEST_TARGET_TOO_LONG");
  });
});

test.each(["/\\;x%5c", "/;%255c..%253b\\", "/a;%252f", "/x;y/./z%2e/..//", "%252f"])("R-A8: 8 KiB of %s end within the bounds", (unit) => {
  const result = readTarget(`/${unit.repeat(Math.floor(8190 / unit.length))}`);
  if (result.kind === "path") expect(result.readings.length).toBeLessThanOrEqual(MAX_READINGS);
  else expect(result).toMatchObject({ code: "ERR_PATH_AMBIGUOUS" });
});

test("R-A8: as many readings as a short path may have are refused for a long one, by the work they take", () => {
  const several = "/a//b\\c;d%2fe%253bf";
  expect(read(several).readings.length).toBeGreaterThan(16);
  expect(outcome(`/${"a".repeat(8000)}${several}`)).toBe(AMBIGUOUS);
});

test.each([
  ["/x", true],
  ["/x?a=\u00e9", true],
  ["//x", true],
  ["x", false],
  ["*", false],
  ["/a b", false],
  ["/a\r\nHost: b", false],
  ["/\u0100", false],
  ["", false],
])("R-D3: %j can be written into a request line: %s", (path, writable) => expect(isForwardablePath(path)).toBe(writable));

describe("properties", () => {
  const pieces = fc.constantFrom(..."/ . .. ; \\ % %2e %2f %5c %3b %25 %252e %252f %61 a admin // ? %00 %zz é".split(" "));
  const crafted = fc.array(pieces, { maxLength: 14 }).map((parts) => `/${parts.join("")}`);
  const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 60 });
  const paths = (check: (result: TargetPath, target: string) => void): void => {
    const property = fc.property(crafted, (target) => {
      const result = readTarget(target);
      if (result.kind === "path") check(result, target);
    });
    fc.assert(property, { numRuns: 3000 });
  };

  test("R-A1: reading what is forwarded again forwards the same, never with a reading that was not decided", () =>
    paths((result) => {
      const again = readTarget(result.path);
      expect(again).toMatchObject({ kind: "path", path: result.path });
      for (const reading of (again as TargetPath).readings) expect(result.readings).toContain(reading);
    }));

  test("R-A1: a path without dot segments is forwarded byte for byte", () =>
    paths((result, target) => {
      if (!/\/(?:\.|%2e){1,2}(?:[/?]|$)/i.test(target)) expect(result.path).toBe(target);
    }));

  test("R-A2: neither the forwarded path nor a reading holds a dot segment", () =>
    paths((result) => {
      for (const path of [result.pathname, ...result.readings]) {
        expect(path).toMatch(/^\//);
        expect(path.split("/").filter((segment) => /^(?:\.|%2e){1,2}$/i.test(segment))).toEqual([]);
      }
    }));

  test("R-A3: readings are distinct, bounded, and hold each combination the requirement names", () =>
    paths((result, target) => {
      expect(new Set(result.readings).size).toBe(result.readings.length);
      expect(result.readings.length).toBeLessThanOrEqual(MAX_READINGS);
      for (const expected of naiveReadings(target.split("?")[0] as string)) expect(result.readings).toContain(expected);
    }));

  test("R-A3: a path that climbs above the root in a named combination never passes", () => {
    const property = fc.property(crafted, (target) => {
      if (naiveReadings(target.split("?")[0] as string).includes(undefined)) expect(readTarget(target).kind).toBe("refused");
    });
    fc.assert(property, { numRuns: 3000 });
  });

  test("R-L9: no bytes throw", () => {
    fc.assert(
      fc.property(bytes, (target) => void readTarget(target)),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(bytes, (rest) => void readTarget(`/${rest}`)),
      { numRuns: 3000 },
    );
  });
});

/** The 24 combinations of R-A3 spelt out, undefined where one climbs above the root; [] for a path with bad escapes. */
function naiveReadings(pathname: string): (string | undefined)[] {
  if (/%(?![0-9a-f]{2})/i.test(pathname)) return [];
  const octet = (_: string, hex: string): string => String.fromCharCode(Number.parseInt(hex, 16));
  const base = pathname.replace(/%(?!2f|5c|3b|25)([0-9a-f]{2})/gi, octet);
  const decode = (text: string): string => text.replace(/%([0-9a-f]{2})/gi, octet);
  return [base, decode(base), decode(decode(base))].flatMap((decoded) =>
    Array.from({ length: 8 }, (_, options) => {
      let text = decoded;
      if ((options & 1) !== 0) text = text.replaceAll("\\", "/");
      if ((options & 2) !== 0) text = text.replace(/;[^/]*/g, "");
      if ((options & 4) !== 0) text = text.replace(/\/+/g, "/");
      return resolveDotSegments(text);
    }),
  );
}
