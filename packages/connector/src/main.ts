#!/usr/bin/env node
// Entry point of the `sallyport` program: argv in, exit code out.

import { cli } from "./commands/cli.ts";
import { processIo } from "./commands/io.ts";

// A reader that has seen enough (`| head`) is no fault: ended like any program by SIGPIPE.
const BROKEN_PIPE = 141;
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(BROKEN_PIPE);
  });
}

process.exitCode = await cli(process.argv.slice(2), processIo);
