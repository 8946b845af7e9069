// `sallyport-relay serve`: argv, environment, signals and faults of the process; the life itself is serve-process.ts.

import { parseDurationMs } from "@sallyport/shared/duration";
import { systemClock } from "@sallyport/shared/clock";
import { InvalidArgumentError, Option, type Command } from "commander";
import type { Logger } from "pino";
import { loadConfig } from "../config/load.ts";
import { renderProblems } from "@sallyport/shared/config/render";
import { createRelay } from "../relay.ts";
import { createLogger, LOG_LEVELS, type LogFormat, type LogLevel } from "./logger.ts";
import { configOption, ExitCode, processOutput } from "./output.ts";
import { codeOf, serve, type ServeSignal } from "./serve-process.ts";

interface ServeArguments {
  readonly config: string;
  readonly logLevel: LogLevel;
  readonly logFormat?: LogFormat;
  readonly json?: boolean;
  readonly grace: number;
}

const MAX_GRACE_MS = 3_600_000;

export function registerServeCommand(program: Command): void {
  program
    .command("serve")
    .summary("run the relay")
    .description(
      "Runs the relay in the foreground until SIGTERM or SIGINT.\nSIGHUP, or a change of the configuration or of a file it refers to, reloads; a bad file leaves the old configuration live.",
    )
    .addOption(configOption())
    .addOption(new Option("--log-level <level>", "least level that is logged").choices(LOG_LEVELS).default("info"))
    .addOption(
      new Option("--log-format <format>", "json, or text for people (default: text on a terminal, else json)").choices(["json", "text"]),
    )
    .addOption(new Option("--json", "the same as --log-format json"))
    .addOption(new Option("--grace <duration>", "time for requests under way after SIGTERM").argParser(readGrace).default(30_000, "30s"))
    .addHelpText("after", "\nExample:\n  $ sallyport-relay serve --config /etc/sallyport/relay.yaml\n")
    .action(async (args: ServeArguments) => {
      process.exitCode = await run(args);
      // Streams that were cut off by the second signal must not keep the process alive.
      process.exit();
    });
}

async function run(args: ServeArguments): Promise<number> {
  const format = args.json === true ? "json" : (args.logFormat ?? (process.stdout.isTTY ? "text" : "json"));
  const logger = createLogger({ level: args.logLevel, format });
  const output = processOutput();
  endOnFaults(logger);
  return await serve({
    graceMs: args.grace,
    clock: systemClock,
    logger,
    createRelay: (config) => createRelay({ config, logger, clock: systemClock, showOnTerminal: (line) => output.error(`${line}\n`) }),
    load: () => loadConfig({ file: args.config, env: process.env, clock: systemClock }),
    showProblems: (problems, lines) => {
      if (format === "text") output.error(`${renderProblems(problems, { color: output.color, lines })}\n`);
    },
    onSignal: listenToSignals,
  });
}

function listenToSignals(handler: (signal: ServeSignal) => void): () => void {
  const signals: readonly ServeSignal[] = ["SIGHUP", "SIGTERM", "SIGINT"];
  for (const signal of signals) process.on(signal, handler);
  return () => {
    for (const signal of signals) process.off(signal, handler);
  };
}

/** After a fault that nobody caught the state of the process is unknown: say what happened and let the supervisor start anew (R-L9). */
function endOnFaults(logger: Logger): void {
  const end = (kind: string) => (error: unknown) => {
    logger.fatal({ err: error, code: codeOf(error) ?? "ERR_RELAY_FAULT", kind }, "a fault that nobody caught ends the relay");
    process.exit(ExitCode.fault);
  };
  process.on("uncaughtException", end("exception"));
  process.on("unhandledRejection", end("rejection"));
}

function readGrace(text: string): number {
  const graceMs = parseDurationMs(text);
  if (graceMs === undefined || graceMs > MAX_GRACE_MS) throw new InvalidArgumentError("Write a duration up to 1h, such as 30s.");
  return graceMs;
}
