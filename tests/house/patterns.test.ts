// R-L10: no text makes a pattern of the product slow. Every regular expression in the sources is run on long runs of each
// character that means something in HTTP; what takes more than its share of time is not linear.

import { describe, expect, test } from "vitest";
import { files, read } from "./tree.ts";

const LITERAL =
  /(?<=^|[=(,:!&|?[{;]\s*|return |\s)\/(?![/*])((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+)\/([dgimsuvy]*)(?=[\s,;.)\]}:]|$)/gm;
const RUNS = [
  " ",
  "\t",
  "a",
  "A",
  "0",
  "-",
  "=",
  ";",
  ",",
  ".",
  '"',
  "%",
  "\\",
  "<",
  "/",
  "_",
  "\n",
  "[",
  "(",
  "a.",
  "a-",
  "a/",
  "%2e",
  "; ",
];
const RUN_CHARACTERS = 32_000;
/** A linear pattern takes well under a millisecond; a quadratic one 100 and more. */
const SUSPICIOUS_MS = 20;
/** Four times the text costs a linear pattern four times as much, and a quadratic one sixteen times. */
const GROWTH = 8;
const TRIES = 3;

/** Patterns that no stranger's text meets, with the reason. */
const OWN_TEXT: ReadonlyMap<string, string> = new Map([
  ["packages/shared/src/config/redact.ts", "lines of the operator's own configuration, cut to the width of an excerpt"],
]);

interface Pattern {
  readonly file: string;
  readonly source: string;
  readonly flags: string;
}

function patternsOf(file: string): readonly Pattern[] {
  const code = read(file)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "");
  return [...code.matchAll(LITERAL)].flatMap(([, source = "", flags = ""]) => {
    try {
      return [{ file, source, flags: new RegExp(source, flags).flags.replace(/[gy]/g, "") }];
    } catch {
      // A division between two identifiers, or half of one.
      return [];
    }
  });
}

/** The run of characters that a pattern is slow on; undefined for a linear one. */
function slowOn({ source, flags }: Omit<Pattern, "file">): string | undefined {
  const pattern = new RegExp(source, flags);
  return RUNS.find((run) => {
    const long = fastest(pattern, run, RUN_CHARACTERS);
    return long > SUSPICIOUS_MS && long > GROWTH * fastest(pattern, run, RUN_CHARACTERS / 4);
  });
}

/** Milliseconds; the best of a few tries, since other work on the machine only ever adds. */
function fastest(pattern: RegExp, run: string, characters: number): number {
  const text = `${run.repeat(characters / run.length)}\0`;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES && best > SUSPICIOUS_MS / GROWTH; i++) {
    const startedAtMs = performance.now();
    pattern.test(text);
    best = Math.min(best, performance.now() - startedAtMs);
  }
  return best;
}

describe("R-L10: patterns", () => {
  const sources = files("packages/*/src/**/*.ts").filter((file) => !/\.test\.ts$|test-support|-suite\.ts$|\/testing\//.test(file));
  const patterns = sources.flatMap(patternsOf);

  test("are linear in what strangers send", () => {
    const slow = patterns
      .filter(({ file }) => !OWN_TEXT.has(file))
      .flatMap((pattern) => {
        const run = slowOn(pattern);
        return run === undefined ? [] : [`${pattern.file}: /${pattern.source}/ on ${JSON.stringify(run)} repeated`];
      });
    expect(slow).toEqual([]);
    expect(patterns.length).toBeGreaterThan(150);
  });

  test("that are not would be found", () => {
    expect(slowOn({ source: "[ \\t]+x?$", flags: "" })).toBe(" ");
    expect(slowOn({ source: "^[ \\t]*x", flags: "" })).toBeUndefined();
  });
});
