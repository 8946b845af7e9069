// R-E1 to R-E3: whatever the vectors of open redirects try, raw, encoded once or twice, Location stays on its own origin,
// and what merely looks odd but is a path of the application comes back byte for byte.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_RETURN_BYTES } from "../authn/login/intent.ts";
import { spellings, VECTORS } from "./location-test-support.ts";
import { locationOf, returnPath } from "./location.ts";

const ORIGIN = "https://good.example.com";

describe("what could leave the host becomes the root (R-E1, R-E2)", () => {
  for (const [kind, vectors] of Object.entries(VECTORS)) {
    it(kind, () => {
      for (const vector of vectors) {
        expect(returnPath(ORIGIN, vector), JSON.stringify(vector)).toBe("/");
        for (const spelling of spellings(vector)) {
          // Encoded, some vectors are plain file names: then they may stay, as long as a browser stays too.
          const url = new URL(locationOf({ origin: ORIGIN, path: spelling }));
          expect(url.origin, JSON.stringify(spelling)).toBe(ORIGIN);
          expect(url.pathname, JSON.stringify(spelling)).not.toMatch(/^\/[/\\]/);
        }
      }
    });
  }

  it("slashes and backslashes in second place are seen through two encodings", () => {
    for (const second of ["/", "\\"]) {
      const once = encodeURIComponent(second);
      expect(returnPath(ORIGIN, `/${once}evil`)).toBe("/");
      expect(returnPath(ORIGIN, `/${once.replace("%", "%25")}evil`)).toBe("/");
      expect(returnPath(ORIGIN, `/%09${once}evil`)).toBe("/");
    }
  });

  it("bytes that are not UTF-8, and paths that are too long", () => {
    expect(returnPath(ORIGIN, "/%ff%fe")).toBe("/");
    expect(returnPath(ORIGIN, "/%zz")).toBe("/");
    expect(returnPath(ORIGIN, `/${"a".repeat(MAX_RETURN_BYTES)}`)).toBe("/");
    expect(returnPath(ORIGIN, `/${"a".repeat(MAX_RETURN_BYTES - 1)}`)).toHaveLength(MAX_RETURN_BYTES);
  });
});

describe("deep links come back byte for byte (A1)", () => {
  it.each([
    "/",
    "/d/abc?orgId=1&from=now-6h&to=now&var=%7B%22a%22%3A1%7D",
    "/@scope%2fname",
    "/proxy/https://inner.example/x",
    "/a//b",
    "/search?q=//evil&next=https://evil.example/",
    "/100%25/of%20it",
    "/%C3%A4rger?x=%ff",
    "/a;v=1/b",
    "/wiki/C%23",
  ])("%s", (path) => {
    expect(locationOf({ origin: ORIGIN, path })).toBe(ORIGIN + path);
  });
});

it("no text at all makes a browser leave", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: fc.constantFrom(..."/\\.%25fFcCaAe09: \t@#?;".split("")) })),
      (text) => {
        for (const path of [text, `/${text}`]) {
          const url = new URL(locationOf({ origin: ORIGIN, path }));
          expect(url.origin).toBe(ORIGIN);
          expect(url.pathname).not.toMatch(/^\/\//);
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

it("an origin that is none stops before anything is written (R-E1)", () => {
  for (const origin of ["", "https://", "javascript:", "https://good.example.com/", "https://a@b", "https://good.example.com\r\n"]) {
    expect(() => locationOf({ origin, path: "/" })).toThrow(/origin/);
  }
});
