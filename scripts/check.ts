// `pnpm check`: the one gate of a commit. Format, lint, types, unused code, house tests, unit tests, in this order,
// each timed; stops at the first that fails and says how to repair it. `--static` leaves the tests out, for CI,
// which runs all of them anyway.

import { join } from "node:path";
import { root, run, since } from "./lib/run.ts";

interface Step {
  readonly name: string;
  readonly remedy: string;
  readonly kind: "static" | "test";
  /** Resolves with undefined when all is well, else with what to print. */
  readonly check: () => Promise<string | undefined>;
}

// What the canary files break on purpose: a linter that no longer reports one of these has stopped to read.
const CANARY_RULES = ["import(no-cycle)", "eslint(eqeqeq)", "typescript(no-floating-promises)", "typescript(switch-exhaustiveness-check)"];

async function tool(command: string, ...args: readonly string[]): Promise<string | undefined> {
  const { code, output } = await run(command, args, { capture: true });
  return code === 0 ? undefined : output;
}

function vitest(project: string): Promise<string | undefined> {
  return tool(process.execPath, join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--project", project);
}

async function lintCanary(): Promise<string | undefined> {
  const folder = "tests/house/canary";
  const { output } = await run("oxlint", ["--type-aware", "-c", `${folder}/lint-canary.json`, "-f", "unix", folder], { capture: true });
  const missing = CANARY_RULES.filter((rule) => !output.includes(rule));
  return missing.length === 0 ? undefined : `the linter did not find what ${folder} breaks on purpose: ${missing.join(", ")}\n${output}`;
}

const STEPS: readonly Step[] = [
  { name: "format", kind: "static", remedy: "pnpm format", check: () => tool("oxfmt", "--check") },
  { name: "lint", kind: "static", remedy: "pnpm exec oxlint --type-aware", check: () => tool("oxlint", "--type-aware", "--deny-warnings") },
  { name: "lint canary", kind: "static", remedy: "look at .oxlintrc.json: the linter has gone blind", check: lintCanary },
  { name: "types", kind: "static", remedy: "pnpm build", check: () => tool("tsc", "-b") },
  { name: "unused", kind: "static", remedy: "pnpm exec knip", check: () => tool("knip", "--no-progress") },
  {
    name: "requirements",
    kind: "static",
    remedy: "pnpm requirements --write",
    check: () => tool(process.execPath, "scripts/requirements.ts"),
  },
  { name: "house", kind: "test", remedy: "pnpm exec vitest run --project house", check: () => vitest("house") },
  { name: "unit", kind: "test", remedy: "pnpm unit", check: () => vitest("unit") },
];

async function main(): Promise<number> {
  const staticOnly = process.argv.includes("--static");
  for (const { name, remedy, check, kind } of STEPS) {
    if (staticOnly && kind === "test") continue;
    const startedAtMs = performance.now();
    const complaint = await check();
    process.stdout.write(`${complaint === undefined ? "ok  " : "FAIL"} ${name.padEnd(12)} ${since(startedAtMs)}\n`);
    if (complaint === undefined) continue;
    process.stdout.write(`${complaint.trimEnd()}\n\n${name} failed; to see it alone or to repair it: ${remedy}\n`);
    return 1;
  }
  return 0;
}

process.exitCode = await main();
