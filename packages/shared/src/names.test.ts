import { describe, expect, it } from "vitest";
import { normaliseDomain, normaliseEmail, normaliseName } from "./names.ts";

describe("a name (R-N6)", () => {
  it("is brought into composed form", () => {
    expect(normaliseName("Cafe\u0301")).toBe("Caf\u00e9");
  });

  it.each(["", "a\u200bb", "a\u202eb", "a\u0000", "a\nb", "\ufeffa", "a\u3164", "a\u00adb", "a\ud800", "x".repeat(321)])(
    "%j is refused",
    (text) => {
      expect(normaliseName(text)).toBeUndefined();
    },
  );
});

describe("a mail address (R-N6)", () => {
  it.each([
    ["Ann@EXAMPLE.com", "Ann@example.com"],
    ["ann@B\u00dcCHER.example", "ann@b\u00fccher.example"],
    ["ann@localhost", "ann@localhost"],
  ])("%s is compared as %s", (text, normal) => {
    expect(normaliseEmail(text)).toBe(normal);
  });

  it.each([
    "ann",
    "@example.com",
    "ann@",
    "ann@@example.com",
    "a b@example.com",
    "ann@exa mple.com",
    "ann@.com",
    "ann@example.com.",
    "ann\u200b@example.com",
  ])("%j is refused", (text) => {
    expect(normaliseEmail(text)).toBeUndefined();
  });
});

describe("a mail domain (R-N6)", () => {
  it("is lower-cased", () => {
    expect(normaliseDomain("EXAMPLE.Com")).toBe("example.com");
  });

  it.each(["@example.com", "*.example.com", "example..com", "-x.com", "a/b"])("%s is refused", (text) => {
    expect(normaliseDomain(text)).toBeUndefined();
  });
});
