// What the administrative commands share: where the state is, a client of the running relay or, when none runs, the same
// operations in this process under the state's lock, and how results and errors reach people and programs.

import { join, resolve } from "node:path";
import { systemClock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import { type Command, Option } from "commander";
import type { AdminClient } from "../admin/api.ts";
import { connectAdmin, localAdmin } from "../admin/client.ts";
import { createStateOperations } from "../admin/operations.ts";
import { loadConfig } from "../config/load.ts";
import { renderProblems } from "@sallyport/shared/config/render";
import type { RelayConfig } from "../config/types.ts";
import { createRecorder, type Recorder } from "../observe/record.ts";
import { openState, type State } from "../state/state.ts";
import { configOption, ExitCode, jsonLine, jsonOption, processOutput, type Output } from "./output.ts";

export interface ContextArguments {
  readonly config: string;
  readonly state?: string;
  readonly json?: boolean;
}

/** Where a relay keeps what, from its configuration or from --state alone. */
export interface Place {
  /** Absolute path of the state folder. */
  readonly folder: string;
  readonly records: { readonly folder: string; readonly maxFileBytes: number; readonly maxTotalBytes: number; readonly maxAgeMs: number };
  /** Undefined with --state. */
  readonly config: RelayConfig | undefined;
}

/** With --state there is no configuration to say otherwise: the defaults of relay.yaml. */
const DEFAULT_RECORDS = { maxFileBytes: 67_108_864, maxTotalBytes: 10_737_418_240, maxAgeMs: 90 * 86_400_000 };

/** --config, --state and --json, which every administrative command has. */
export function withContextOptions(command: Command): Command {
  return command
    .addOption(configOption())
    .addOption(new Option("--state <folder>", "state folder; the configuration is then not read, so this works while it is broken"))
    .addOption(jsonOption());
}

/** @throws ERR_CONFIG_INVALID with all problems rendered. */
export async function findPlace(args: ContextArguments): Promise<Place> {
  if (args.state !== undefined) {
    const folder = resolve(args.state);
    return { folder, records: { folder: join(folder, "records"), ...DEFAULT_RECORDS }, config: undefined };
  }
  const loaded = await loadConfig({ file: args.config, env: process.env, clock: systemClock });
  if (loaded.ok) return { folder: loaded.config.state, records: loaded.config.records, config: loaded.config };
  const problems = renderProblems(loaded.problems, { color: false, lines: loaded.lines });
  throw new SallyportError("ERR_CONFIG_INVALID", `${problems}\n\nTo work on the state alone, give its folder with --state.`);
}

/** The running relay, or the state itself when none runs. Close it. @throws ERR_STATE_LOCKED when it runs but does not answer */
export async function openAdmin(place: Place): Promise<AdminClient> {
  const live = await connectAdmin(place.folder);
  if (live !== undefined) return live;
  const { state, recorder, close } = openLocal(place);
  const record = recorder.event.bind(recorder);
  return localAdmin(createStateOperations({ state, record, now: () => Date.now(), flush: () => recorder.flush() }), close);
}

export interface LocalState {
  readonly state: State;
  readonly recorder: Recorder;
  close(): Promise<void>;
}

/** State and record in this process, under the state's lock: for a command while no relay runs. */
export function openLocal(place: Place): LocalState {
  const state = openState({ folder: place.folder });
  try {
    const recorder = createRecorder({
      folder: place.records.folder,
      limits: place.records,
      signingKey: state.keys.signingKey("record").privateKey,
      index: (events) => state.events.add(events),
      head: state.recordHead,
    });
    return { state, recorder, close: () => recorder.close().finally(() => state.close()) };
  } catch (error) {
    state.close();
    throw error;
  }
}

/** What an action works with. */
export interface ActionContext {
  readonly place: Place;
  readonly admin: AdminClient;
  readonly output: Output;
  readonly json: boolean;
  /** One JSON line with --json, else the text. */
  print(value: unknown, text: string): void;
}

/** Runs an action with a client, closes it, and turns errors into one line and an exit code. */
export async function runAction(args: ContextArguments, action: (context: ActionContext) => Promise<number | void>): Promise<void> {
  await reportErrors(args.json === true, async (output) => {
    const place = await findPlace(args);
    const admin = await openAdmin(place);
    try {
      return await action({ place, admin, output, json: args.json === true, print: printer(output, args.json === true) });
    } finally {
      await admin.close();
    }
  });
}

export function printer(output: Output, json: boolean): (value: unknown, text: string) => void {
  return (value, text) => output.out(json ? jsonLine(value) : text);
}

/** Sets the exit code: 0, what the action returns, 1 for what could not be done, 70 for a fault of the program. */
export async function reportErrors(json: boolean, action: (output: Output) => Promise<number | void>): Promise<void> {
  const output = processOutput();
  try {
    process.exitCode = (await action(output)) ?? ExitCode.ok;
  } catch (error) {
    const { code, message } = describeError(error);
    output.error(json ? jsonLine({ error: code, message }) : `${message}${code === undefined ? "" : ` (${code})`}\n`);
    process.exitCode = error instanceof SallyportError || code !== undefined ? ExitCode.problems : ExitCode.fault;
  }
}

function describeError(error: unknown): { readonly code: string | undefined; readonly message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  const cause = error.cause instanceof Error ? `\n  because: ${error.cause.message}` : "";
  return { code: (error as NodeJS.ErrnoException).code, message: error.message + cause };
}

/** Columns that line up; the last one is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** A time for people: RFC 3339 to the second, or a dash. */
export function showTime(at: number | undefined): string {
  return at === undefined ? "-" : `${new Date(at).toISOString().slice(0, 19)}Z`;
}
