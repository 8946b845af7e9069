// The colours of the pages as data, and the arithmetic of contrast (WCAG 2.2), so that a test and the check of an operator's
// own colour measure what people see. Must not know CSS or pages.

/** `#rrggbb` in lower case. */
export type Colour = string;

export interface Palette {
  readonly ground: Colour;
  readonly sheet: Colour;
  readonly ink: Colour;
  readonly soft: Colour;
  /** Decorative borders. */
  readonly line: Colour;
  /** Borders that say where to type: 3:1 at least (WCAG 2.2, 1.4.11). */
  readonly edge: Colour;
  readonly accent: Colour;
  readonly onAccent: Colour;
  readonly stop: Colour;
  readonly stopGround: Colour;
  readonly ok: Colour;
}

export interface Palettes {
  readonly light: Palette;
  readonly dark: Palette;
}

export const PALETTES: Palettes = {
  light: {
    ground: "#f4f2ec",
    sheet: "#fffefb",
    ink: "#1b2422",
    soft: "#56625e",
    line: "#d9d6cb",
    edge: "#84897f",
    accent: "#0f5c55",
    onAccent: "#ffffff",
    stop: "#a8381b",
    stopGround: "#fbe9e3",
    ok: "#2c7a5b",
  },
  dark: {
    ground: "#111716",
    sheet: "#19211f",
    ink: "#e9eeeb",
    soft: "#a3b0ab",
    line: "#2e3a37",
    edge: "#71807b",
    accent: "#7fd1c4",
    onAccent: "#0b2320",
    stop: "#ff9d80",
    stopGround: "#3a201a",
    ok: "#74c7a0",
  },
};

/** What text needs (WCAG 2.2, 1.4.3). */
export const MIN_CONTRAST = 4.5;
const STEPS = 50;

/** 1 to 21. */
export function contrast(one: Colour, other: Colour): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/**
 * The nearest colour towards `pole` that can be read on `surface`; the colour itself where it already can.
 * @param pole black on light surfaces, white on dark ones
 */
export function readableOn(colour: Colour, surface: Colour, pole: Colour): Colour {
  for (let step = 0; step < STEPS; step++) {
    const candidate = mix(colour, pole, step / STEPS);
    if (contrast(candidate, surface) >= MIN_CONTRAST) return candidate;
  }
  return pole;
}

/** The palettes with another accent. The dark scheme gets a lighter shade of it, as far as reading needs. */
export function withAccent(accent: Colour): Palettes {
  const { light, dark } = PALETTES;
  const lifted = readableOn(accent, dark.sheet, "#ffffff");
  return { light: { ...light, accent }, dark: { ...dark, accent: lifted, onAccent: better(lifted, dark.onAccent, "#ffffff") } };
}

function better(ground: Colour, one: Colour, other: Colour): Colour {
  return contrast(one, ground) >= contrast(other, ground) ? one : other;
}

/** @param share of `other`, 0 to 1 */
export function mix(one: Colour, other: Colour, share: number): Colour {
  const to = channels(other);
  const mixed = channels(one).map((value, at) => Math.round(value + ((to[at] ?? 0) - value) * share));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** Relative luminance (WCAG 2.2). */
function luminance(colour: Colour): number {
  const [red = 0, green = 0, blue = 0] = channels(colour).map((value) => {
    const channel = value / 255;
    return channel <= 0.040_45 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function channels(colour: Colour): readonly number[] {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}
