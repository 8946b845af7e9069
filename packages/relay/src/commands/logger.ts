// The relay's own log: pino to standard output, as JSON lines for collectors or as one readable line each for people.
// Requests and audit events do not go here but to the record (observe/).

import { pino, type Logger } from "pino";
import { UNPRINTABLE } from "@sallyport/shared/config/problem";

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = "json" | "text";

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go; each ends in a newline. Default: standard output, written at once. */
  readonly write?: (line: string) => void;
}

export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string): void => void process.stdout.write(line));
  const destination = { write: options.format === "json" ? write : (line: string): void => write(formatLogLine(line)) };
  // No pid and hostname: the supervisor adds both, and they would be noise on a terminal.
  return pino(
    { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    destination,
  );
}

const OWN_FIELDS = new Set(["level", "time", "msg"]);

/** `10:15:30.123 info  listening  address=0.0.0.0:443` from a line of JSON; what is no JSON passes as it is. */
export function formatLogLine(line: string): string {
  const fields = parse(line);
  if (fields === undefined) return line;
  const details = Object.entries(fields)
    .filter(([name]) => !OWN_FIELDS.has(name))
    .map(([name, value]) => `${formatText(name)}=${formatValue(value)}`);
  const time = String(fields["time"] ?? "").slice(11, 23);
  return `${[time, String(fields["level"] ?? "").padEnd(5), formatText(String(fields["msg"] ?? "")), details.join(" ")].filter((part) => part !== "").join("  ")}\n`;
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

function formatValue(value: unknown): string {
  if (typeof value === "string" && /^[\w.:/@*+-]+$/.test(value)) return value;
  return formatText(JSON.stringify(value));
}

/** Nothing in a field may draw on the terminal or start a second line (R-M1). */
function formatText(text: string): string {
  return text.replaceAll(UNPRINTABLE, "\u{fffd}");
}
