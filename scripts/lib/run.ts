// Child processes for the scripts: one way to run a workspace tool on the pinned Node. Must not know what it runs.

import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";

/** The root of the checkout. */
export const root: string = join(import.meta.dirname, "..", "..");

export interface RunResult {
  readonly code: number;
  /** Standard output and error in order of arrival; empty when they went to the terminal. */
  readonly output: string;
}

/** Runs a command from the workspace root with the workspace's bins first in PATH. Never rejects. */
export function run(command: string, args: readonly string[], options: { readonly capture?: boolean } = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: join(root, "node_modules", ".bin") + delimiter + (process.env["PATH"] ?? "") };
    const child = spawn(command, args, { cwd: root, env, stdio: options.capture === true ? ["ignore", "pipe", "pipe"] : "inherit" });
    let output = "";
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    child.on("error", (error) => resolve({ code: 127, output: output + error.message }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Seconds since `startedAtMs` of `performance.now()`, for people. */
export function since(startedAtMs: number): string {
  return `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`;
}
