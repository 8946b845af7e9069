// `sallyport-relay audit`: reading the record of requests and events, and proving that nobody changed it.

import { createPublicKey } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { parseDurationMs } from "@sallyport/shared/duration";
import { type Command, InvalidArgumentError, Option } from "commander";
import { followRecord, newestLines, type RecordFilter } from "../observe/record-tail.ts";
import { type RecordProblem, verifyRecords, type VerifyResult } from "../observe/record-verify.ts";
import type { SecurityEvent } from "../state/events.ts";
import {
  type ActionContext,
  type ContextArguments,
  findPlace,
  reportErrors,
  runAction,
  showTime,
  table,
  withContextOptions,
} from "./context.ts";
import { ExitCode, jsonLine } from "./output.ts";

const FOLLOW_INTERVAL_MS = 300;
const MAX_TAIL_LINES = 1_000_000;

interface TailArguments extends ContextArguments {
  readonly lines: number;
  readonly follow?: boolean;
  readonly kind?: "request" | "event" | "refusals";
}

interface EventsArguments extends ContextArguments {
  readonly type?: string;
  readonly since?: number;
  readonly limit: number;
}

export function registerAuditCommand(program: Command): void {
  const audit = program
    .command("audit")
    .summary("read and verify the record of requests and events")
    .description("Every request and every security event is one line of JSON in the record files.");

  withContextOptions(audit.command("tail"))
    .summary("show the newest lines of the record")
    .option("-n, --lines <count>", "how many lines", readCount(MAX_TAIL_LINES), 20)
    .option("-f, --follow", "go on until interrupted")
    .addOption(new Option("--kind <kind>", "only lines of this kind").choices(["request", "event", "refusals"]))
    .addHelpText(
      "after",
      "\nLines are JSON with or without --json. Example:\n  $ sallyport-relay audit tail -f | jq 'select(.decision == \"deny\")'\n",
    )
    .action((args: TailArguments) => tail(args));

  withContextOptions(audit.command("events"))
    .summary("search security events by type and time")
    .option("--type <type>", "exact type, or all that start with it when it ends in a dot: `credential.`")
    .option("--since <duration>", "not older than this, such as 24h", readSince)
    .option("--limit <count>", "newest events to show", readCount(1_000), 100)
    .addHelpText("after", "\nExample:\n  $ sallyport-relay audit events --type credential. --since 30d\n")
    .action((args: EventsArguments) => runAction(args, (context) => events(context, args)));

  withContextOptions(audit.command("verify"))
    .summary("find edited, deleted, reordered or cut-off records")
    .description(
      "Checks the hash chain and the signatures over all record files, and that the newest head the state remembers is there.\nWhat the last minute wrote may be cut off without this being noticed, unless the relay was stopped in order.",
    )
    .addHelpText("after", "\nExit codes: 0 intact, 1 broken.\n")
    .action((args: ContextArguments) => runAction(args, verify));
}

async function tail(args: TailArguments): Promise<void> {
  await reportErrors(args.json === true, async (output) => {
    const { folder } = (await findPlace(args)).records;
    const filter: RecordFilter = args.kind === undefined ? {} : { kind: args.kind };
    // Taken before the newest lines are read: a line that comes between is shown twice rather than not at all.
    const following = followRecord(folder, filter);
    const show = (lines: readonly string[]): void => {
      if (lines.length > 0) output.out(`${lines.join("\n")}\n`);
    };
    show(newestLines(folder, args.lines, filter));
    while (args.follow === true) {
      await wait(FOLLOW_INTERVAL_MS);
      show(following.next());
    }
  });
}

async function events(context: ActionContext, args: EventsArguments): Promise<void> {
  const query = {
    limit: args.limit,
    ...(args.type === undefined ? {} : { type: args.type }),
    ...(args.since === undefined ? {} : { sinceMs: Date.now() - args.since }),
  };
  const found = ((await context.admin.call("audit/events", query)) as { events: readonly SecurityEvent[] }).events;
  const rows = found.toReversed().map((event) => {
    const ids = Object.entries(event.ids).map(([name, value]) => `${name}=${JSON.stringify(value).slice(1, -1)}`);
    return [showTime(event.at), event.type, event.actor, ids.join(" ")];
  });
  context.print({ events: found }, rows.length === 0 ? "No such events.\n" : table([["TIME", "EVENT", "BY", "ABOUT"], ...rows]));
}

async function verify(context: ActionContext): Promise<number> {
  const anchor = (await context.admin.call("audit/anchor")) as { head: string | null; keys: readonly string[] };
  const keys = anchor.keys.map((key) => createPublicKey({ key: Buffer.from(key, "base64url"), format: "der", type: "spki" }));
  const result = verifyRecords(context.place.records.folder, { keys, head: anchor.head ?? undefined });
  context.output.out(context.json ? jsonLine(result) : describe(result));
  return result.kind === "intact" ? ExitCode.ok : ExitCode.problems;
}

const PROBLEMS: Readonly<Record<RecordProblem, string>> = {
  hash: "records were changed",
  link: "records were removed, added or moved",
  sequence: "the numbers of records do not count up",
  signature: "a batch is not signed by this relay",
  start: "older files are gone, and not by this relay's own retention",
  end: "the newest records are gone",
  line: "there is a line that no relay writes",
};

function describe(result: VerifyResult): string {
  if (result.kind === "broken") return `The record is BROKEN: ${PROBLEMS[result.problem]}, in ${result.file} after record ${result.seq}.\n`;
  const recovered = result.recovered === 0 ? "" : ` ${result.recovered} batches were sealed after a kill, not when they were written.`;
  return `The record is intact: ${result.records} records in ${result.files} files, numbers ${result.firstSeq} to ${result.lastSeq}.${recovered}\n`;
}

function readCount(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < 1 || value > most) throw new InvalidArgumentError(`Write a whole number from 1 to ${most}.`);
    return value;
  };
}

function readSince(text: string): number {
  const sinceMs = parseDurationMs(text);
  if (sinceMs === undefined) throw new InvalidArgumentError("Write a duration, such as 24h.");
  return sinceMs;
}
