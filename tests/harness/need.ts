// What a test needs from the machine. On a machine of CI a missing program is a failure; elsewhere the test is
// skipped and says what to install.

import { existsSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

// Debian keeps ip, nft and nginx where a user's PATH often does not look.
const FOLDERS = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/lib/git-core"];

/** Absolute path of a program, or undefined; an absolute path stands for itself where there is such a file or folder. */
export function findProgram(name: string): string | undefined {
  if (isAbsolute(name)) return existsSync(name) ? name : undefined;
  return FOLDERS.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

export interface TestLike {
  readonly skip: (condition: boolean, note?: string) => void;
}

/** Absolute paths of the programs, in order. Call it first in a test; `context` is vitest's test context. */
export function need(context: TestLike, ...names: readonly string[]): readonly string[] {
  const paths = names.map((name) => (name === "root" ? (process.getuid?.() === 0 ? "root" : undefined) : findProgram(name)));
  const missing = names.filter((_, index) => paths[index] === undefined);
  if (missing.length > 0) {
    if (process.env["CI"] === "true") throw new Error(`CI has to have what this test needs: ${missing.join(", ")}`);
    context.skip(true, `skipped: needs ${missing.join(", ")}`);
  }
  return paths.map((path) => path ?? "");
}
