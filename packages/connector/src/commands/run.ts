// `sallyport run`: serves what connector.yaml names until a signal ends it; reloads on SIGHUP and when a file changes.

import { renderProblem } from "../config/problem.ts";
import { FileWatch } from "../config/watch.ts";
import { loadConfig } from "../config/load.ts";
import { type Connector, createConnector } from "../connector.ts";
import { createLogger, errorFields, type Logger, type LogLevel } from "../observe/logger.ts";
import { SOFTWARE } from "../version.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { serve } from "./serve.ts";
import { credentialOrExplain, loadOrExplain } from "./setup.ts";

export interface RunOptions {
  readonly config: string;
  readonly credential?: string;
  readonly graceMs: number;
  readonly logLevel: LogLevel;
}

export async function run(options: RunOptions, io: Io, logger: Logger = createLogger(options.logLevel)): Promise<ExitCode> {
  const loaded = loadOrExplain(options.config, false, io);
  const found = loaded === undefined ? undefined : credentialOrExplain(options.credential, loaded.config, io);
  if (loaded === undefined || found === undefined) return ExitCode.USAGE;
  for (const warning of loaded.warnings) io.err(renderProblem(warning));
  const connector = createConnector({
    config: loaded.config,
    credential: found.credential,
    gate: found.gate,
    software: SOFTWARE,
    environment: io.environment,
    logger,
    clock: io.clock,
  });
  const stopReloading = reloading(connector, options.config, loaded.files, logger, io);
  try {
    return await serve(connector, { graceMs: options.graceMs, logger }, io);
  } finally {
    stopReloading();
  }
}

// A file that cannot be used leaves what runs alone and says why.
function reloading(connector: Connector, file: string, files: readonly string[], logger: Logger, io: Io): () => void {
  const reload = (): void => {
    const result = loadConfig(file, io.environment);
    watch.watch(result.files);
    if (result.kind === "refused") {
      logger.error({ problems: result.problems }, "configuration not reloaded: what ran before stays in force");
      return;
    }
    if (result.warnings.length > 0) logger.warn({ problems: result.warnings }, "configuration has warnings");
    try {
      connector.reload(result.config);
    } catch (error) {
      logger.error(errorFields(error), "configuration not reloaded: what ran before stays in force");
    }
  };
  const watch = new FileWatch(io.clock, reload);
  watch.watch(files);
  const undo = io.onSignal("SIGHUP", reload);
  return () => {
    watch.close();
    undo();
  };
}
