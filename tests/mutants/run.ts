// Runs the tests of one mutant in a scratch copy, and says whether they noticed.

import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Mutant, patched } from "./mutant.ts";

export type Verdict =
  /** A test that names the requirement failed. */
  | { readonly kind: "killed"; readonly by: string }
  /** All tests passed: none of them proves the guard. */
  | { readonly kind: "survived" }
  /** No test that names the requirement ran, or its file did not load. */
  | { readonly kind: "unclear"; readonly why: string };

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** For the tests of one mutant. */
const LIMIT_MS = 180_000;

/** Switches the guard off in the copy at `root`, runs its tests, and switches it on again. */
export async function tryMutant(root: string, mutant: Mutant): Promise<Verdict> {
  const file = join(root, mutant.file);
  const source = readFileSync(file, "utf8");
  try {
    writeFileSync(file, patched(mutant, source));
  } catch (error) {
    return { kind: "unclear", why: (error as Error).message };
  }
  try {
    if (mutant.built === true) compile(root);
    return await judge(root, mutant.id, mutant.tests);
  } finally {
    writeFileSync(file, source);
    if (mutant.built === true) compile(root);
  }
}

/** Programs of a mutant that does not compile stay as they were, and it survives. */
function compile(root: string): void {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  spawnSync(process.execPath, [compiler, "-b", "packages/relay", "packages/connector"], { cwd: root });
}

/** The tests that name any of `ids` in the unchanged copy: undefined when all pass, else what does not. */
export async function tryUnchanged(root: string, ids: readonly string[], tests: readonly string[]): Promise<string | undefined> {
  const report = await vitest(root, ids, tests, { bail: false, limitMs: LIMIT_MS * tests.length });
  if (report === undefined) return "the tests did not end";
  const failed = report.testResults.flatMap(({ name, status, message, assertionResults }) => [
    ...(status === "failed" && assertionResults.every((result) => result.status !== "failed")
      ? [`${name}: ${message ?? "did not load"}`]
      : []),
    ...assertionResults.filter((result) => result.status === "failed").map(({ fullName }) => fullName),
  ]);
  return failed.length === 0 ? undefined : failed.join("\n");
}

async function judge(root: string, id: string, tests: readonly string[]): Promise<Verdict> {
  const report = await vitest(root, [id], tests, { bail: true, limitMs: LIMIT_MS });
  // Tests have limits of their own: who runs into this one is a slow machine, and that proves nothing.
  if (report === undefined) return { kind: "unclear", why: "the tests did not end in time" };
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = results.find(({ status, fullName }) => status === "failed" && namesId(id).test(fullName));
  if (failed !== undefined) return { kind: "killed", by: failed.fullName };
  const broken = report.testResults.find(({ status }) => status === "failed");
  if (broken !== undefined) return { kind: "unclear", why: `${broken.name}: ${broken.message ?? "did not load"}` };
  if (!results.some(({ status }) => status === "passed")) return { kind: "unclear", why: "no test that names it ran" };
  return { kind: "survived" };
}

function namesId(id: string): RegExp {
  return new RegExp(`${id}(?!\\d)`);
}

/** @returns undefined when it did not end in time */
async function vitest(
  root: string,
  ids: readonly string[],
  tests: readonly string[],
  { bail, limitMs }: { readonly bail: boolean; readonly limitMs: number },
): Promise<Report | undefined> {
  const output = join(root, "report.json");
  rmSync(output, { force: true });
  const args = [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--reporter=json",
    `--outputFile=${output}`,
    "-t",
    `(?:${ids.join("|")})(?!\\d)`,
    ...(bail ? ["--bail=1"] : []),
    ...tests,
  ];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "pipe"], detached: true });
  // The whole group: vitest's workers and what they started.
  const kill = (): void => void (child.pid !== undefined && child.exitCode === null && process.kill(-child.pid, "SIGKILL"));
  process.once("exit", kill);
  child.once("close", () => process.off("exit", kill));
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4_000)));
  const closed = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  const limit = AbortSignal.timeout(limitMs);
  const late = new Promise<"late">((resolve) => limit.addEventListener("abort", () => resolve("late")));
  if ((await Promise.race([closed, late])) === "late") {
    kill();
    await closed;
    return undefined;
  }
  try {
    return JSON.parse(readFileSync(output, "utf8")) as Report;
  } catch {
    throw new Error(`vitest wrote no report:\n${errors}`);
  }
}
