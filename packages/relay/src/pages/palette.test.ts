import { describe, expect, it } from "vitest";
import { contrast, MIN_CONTRAST, type Palette, PALETTES, readableOn, withAccent } from "./palette.ts";
import { inlineStyles, linkedStyles } from "./stylesheet.ts";

/** Every pair of colours that the stylesheet puts on each other, and what WCAG 2.2 asks of it. */
const PAIRS: readonly (readonly [keyof Palette, keyof Palette, number])[] = [
  ["ink", "sheet", 7],
  ["ink", "ground", 7],
  ["soft", "sheet", MIN_CONTRAST],
  ["soft", "ground", MIN_CONTRAST],
  ["accent", "sheet", MIN_CONTRAST],
  ["accent", "ground", MIN_CONTRAST],
  ["onAccent", "accent", MIN_CONTRAST],
  ["stop", "sheet", MIN_CONTRAST],
  ["stop", "stopGround", MIN_CONTRAST],
  ["edge", "sheet", 3],
  ["ok", "sheet", 3],
];

describe.each(["light", "dark"] as const)("in the %s scheme", (scheme) => {
  it.each(PAIRS)("%s on %s has the contrast that WCAG 2.2 asks for", (text, surface, ratio) => {
    const palette = PALETTES[scheme];
    expect(contrast(palette[text], palette[surface])).toBeGreaterThanOrEqual(ratio);
  });

  it("every colour is in both stylesheets, and no colour beside them", () => {
    for (const css of [inlineStyles(), linkedStyles()]) {
      for (const colour of Object.values(PALETTES[scheme])) expect(css).toContain(colour);
      const rules = css.split("\n").filter((line) => !line.includes(":root{"));
      expect(rules.join("").match(/#[0-9a-f]{3,8}\b/gi)).toBeNull();
    }
  });
});

describe("contrast", () => {
  it.each([
    ["#000000", "#ffffff", 21],
    ["#ffffff", "#ffffff", 1],
    // Known values of WCAG's own formula.
    ["#767676", "#ffffff", 4.54],
    ["#ff0000", "#ffffff", 4],
  ])("of %s and %s is %d", (one, other, ratio) => {
    expect(contrast(one, other)).toBeCloseTo(ratio, 2);
    expect(contrast(other, one)).toBeCloseTo(ratio, 2);
  });
});

describe("an operator's accent", () => {
  it.each(["#0f5c55", "#7a1fa2", "#000000", "#1b2422", "#b00020", "#003399"])("%s can be read in both schemes", (accent) => {
    const { light, dark } = withAccent(accent);
    expect(light.accent).toBe(accent);
    for (const palette of [light, dark]) {
      expect(contrast(palette.accent, palette.sheet)).toBeGreaterThanOrEqual(MIN_CONTRAST);
      expect(contrast(palette.onAccent, palette.accent)).toBeGreaterThanOrEqual(MIN_CONTRAST);
    }
  });

  it("that is too pale has a nearest shade that is not", () => {
    const { sheet } = PALETTES.light;
    const found = readableOn("#ffcc00", sheet, "#000000");
    expect(contrast("#ffcc00", sheet)).toBeLessThan(MIN_CONTRAST);
    expect(contrast(found, sheet)).toBeGreaterThanOrEqual(MIN_CONTRAST);
    expect(contrast(found, sheet)).toBeLessThan(5);
  });
});
