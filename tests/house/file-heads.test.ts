// Every source opens with a comment that says what it is, where it stands and what it must not know: a reader
// who lands in the middle of the tree learns the neighbourhood from the first lines.

import { describe, expect, test } from "vitest";
import { files, read } from "./tree.ts";

const SHORTEST_HEAD_CHARACTERS = 40;
/** A sign, not a limit (STYLE: never split a thought to please a number). */
const LOOK_AGAIN_LINES = 300;
const TOO_LONG_LINES = 1000;

const sources = files(
  "packages/*/src/**/*.ts",
  "tests/**/*.ts",
  "bench/**/*.ts",
  "scripts/**/*.{ts,mjs}",
  "examples/**/*.{ts,js,mjs}",
  "*.config.ts",
).filter((file) => !file.includes("/fixtures/"));

/** The comment that a file starts with, as plain text; empty when it starts with code. */
function head(source: string): string {
  const withoutShebang = source.replace(/^#!.*\n/, "");
  const line = /^(?:\/\/.*\n)+/.exec(withoutShebang)?.[0].replace(/^\/\/ ?/gm, "");
  const block = /^\/\*\*?([\s\S]*?)\*\//.exec(withoutShebang)?.[1]?.replace(/^\s*\* ?/gm, "");
  return (line ?? block ?? "").trim();
}

describe("file heads", () => {
  test("a head is recognised in both comment styles and behind a shebang", () => {
    expect(head("// one\n// two\ncode")).toBe("one\ntwo");
    expect(head("#!/usr/bin/env node\n/** one\n * two */\ncode")).toBe("one\ntwo");
    expect(head('import "x";\n// late\n')).toBe("");
  });

  test("every source has one", () => {
    // A unit test stands beside what it tests: that file's head is its own.
    const own = sources.filter((file) => !/^packages\/.*\.test\.ts$/.test(file));
    const without = own.filter((file) => head(read(file)).length < SHORTEST_HEAD_CHARACTERS);
    expect(without, "start the file with: // What it is, where on the data path, what it must not know.\n").toEqual([]);
  });

  test("no file has grown beyond what one person wants to change; long ones are named for a second look", () => {
    const sizes = sources.map((file) => ({ file, lines: read(file).split("\n").length }));
    for (const { file, lines } of sizes) if (lines > LOOK_AGAIN_LINES) process.stderr.write(`look again: ${file} has ${lines} lines\n`);
    expect(sizes.filter(({ lines }) => lines > TOO_LONG_LINES)).toEqual([]);
  });
});
