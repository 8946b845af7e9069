// Every `sallyport` and `sallyport-relay` command in the documents is a real one, with options that it has: a
// reader who copies a line gets what the text promises, at least from the command line.

import { join } from "node:path";
import { expect, test } from "vitest";
import { command } from "../harness/program.ts";
import { files, read, root } from "../house/tree.ts";

const PROGRAMS: Readonly<Record<string, string>> = {
  sallyport: join(root, "packages", "connector", "dist", "main.js"),
  "sallyport-relay": join(root, "packages", "relay", "dist", "main.js"),
};

interface Mention {
  readonly file: string;
  readonly line: string;
  readonly program: string;
  readonly words: readonly string[];
}

const SHELL = /^(?:sh|bash|console|text)?$/;

/** Command lines in fenced blocks, continuation lines joined, prompts cut. */
function mentions(file: string): readonly Mention[] {
  // All blocks are matched, or the end of one of another language would be taken for the beginning of the next.
  const blocks = [...read(file).matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].filter(([, language = ""]) => SHELL.test(language));
  const lines = blocks.flatMap(([, , block = ""]) => block.replaceAll("\\\n", " ").split("\n"));
  return lines.flatMap((line) => {
    const found = /^\s*(?:\$ )?(sallyport(?:-relay)?)\s+(.*)$/.exec(line);
    const [, program = "", rest = ""] = found ?? [];
    return found === null ? [] : [{ file, line: line.trim(), program, words: rest.replace(/\s[#|&>].*$/, "").split(/\s+/) }];
  });
}

const all = files("README.md", "docs/**/*.md", "examples/**/*.{md,yaml}").flatMap(mentions);

/** Help of the longest subcommand that the words name: `credential create` before `credential`. */
async function helpFor({ program, words }: Mention): Promise<{ readonly code: number | null; readonly text: string }> {
  const plain = words.slice(0, words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word)) >>> 0).slice(0, 2);
  for (let count = plain.length; count > 0; count -= 1) {
    const { code, stdout, stderr } = await command(process.execPath, [PROGRAMS[program] ?? "", ...plain.slice(0, count), "--help"]);
    const text = stdout + stderr;
    // The help of a parent command would do for any word: the usage line says whose help it is.
    if (code === 0 && text.includes(`Usage: ${[program, ...plain.slice(0, count)].join(" ")} `)) return { code, text };
  }
  return { code: 2, text: "no such command" };
}

test("the documents show commands at all", () => {
  expect(all.length).toBeGreaterThan(4);
});

test.each(all.map((mention) => [mention.file, mention.line, mention] as const))("%s: %s", async (_file, _line, mention) => {
  const { code, text } = await helpFor(mention);
  expect(code, text).toBe(0);
  for (const option of mention.words.filter((word) => word.startsWith("--"))) expect(text).toContain(option.split("=")[0]);
});
