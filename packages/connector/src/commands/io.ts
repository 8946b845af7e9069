// What commands may touch of the process: output, environment, signals. Injected, so that commands are tested without
// a process, and so that everything else in this program knows nothing of it.

import { wantsColor } from "@sallyport/shared/config/render";
import { type Clock, systemClock } from "@sallyport/shared/clock";
import type { Environment } from "../tunnel/proxy.ts";

export type Signal = "SIGINT" | "SIGTERM" | "SIGHUP";

export interface Io {
  readonly environment: Environment;
  readonly clock: Clock;
  /** Whether standard error is a terminal that wants colours. */
  readonly color: boolean;
  /** Results, for standard output. A newline is added. */
  out(text: string): void;
  /** What went wrong, for standard error. A newline is added. */
  err(text: string): void;
  /** @returns a function that removes the handler */
  onSignal(signal: Signal, handler: () => void): () => void;
  /** Keeps the process from ending while only waits are pending. @returns a function that lets it end */
  keepAlive(): () => void;
}

/** Longest interval of a Node timer. */
const MAX_INTERVAL_MS = 2 ** 31 - 1;

export const processIo: Io = {
  environment: process.env,
  clock: systemClock,
  color: wantsColor(process.stderr.isTTY === true, process.env),
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  onSignal(signal, handler) {
    process.on(signal, handler);
    return () => void process.off(signal, handler);
  },
  keepAlive() {
    const timer = setInterval(() => undefined, MAX_INTERVAL_MS);
    return () => clearInterval(timer);
  },
};
