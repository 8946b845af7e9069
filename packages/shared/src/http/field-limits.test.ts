import { expect, test } from "vitest";
import { checkFieldLimits, REQUEST_FIELD_LIMITS } from "./field-limits.ts";

function lines(count: number, name = "a", value = "b"): string[] {
  return Array.from({ length: count }, () => [name, value]).flat();
}

test("R-L2: 100 lines pass, 101 do not; cookie crumbs count as one line", () => {
  expect(checkFieldLimits(lines(100))).toBeUndefined();
  expect(checkFieldLimits(lines(101))).toBe("ERR_FIELDS_TOO_MANY");
  expect(checkFieldLimits([...lines(99), ...lines(200, "cookie", "a=b")])).toBeUndefined();
  expect(checkFieldLimits([...lines(100), ...lines(2, "cookie", "a=b")])).toBe("ERR_FIELDS_TOO_MANY");
});

test("R-L2: 16 KiB of names, values and line ends pass, one byte more does not", () => {
  const value = "v".repeat(REQUEST_FIELD_LIMITS.maxBytes - 1 - 4);
  expect(checkFieldLimits(["a", value])).toBeUndefined();
  expect(checkFieldLimits(["a", `${value}v`])).toBe("ERR_FIELDS_TOO_LARGE");
});

test("R-H3: cookies are limited together, over all lines", () => {
  const limits = { maxFields: 10, maxBytes: 1000, maxCookieBytes: 10 };
  expect(checkFieldLimits(["Cookie", "12345", "cookie", "12345"], limits)).toBeUndefined();
  expect(checkFieldLimits(["Cookie", "12345", "cookie", "123456"], limits)).toBe("ERR_COOKIE_TOO_LARGE");
});
