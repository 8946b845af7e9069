#!/usr/bin/env node
// Entry point of `sallyport-relay`: argv in, exit code out. Everything else is commands/.

import { CommanderError } from "commander";
import { ExitCode } from "./commands/output.ts";
import { buildProgram, exitByThrowing } from "./commands/program.ts";

try {
  await exitByThrowing(buildProgram()).parseAsync(process.argv);
} catch (error) {
  process.exitCode = exitCodeFor(error);
}

/** Commander has said already what it did not understand; help and version end as errors with exit code 0. */
function exitCodeFor(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  process.stderr.write(`sallyport-relay: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return ExitCode.fault;
}
