// The connector's log: one JSON object per line on standard output (or errors for people on a terminal, for
// `sallyport http`). Tunnels log when their state changes and at no other time.

import { LogField } from "@sallyport/shared/log-fields";
import { destination, type Logger, pino } from "pino";

export type { Logger } from "pino";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A logger that writes synchronously to a file descriptor (1 or 2). Transports in worker threads are not used: they do
 * not survive bundling, and the last lines before an exit matter most.
 */
export function createLogger(level: LogLevel, fd: 1 | 2 = 1): Logger {
  return pino(
    {
      level,
      base: { program: "sallyport" },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination({ fd, sync: true }),
  );
}

/** The fields of an error that belong into a log: code, message, remedy; never the whole object. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { [LogField.reason]: String(error) };
  const { code, remedy } = error as { readonly code?: unknown; readonly remedy?: unknown };
  return {
    ...(typeof code === "string" ? { [LogField.code]: code } : {}),
    [LogField.reason]: error.message,
    ...(typeof remedy === "string" ? { [LogField.remedy]: remedy } : {}),
  };
}
