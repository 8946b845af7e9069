// `npm test`: every test project, one after the other, then one closing line with the sum. On a machine of CI
// (CI=true) a skipped test counts as failed: there, everything that a test needs has to be installed.
//
//   npm test                        all projects
//   npm test -- e2e                 one project
//   npm test -- e2e git             one project, only files whose path contains "git"

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, run, since } from "./lib/run.ts";

// Cheap first, so that a typing error is not found after minutes.
const PROJECTS = ["house", "unit", "conformance", "e2e", "fault"] as const;

interface Sum {
  passed: number;
  failed: number;
  skipped: number;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly name: string; readonly assertionResults: readonly unknown[] }[];
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined;
  }
}

/** A file that failed to load has no test of its own to count: it counts as one failure. */
function brokenFiles(report: Report): number {
  return report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
}

async function runProject(project: string, filters: readonly string[], folder: string): Promise<Sum> {
  const reportFile = join(folder, `${project}.json`);
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const { code } = await run(process.execPath, [vitest, "run", "--project", project, "--passWithNoTests", ...reporters, ...filters]);
  const report = readReport(reportFile);
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const sum = {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles(report),
    skipped: report.numPendingTests + report.numTodoTests,
  };
  // An unhandled error or a failed teardown makes vitest exit with 1 although each test passed.
  if (code !== 0 && sum.failed === 0) sum.failed = 1;
  return sum;
}

async function main(): Promise<number> {
  const [only, ...filters] = process.argv.slice(2);
  const projects = PROJECTS.filter((project) => only === undefined || only === project);
  if (projects.length === 0) {
    process.stderr.write(`no test project "${only}"; there are: ${PROJECTS.join(", ")}\n`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  const total: Sum = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  for (const project of projects) {
    const startedAtMs = performance.now();
    const sum = await runProject(project, filters, folder);
    total.passed += sum.passed;
    total.failed += sum.failed;
    total.skipped += sum.skipped;
    lines.push(`${project}: ${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped in ${since(startedAtMs)}`);
  }
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write(`\n${lines.join("\n")}\n`);
  const strict = process.env["CI"] === "true";
  if (strict && total.skipped > 0) process.stdout.write("CI=true: skipped tests count as failed, install what they need\n");
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed > 0 || total.passed === 0 || (strict && total.skipped > 0) ? 1 : 0;
}

process.exitCode = await main();
