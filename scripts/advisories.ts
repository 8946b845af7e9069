// `pnpm advisories`: asks the package registry whether anything that is installed has a known hole (`pnpm audit`). Advice, not
// a gate: without network, or with a registry that answers no such question, it says so and ends with 0. What is known and does
// not concern us stands below with the reason; anything else that is found ends with 1.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, type RunResult } from "./lib/run.ts";

/** Advisories that were looked at, by their GitHub id, and why they do not concern Sallyport. */
const EXPLAINED: ReadonlyMap<string, string> = new Map([]);

interface Advisory {
  readonly github_advisory_id?: string;
  readonly module_name?: string;
  readonly severity?: string;
  readonly title?: string;
  readonly url?: string;
}

/** undefined: the answer is none. */
function readAdvisories(output: string): readonly Advisory[] | undefined {
  try {
    const { advisories } = JSON.parse(output.slice(output.indexOf("{"))) as { readonly advisories?: Readonly<Record<string, Advisory>> };
    return advisories === undefined ? undefined : Object.values(advisories);
  } catch {
    return undefined;
  }
}

/** By the very pnpm that runs this script, else by the pinned one. */
function audit(): Promise<RunResult> {
  const { npm_execpath: running } = process.env;
  if (running?.endsWith("pnpm") === true) return run(running, ["audit", "--json"], { capture: true });
  const { config } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly config: { readonly pnpm: string } };
  return run("npx", ["--yes", `pnpm@${config.pnpm}`, "audit", "--json"], { capture: true });
}

async function main(): Promise<number> {
  const { output } = await audit();
  const advisories = readAdvisories(output);
  if (advisories === undefined) {
    const why =
      output
        .trim()
        .split("\n")
        .find((line) => /responded|ENOTFOUND|ECONN|fetch|ERR_/.test(line)) ?? "no answer";
    process.stdout.write(`the registry could not be asked (${why.trim()}): nothing is known, nothing failed\n`);
    return 0;
  }
  const open = advisories.filter(({ github_advisory_id: id }) => !EXPLAINED.has(id ?? ""));
  for (const { module_name: name, severity, title, url } of open) process.stdout.write(`${severity} in ${name}: ${title} (${url})\n`);
  process.stdout.write(`${advisories.length} advisories, ${advisories.length - open.length} of them explained\n`);
  return open.length === 0 ? 0 : 1;
}

process.exitCode = await main();
