import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addPathPrefix, isReservedPath, matchesPrefix, normaliseApplicationPath, stripPathPrefix } from "./path-prefix.ts";
import { readTarget } from "./path.ts";

function readings(target: string): readonly string[] {
  const result = readTarget(target);
  return result.kind === "path" ? result.readings : [];
}

test.each([
  ["/", "/"],
  ["/api", "/api"],
  ["/api/", "/api"],
  ["/%61pi/v1", "/api/v1"],
  ["/café", "/caf\u00c3\u00a9"],
  ["/caf%C3%A9", "/caf\u00c3\u00a9"],
  ["/a b", "/a b"],
  ["", undefined],
  ["api", undefined],
  ["//api", undefined],
  ["/a//b", undefined],
  ["/a/../b", undefined],
  ["/a/.", undefined],
  ["/a;b", undefined],
  ["/a\\b", undefined],
  ["/a%2Fb", undefined],
  ["/a%252e", undefined],
  ["/a?b", undefined],
  ["/a#b", undefined],
  ["/a%3fb", undefined],
  ["/a%zz", undefined],
  ["/a\n", undefined],
])("R-A9: the application path %j is kept as %j", (text, normalised) => expect(normaliseApplicationPath(text)).toBe(normalised));

test.each([
  ["/api", "/api", true],
  ["/api/", "/api", true],
  ["/api/x", "/api", true],
  ["/apix", "/api", false],
  ["/api../admin", "/api", false],
  ["/API", "/api", false],
  ["/ap", "/api", false],
  ["/anything", "/", true],
])("R-A9, R-A10: %s lies within %s: %s", (pathname, prefix, matches) => expect(matchesPrefix(pathname, prefix)).toBe(matches));

test("R-A7, R-A10: an application path in letters beyond ASCII is met by its escapes, never by overlong UTF-8", () => {
  const prefix = normaliseApplicationPath("/café/admin") as string;
  expect(readings("/caf%c3%A9/%61dmin").every((reading) => matchesPrefix(reading, prefix))).toBe(true);
  expect(readings("/caf%c3%A9%c0%afadmin").some((reading) => matchesPrefix(reading, prefix))).toBe(false);
});

describe("R-H8: the reserved prefix", () => {
  test.each(["/.sallyport", "/.sallyport/", "/.sallyport/callback", "/%2esallyport/x", "/a/../.sallyport/x", "/.s%61llyport/x"])(
    "%s is Sallyport's own",
    (target) => expect(isReservedPath(readings(target))).toBe("all"),
  );
  test.each([
    "/.sallyport%2f",
    "//.sallyport/",
    "/.sallyport%252fx",
    "/.sallyport;x/",
    "/\\.sallyport/",
    "/a/..;/.sallyport/",
    "/x%2f../.sallyport/",
  ])("%s is not for an origin: its readings disagree", (target) => expect(isReservedPath(readings(target))).toBe("some"));
  test.each(["/", "/.sallyportx", "/a/.sallyport/", "/sallyport"])("%s is not reserved", (target) =>
    expect(isReservedPath(readings(target))).toBe("none"),
  );
});

describe("R-A9: prefixes in the connector", () => {
  test.each([
    ["/app/x?y=/app", "/app", "/x?y=/app"],
    ["/app", "/app", "/"],
    ["/app?q", "/app", "/?q"],
    ["/app/", "/app", "/"],
    ["/%61pp/%61%2Fb", "/app", "/%61%2Fb"],
    ["/caf%c3%a9/x", "/caf\u00c3\u00a9", "/x"],
    ["/a//b", "/", "/a//b"],
    ["/app/a//b;c", "/app", "/a//b;c"],
  ])("%s less %s is %s", (path, prefix, stripped) => expect(stripPathPrefix(path, prefix)).toEqual({ ok: true, path: stripped }));

  test.each(["/apx/x", "/appx", "/app;x/y", "/APP/x", "/ap", "/app%2fx", "/%zzpp/x"])("%s does not lie within /app: refused", (path) =>
    expect(stripPathPrefix(path, "/app")).toEqual({ ok: false, code: "ERR_PATH_PREFIX_MISSING" }),
  );

  test.each([
    "/app//x",
    "/app//evil.example/x",
    "/app/../x",
    "/app/%2e%2e/x",
    "/app/..%2fx",
    "/app/%2fx",
    "/app/\\x",
    "/app/..;/x",
    "/app/a/../b",
  ])("what is left of %s is no plain path: refused", (path) =>
    expect(stripPathPrefix(path, "/app")).toEqual({ ok: false, code: "ERR_PATH_PREFIX_RESULT" }),
  );

  test("a prefix is put in front, escaped where it must be", () => {
    expect(addPathPrefix("/x?y", "/base")).toEqual({ ok: true, path: "/base/x?y" });
    expect(addPathPrefix("/", "/caf\u00c3\u00a9 1")).toEqual({ ok: true, path: "/caf%C3%A9%201/" });
    expect(addPathPrefix("//x", "/")).toEqual({ ok: true, path: "//x" });
  });

  test.each(["/../x", "/a/./b", "x", "/..%2f..%2fx"])("%s cannot take a prefix: it would climb over it", (path) =>
    expect(addPathPrefix(path, "/base")).toEqual({ ok: false, code: "ERR_PATH_PREFIX_RESULT" }),
  );

  test("cutting off what was put in front gives the path back, and a result always starts with one slash", () => {
    const pieces = fc.constantFrom(..."/ a ; \\ %2f %5c %20 .. . ? x".split(" "));
    const property = fc.property(fc.array(pieces, { maxLength: 10 }), (parts) => {
      const read = readTarget(`/${parts.join("")}`);
      if (read.kind !== "path") return;
      const added = addPathPrefix(read.path, "/b");
      const stripped = added.ok ? stripPathPrefix(added.path, "/b") : added;
      if (stripped.ok) {
        expect(stripped.path).toBe(read.path);
        expect(stripped.path).toMatch(/^\/(?![/\\])/);
      } else expect(read.readings.some((reading) => reading.startsWith("//"))).toBe(true);
    });
    fc.assert(property, { numRuns: 2000 });
  });
});
