// Runs once before the end-to-end and fault tests: they drive built command lines, which must not be stale.

import { join } from "node:path";
import { mustRun } from "./program.ts";

const root = join(import.meta.dirname, "..", "..");

export async function setup(): Promise<void> {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  await mustRun(process.execPath, [compiler, "-b", "packages/relay", "packages/connector"], { cwd: root, timeoutMs: 240_000 });
}
