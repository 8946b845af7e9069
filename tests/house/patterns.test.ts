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
const RUN_CHARACTERS = 30_000;
/** A linear pattern takes well under a millisecond; a quadratic one about a second. */
const LIMIT_MS = 200;

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
function slowOn({ source, flags }: Omit<Pattern, "file">, characters: number = RUN_CHARACTERS): string | undefined {
  const pattern = new RegExp(source, flags);
  return RUNS.find((run) => {
    const text = `${run.repeat(characters / run.length)}\0`;
    return [1, 2, 3].every(() => cpuMs(() => pattern.test(text)) > LIMIT_MS);
  });
}

/** Of this process, so that a busy machine is not taken for a slow pattern. */
function cpuMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  return process.cpuUsage(before).user / 1_000;
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

  test("that are not would be found", { timeout: 60_000 }, () => {
    expect(slowOn({ source: "[ \\t]+x?$", flags: "" })).toBe(" ");
    expect(slowOn({ source: "^[ \\t]*x", flags: "" })).toBeUndefined();
  });
});
