// What the house tests read: the files of the checkout and their imports, as text. Must not import product code.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root: string = join(import.meta.dirname, "..", "..");

const NOT_OURS = ["**/node_modules/**", "**/dist/**", ".git/**", "**/.sallyport/**", "**/coverage/**"];

/** Paths relative to the root, sorted, of what matches; nothing that is installed or built. */
export function files(...patterns: readonly string[]): readonly string[] {
  return globSync([...patterns], { cwd: root, exclude: NOT_OURS, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .toSorted();
}

export function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

export interface Import {
  readonly from: string;
  /** Erased at run time: names a shape, calls nothing. */
  readonly typeOnly: boolean;
}

const STATIC_IMPORT = /^(?:import|export)\s+(type\s)?[^;]*?\bfrom\s+["']([^"']+)["']/gms;
const BARE_IMPORT = /^import\s+["']([^"']+)["']/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*["']([^"']+)["']\s*\)/g;

/** Every import of a TypeScript source; relative ones resolved to a path from the root. */
export function imports(file: string): readonly Import[] {
  const source = read(file).replace(/^\s*\/\/.*$/gm, "");
  const found: Import[] = [];
  for (const [, type, from] of source.matchAll(STATIC_IMPORT)) found.push({ from: from ?? "", typeOnly: type !== undefined });
  for (const [, from] of source.matchAll(BARE_IMPORT)) found.push({ from: from ?? "", typeOnly: false });
  for (const [, from] of source.matchAll(DYNAMIC_IMPORT)) found.push({ from: from ?? "", typeOnly: false });
  return found.map(({ from, typeOnly }) => ({ from: from.startsWith(".") ? join(file, "..", from) : from, typeOnly }));
}
