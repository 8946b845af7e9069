// `sallyport run`: serves what connector.yaml names until a signal ends it; reloads on SIGHUP and when a file changes.

import { renderProblem } from "@sallyport/shared/config/render";
import { FileWatch } from "../config/watch.ts";
import { loadConfig } from "../config/load.ts";
import type { ConnectorConfig } from "../config/types.ts";
import { type Connector, createConnector } from "../connector.ts";
import { createLogger, errorFields, type Logger, type LogLevel } from "../observe/logger.ts";
import { SOFTWARE } from "../version.ts";
import { readAuthorities } from "./authorities.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { serve } from "./serve.ts";
import { credentialOrExplain, loadOrExplain } from "./setup.ts";

export interface RunOptions {
  readonly config: string;
  readonly credential?: string;
  /** Goes before `ca` of the configuration, also after a reload. */
  readonly ca?: string;
  readonly graceMs: number;
  readonly logLevel: LogLevel;
}

export async function run(options: RunOptions, io: Io, logger: Logger = createLogger(options.logLevel)): Promise<ExitCode> {
  const loaded = loadOrExplain(options.config, false, io);
  const found = loaded === undefined ? undefined : credentialOrExplain(options.credential, loaded.config, io);
  const ca = options.ca === undefined ? undefined : readAuthorities(options.ca, io);
  if (loaded === undefined || found === undefined || ca === "unusable") return ExitCode.USAGE;
  for (const warning of loaded.warnings) io.err(renderProblem(warning, { color: io.color, lines: loaded.lines }));
  const connector = createConnector({
    config: trusting(ca, loaded.config),
    credential: found.credential,
    gate: found.gate,
    software: SOFTWARE,
    environment: io.environment,
    logger,
    clock: io.clock,
  });
  const stopReloading = reloading({ connector, file: options.config, files: loaded.files, ca, logger, io });
  try {
    return await serve(connector, { graceMs: options.graceMs, logger }, io);
  } finally {
    stopReloading();
  }
}

function trusting(ca: string | undefined, config: ConnectorConfig): ConnectorConfig {
  return ca === undefined ? config : { ...config, ca };
}

interface Reloading {
  readonly connector: Connector;
  readonly file: string;
  readonly files: readonly string[];
  readonly ca: string | undefined;
  readonly logger: Logger;
  readonly io: Io;
}

// A file that cannot be used leaves what runs alone and says why.
function reloading({ connector, file, files, ca, logger, io }: Reloading): () => void {
  const reload = (): void => {
    const result = loadConfig(file, io.environment);
    watch.watch(result.files);
    if (result.kind === "refused") {
      connector.rejectReload({ problems: result.problems });
      return;
    }
    if (result.warnings.length > 0) logger.warn({ problems: result.warnings }, "configuration has warnings");
    try {
      connector.reload(trusting(ca, result.config));
    } catch (error) {
      connector.rejectReload(errorFields(error));
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
