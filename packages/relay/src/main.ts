#!/usr/bin/env node
// Entry point of `sallyport-relay`: argv in, exit code out. Everything else is commands/.

import { unknownCommand } from "@sallyport/shared/command-line";
import { CommanderError } from "commander";
import { ExitCode } from "./commands/output.ts";
import { buildProgram, exitByThrowing } from "./commands/program.ts";

// A reader that has seen enough (`| head`) is no fault: ended like any program by SIGPIPE.
const BROKEN_PIPE = 141;
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(BROKEN_PIPE);
  });
}

try {
  const program = exitByThrowing(buildProgram());
  const unknown = unknownCommand(program, process.argv.slice(2));
  if (unknown === undefined) await program.parseAsync(process.argv);
  else {
    process.stderr.write(`${unknown}\n`);
    process.exitCode = ExitCode.usage;
  }
} catch (error) {
  process.exitCode = exitCodeFor(error);
}

/** Commander has said already what it did not understand; help and version end as errors with exit code 0. */
function exitCodeFor(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  process.stderr.write(`sallyport-relay: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return ExitCode.fault;
}
