import fc from "fast-check";
import { expect, test } from "vitest";
import { formatSize, parseSizeBytes } from "./size.ts";

test("a size is a whole number and a unit that counts in 1,024s", () => {
  expect(parseSizeBytes("512B")).toBe(512);
  expect(parseSizeBytes("16KB")).toBe(16_384);
  expect(parseSizeBytes("5GB")).toBe(5_368_709_120);
});

test.each(["", "16", "16 KB", "16kb", "1.5MB", "-1KB", "KB", "1KiB", "0x10B", "999999999TB"])("%j is refused", (text) => {
  expect(parseSizeBytes(text)).toBeUndefined();
});

test("what is written can be read back", () => {
  fc.assert(fc.property(fc.nat(2 ** 29), (bytes) => parseSizeBytes(formatSize(bytes)) === bytes));
});
