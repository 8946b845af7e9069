// `pnpm dependencies`: whether docs/dependencies.md is what the lock file installs, and every direct dependency says why it is
// there. `--write` brings the document up to date.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listDependencies } from "../tests/dependencies/list.ts";
import { root } from "./lib/run.ts";

const document = join(root, "docs", "dependencies.md");

function main(): number {
  const { text, problems } = listDependencies(root);
  const all = [...problems];
  if (process.argv.includes("--write")) writeFileSync(document, text);
  else if (readFileSync(document, "utf8") !== text)
    all.push("docs/dependencies.md is out of date: read what changed, then pnpm dependencies --write");
  for (const problem of all) process.stdout.write(`${problem}\n`);
  return all.length === 0 ? 0 : 1;
}

process.exitCode = main();
