// Draws every page for people into docs/screenshots: light, dark, and at phone width. Run it after a change of the pages:
//   pnpm build && node scripts/screenshots.ts [NAME ...]
// It ends with an error when a browser refuses something of a page's policy, so no picture shows a page that visitors do not get.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startBrowser } from "../tests/harness/browser.ts";
import { findProgram } from "../tests/harness/need.ts";
import { photograph, servePages, VIEWS, type View } from "../tests/harness/pages.ts";
import { root } from "./lib/run.ts";
import { smallPng } from "./lib/small-png.ts";

const FOLDER = join(root, "docs", "screenshots");
/** Pictures live in the repository for ever. */
const MAX_BYTES = 60_000;

async function main(wanted: readonly string[]): Promise<number> {
  const chromium = findProgram("chromium") ?? findProgram("google-chrome");
  if (chromium === undefined) {
    process.stderr.write("screenshots need chromium: apt-get install chromium\n");
    return 2;
  }
  await using stack = new AsyncDisposableStack();
  const server = await servePages(stack);
  const browser = await startBrowser(stack, chromium);
  await mkdir(FOLDER, { recursive: true });
  const names = wanted.length === 0 ? server.names : server.names.filter((name) => wanted.includes(name));
  const problems: string[] = [];
  for (const name of names) {
    for (const view of Object.keys(VIEWS) as View[]) {
      const { png, complaints } = await photograph(browser, `${server.origin}/${name}`, view);
      const picture = smallPng(png);
      problems.push(...complaints);
      if (picture.length > MAX_BYTES) problems.push(`${name}-${view}.png has ${picture.length} bytes, more than ${MAX_BYTES}`);
      await writeFile(join(FOLDER, `${name}-${view}.png`), picture);
    }
  }
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.stdout.write(`${names.length} pages drawn into docs/screenshots\n`);
  return problems.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
