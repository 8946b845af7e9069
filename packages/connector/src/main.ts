#!/usr/bin/env node
// Entry point of the `sallyport` program: argv in, exit code out.

import { cli } from "./commands/cli.ts";
import { processIo } from "./commands/io.ts";

process.exitCode = await cli(process.argv.slice(2), processIo);
