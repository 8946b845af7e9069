// The titles of every test in the tree, without running one: vitest parses the files statically (3 s for all of them).
// Must not know requirements.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestTitle {
  /** Project of vitest.config.ts. */
  readonly project: string;
  /** Path from the root. */
  readonly file: string;
  /** Titles of the enclosing describes and of the test, outermost first. */
  readonly path: readonly string[];
}

interface Listed {
  readonly name: string;
  readonly file: string;
  readonly projectName: string;
}

const LIST_LIMIT_MS = 120_000;

/**
 * @param root of a checkout with its packages installed
 * @throws Error with vitest's output when the list cannot be made
 */
export function listTitles(root: string): readonly TestTitle[] {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-titles-"));
  try {
    const file = join(folder, "list.json");
    const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
    const ran = spawnSync(process.execPath, [vitest, "list", `--json=${file}`], {
      cwd: root,
      // From inside a test run the outer one's variables would make this a worker of it.
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST"))),
      encoding: "utf8",
      timeout: LIST_LIMIT_MS,
    });
    if (ran.status !== 0) throw new Error(`vitest list failed:\n${ran.stdout}${ran.stderr}`);
    const listed = JSON.parse(readFileSync(file, "utf8")) as readonly Listed[];
    return listed.map(({ name, file: path, projectName }) => ({
      project: projectName,
      file: path.slice(root.length + 1),
      path: name.split(" > "),
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
