// `pnpm requirements`: whether every security requirement has a test that names it. `--write` also brings the table in
// docs/threat-model.md up to date.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REQUIREMENTS } from "../tests/requirements/list.ts";
import { coverage, tableIn, withTable } from "../tests/requirements/table.ts";
import { listTitles } from "../tests/requirements/titles.ts";
import { root } from "./lib/run.ts";

const document = join(root, "docs", "threat-model.md");

function main(): number {
  const { table, problems } = coverage(REQUIREMENTS, listTitles(root));
  const text = readFileSync(document, "utf8");
  if (process.argv.includes("--write")) writeFileSync(document, withTable(text, table));
  else if (tableIn(text) !== table) problems.push("docs/threat-model.md is out of date: pnpm requirements --write");
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  if (problems.length === 0) process.stdout.write(`${REQUIREMENTS.length} requirements, each with its tests\n`);
  return problems.length === 0 ? 0 : 1;
}

process.exitCode = main();
