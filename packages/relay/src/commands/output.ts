// What the commands share at the edge: exit codes, where text goes, whether colour is wanted, the --config option.

import { wantsColor } from "@sallyport/shared/config/render";
import { Option } from "commander";

/** Exit codes of `sallyport-relay`, documented in `--help`. */
export const ExitCode = {
  ok: 0,
  /** What was asked for could not be done: problems in the configuration, a relay that cannot start. */
  problems: 1,
  /** The command line was not understood. */
  usage: 2,
  /** A fault in the program itself (EX_SOFTWARE of sysexits.h): please report it. */
  fault: 70,
} as const;

/** Where a command writes; a test gives it arrays. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
  /** Whether `out` and `error` go to a terminal that wants colour. */
  readonly color: boolean;
}

export function processOutput(stream: { readonly isTTY?: boolean } = process.stderr): Output {
  return {
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    color: wantsColor(stream.isTTY === true, process.env),
  };
}

/** One JSON value per answer, on a line of its own. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** `-c, --config <file>`, the same for every command that reads relay.yaml. */
export function configOption(): Option {
  return new Option("-c, --config <file>", "configuration file").env("SALLYPORT_CONFIG").default("relay.yaml");
}

export function jsonOption(): Option {
  return new Option("--json", "write JSON for programs");
}
