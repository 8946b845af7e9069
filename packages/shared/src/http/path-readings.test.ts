import { expect, test } from "vitest";
import { decodeOnce, resolveDotSegments } from "./path-readings.ts";

// RFC 3986 section 5.4, normal examples, as far as they concern paths.
test.each([
  ["/b/c/g", "/b/c/g"],
  ["/b/c/./g", "/b/c/g"],
  ["/b/c/.", "/b/c/"],
  ["/b/c/./", "/b/c/"],
  ["/b/c/..", "/b/"],
  ["/b/c/../g", "/b/g"],
  ["/b/c/../..", "/"],
  ["/b/c/../../g", "/g"],
  ["/b/c/g.", "/b/c/g."],
  ["/b/c/..g", "/b/c/..g"],
  ["/b/c/./../g", "/b/g"],
  ["/b/c/g/./h", "/b/c/g/h"],
  ["/a//../b", "/a/b"],
  ["/a//b", "/a//b"],
  ["/", "/"],
])("R-A2: dot segments of %s resolve to %s", (path, resolved) => expect(resolveDotSegments(path)).toBe(resolved));

test("R-A2: climbing above the root has no result", () => {
  expect(resolveDotSegments("/b/../../g")).toBeUndefined();
  expect(resolveDotSegments("/%2E%2e")).toBeUndefined();
});

test("R-A1: a path without dot segments comes back as it is, double slashes and trailing slash kept", () => {
  expect(resolveDotSegments("/.well-known//x/.hidden/")).toBe("/.well-known//x/.hidden/");
});

test("R-A10: single spellings are decoded, structural escapes keep their bytes", () => {
  expect(decodeOnce("/%61%7e%2f%5C%3B%25%20", "singleSpelling")).toBe("/a~%2f%5C%3B%25 ");
  expect(decodeOnce("/%2f%zz%", "all")).toBe("//%zz%");
  expect(decodeOnce("/%zz", "singleSpelling")).toBeUndefined();
  expect(decodeOnce("/%1f", "all")).toBeUndefined();
});
