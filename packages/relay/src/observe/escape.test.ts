import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CUT_MARK, MAX_FIELD_CHARS, quote } from "./escape.ts";

const HOSTILE = [
  "\r",
  "\n",
  "\u001b[2J",
  "\u2028",
  "\u2029",
  "\u202e",
  "\u2066",
  "\u0085",
  "\u009b",
  "\u0000",
  '"',
  "\\",
  "\ufeff",
  "\u{e0041}",
  "\ud800",
  "é",
  "漢",
  "😀",
];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary" })), { maxLength: 30 })
  .map((parts) => parts.join(""));

describe("a quoted field (R-M1)", () => {
  test("is read back by a JSON parser as what was written", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        fc.pre(quote(text).length < MAX_FIELD_CHARS);
        expect(JSON.parse(quote(text))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  test("never holds a line break, a control, a bidirectional override or half a surrogate pair", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(quote(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      }),
      { numRuns: 1000 },
    );
  });

  test("keeps letters of all scripts readable", () => {
    expect(quote("/größe/漢字/😀")).toBe('"/größe/漢字/😀"');
  });

  test("is cut at its limit, whatever it holds, and says so", () => {
    for (const unit of ["a", '"', "\n", "é", "😀", "\ud800"]) {
      const line = quote(unit.repeat(5_000));
      expect(line.length).toBeLessThanOrEqual(MAX_FIELD_CHARS + 2);
      expect(line.length).toBeGreaterThan(MAX_FIELD_CHARS - 10);
      const back = JSON.parse(line) as string;
      expect(back.endsWith(CUT_MARK)).toBe(true);
      expect(unit.repeat(5_000).startsWith(back.slice(0, -1))).toBe(true);
    }
    expect(quote("a".repeat(MAX_FIELD_CHARS))).toBe(`"${"a".repeat(MAX_FIELD_CHARS)}"`);
  });
});
