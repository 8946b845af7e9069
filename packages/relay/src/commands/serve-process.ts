// The life of a serving relay: load, start, reload on SIGHUP and on file change, drain on SIGTERM, end at once on the
// second signal. Everything it needs is handed in, so that a test can be the operating system.

import type { Clock } from "@sallyport/shared/clock";
import { LogField } from "@sallyport/shared/log-fields";
import type { Logger } from "pino";
import type { LoadResult } from "../config/load.ts";
import type { Problem } from "@sallyport/shared/config/problem";
import { ConfigReloader, type ReloadOutcome } from "../config/reload.ts";
import type { RelayConfig } from "../config/types.ts";
import { FileWatcher, type WatchOptions } from "../config/watch.ts";
import { ExitCode } from "./output.ts";

/** What this file needs of the composition root. */
export interface ServedRelay {
  start(): Promise<void>;
  /** Swaps in one step; throws with the old configuration still in place. */
  applyConfig(next: RelayConfig): Promise<void> | void;
  /** Stops accepting, lets what is under way finish for `graceMs`, then cuts. */
  close(reason: string, graceMs: number): Promise<void>;
  addresses(): unknown;
}

export type ServeSignal = "SIGHUP" | "SIGTERM" | "SIGINT";

export interface ServeOptions {
  readonly graceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly createRelay: (config: RelayConfig) => ServedRelay;
  load(): Promise<LoadResult>;
  /** Shows the problems of a file that cannot be started with. */
  showProblems(problems: readonly Problem[], lines: readonly string[]): void;
  /** Calls `handler` for every signal; returns what stops that. */
  onSignal(handler: (signal: ServeSignal) => void): () => void;
  readonly watchFolder?: WatchOptions["watchFolder"];
}

/** close() waits for the grace period by itself; a relay that hangs longer than this beyond it is left behind. */
export const CLOSE_MARGIN_MS = 5_000;

/** Serves until a signal ends it; resolves with the exit code. */
export async function serve(options: ServeOptions): Promise<number> {
  const { logger } = options;
  const stop = stopSignals(options);
  try {
    const first = await options.load();
    if (!first.ok) {
      options.showProblems(first.problems, first.lines);
      logProblems(logger, first.problems, "configuration problem");
      return ExitCode.problems;
    }
    logProblems(logger, first.warnings, "configuration warning");
    const relay = options.createRelay(first.config);
    try {
      await relay.start();
    } catch (error) {
      logger.fatal(failureFields(error), "the relay cannot start");
      await closeWithin(options, relay, "start failed", 0);
      return ExitCode.problems;
    }
    logger.info({ addresses: relay.addresses(), config: first.config.source.file }, "the relay is serving");
    return await serveUntilStopped(options, relay, first.config, stop);
  } finally {
    stop.release();
  }
}

async function serveUntilStopped(options: ServeOptions, relay: ServedRelay, initial: RelayConfig, stop: StopSignals): Promise<number> {
  const { logger, clock } = options;
  const watcher = new FileWatcher({
    clock,
    onChange: () => void reloader.request(),
    ...(options.watchFolder === undefined ? {} : { watchFolder: options.watchFolder }),
  });
  const reloader = new ConfigReloader({
    initial,
    load: () => options.load(),
    apply: (next) => relay.applyConfig(next),
    onOutcome: (outcome) => logOutcome(logger, outcome),
    onWatchedFiles: (files) => void watcher.follow(files),
  });
  stop.onHangup(() => void reloader.request());
  await watcher.follow(initial.source.watchedFiles);
  // What changed while the relay started was read before it was watched.
  void reloader.request();

  const signal = await stop.first;
  logger.info({ [LogField.reason]: signal, graceMs: options.graceMs }, "the relay drains");
  watcher.close();
  const drained = await Promise.race([reloader.close().then(() => closeWithin(options, relay, signal, options.graceMs)), stop.second]);
  if (drained !== true)
    logger.warn({ [LogField.reason]: drained === false ? "grace period exceeded" : drained }, "the relay ends without having drained");
  else logger.info("the relay has ended");
  return drained === true ? ExitCode.ok : ExitCode.problems;
}

/** Whether close() came to its end in time. */
async function closeWithin(options: ServeOptions, relay: ServedRelay, reason: string, graceMs: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = options.clock.after(graceMs + CLOSE_MARGIN_MS, () => late.resolve(false));
  const closed = relay.close(reason, graceMs).then(
    () => true,
    (error: unknown) => {
      options.logger.error(failureFields(error), "closing failed");
      return false;
    },
  );
  const inTime = await Promise.race([closed, late.promise]);
  timer.cancel();
  return inTime;
}

interface StopSignals {
  readonly first: Promise<ServeSignal>;
  readonly second: Promise<ServeSignal>;
  onHangup(task: () => void): void;
  release(): void;
}

/** Listens from the very beginning: a signal during the start must end the start too. */
function stopSignals(options: ServeOptions): StopSignals {
  const first = Promise.withResolvers<ServeSignal>();
  const second = Promise.withResolvers<ServeSignal>();
  let stopping = false;
  let hangup: (() => void) | undefined;
  const release = options.onSignal((signal) => {
    if (signal === "SIGHUP") hangup?.();
    else if (stopping) second.resolve(signal);
    else {
      stopping = true;
      first.resolve(signal);
    }
  });
  return { first: first.promise, second: second.promise, onHangup: (task) => void (hangup = task), release };
}

function logOutcome(logger: Logger, outcome: ReloadOutcome): void {
  switch (outcome.kind) {
    case "applied":
      logger.info(outcome.diff, "configuration reloaded");
      logProblems(logger, outcome.warnings, "configuration warning");
      break;
    case "unchanged":
      logger.debug("configuration unchanged");
      break;
    case "refused":
      logger.error({ problems: outcome.problems.length }, "configuration refused, the old one stays live");
      logProblems(logger, outcome.problems, "configuration problem");
      break;
    case "failed":
      logger.error(failureFields(outcome.error), "reload failed, the old configuration stays live");
      break;
  }
}

function logProblems(logger: Logger, problems: readonly Problem[], message: string): void {
  for (const { severity, code, file, line, column, path, message: what, remedy } of problems) {
    logger[severity === "error" ? "error" : "warn"](
      { [LogField.code]: code, file, line, column, [LogField.path]: path, problem: what, [LogField.remedy]: remedy },
      message,
    );
  }
}

/** What a person needs of an error that has a code, ours or Node's: the words, not the stack. Anything else is a fault, told in full. */
function failureFields(error: unknown): Readonly<Record<string, unknown>> {
  const code = codeOf(error);
  if (code === undefined || !(error instanceof Error)) return { err: error };
  const { cause, message } = error;
  return { [LogField.code]: code, [LogField.reason]: message, ...(cause instanceof Error ? { [LogField.cause]: cause.message } : {}) };
}

/** The stable code of an error, ours or Node's; undefined when it has none. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
