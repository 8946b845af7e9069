// `sallyport-relay session`: who is signed in, and ending it. Takes effect at once, streams that are open included (A8).

import { type Command, InvalidArgumentError } from "commander";
import { SallyportError } from "@sallyport/shared/errors";
import type { SessionView } from "../admin/session-operations.ts";
import { type ActionContext, type ContextArguments, runAction, showTime, table, withContextOptions } from "./context.ts";

interface FilterArguments extends ContextArguments {
  readonly email?: string;
  readonly provider?: string;
  readonly subject?: string;
}

interface ListArguments extends FilterArguments {
  readonly limit?: number;
}

interface RevokeArguments extends FilterArguments {
  readonly all?: true;
}

export function registerSessionCommand(program: Command): void {
  const session = program
    .command("session")
    .summary("people who are signed in")
    .description(
      "A session is a person's login on the relay. Ending it signs them out of every application at once; streams that are open close.",
    );

  withFilter(session.command("list"))
    .summary("show who is signed in, newest first")
    .option("--limit <count>", "show at most so many (default 1000)", readLimit)
    .addHelpText("after", "\nExample:\n  $ sallyport-relay session list --email ann@example.com\n")
    .action((args: ListArguments) => runAction(args, (context) => list(context, args)));

  withFilter(session.command("revoke [session]"))
    .summary("end sessions")
    .description("Ends one session, given as `session list` shows it, or all sessions of a person, or with --all those of everybody.")
    .option("--all", "sign everybody out")
    .addHelpText("after", "\nExample:\n  $ sallyport-relay session revoke --email ann@example.com\n")
    .action((hash: string | undefined, args: RevokeArguments) => runAction(args, (context) => revoke(context, hash, args)));
}

function withFilter(command: Command): Command {
  return withContextOptions(command)
    .option("--email <address>", "of the person with this address")
    .option("--provider <name>", "of those who signed in with this identity provider")
    .option("--subject <id>", "of the person with this id at the provider");
}

async function list(context: ActionContext, args: ListArguments): Promise<void> {
  const input = { ...filterOf(args), ...(args.limit === undefined ? {} : { limit: args.limit }) };
  const result = (await context.admin.call("session/list", input)) as { sessions: readonly SessionView[]; total: number };
  const rows = result.sessions.map((one) => [
    one.session,
    one.email ?? one.subject,
    one.provider,
    showTime(one.createdAt),
    showTime(one.lastSeenAt),
    showTime(one.expiresAt),
  ]);
  const heading = ["SESSION", "PERSON", "PROVIDER", "SIGNED IN", "LAST USED", "ENDS"];
  const more = result.total > rows.length ? `${rows.length} of ${result.total} sessions.\n` : "";
  context.print(result, rows.length === 0 ? "Nobody is signed in.\n" : table([heading, ...rows]) + more);
}

async function revoke(context: ActionContext, hash: string | undefined, args: RevokeArguments): Promise<void> {
  const filter = filterOf(args);
  const ways = [hash !== undefined, Object.keys(filter).length > 0, args.all === true].filter(Boolean).length;
  if (ways !== 1)
    throw new SallyportError(
      "ERR_USAGE",
      "Say whose sessions end: a session of `session list`, or --email, --provider and --subject, or --all.",
    );
  const input = { ...filter, ...(hash === undefined ? {} : { session: hash }), ...(args.all === true ? { all: true } : {}) };
  const result = (await context.admin.call("session/revoke", input)) as { ended: readonly SessionView[] };
  const who = result.ended.map(({ session, email, subject }) => `Signed out ${email ?? subject} (session ${session}).\n`);
  context.print(result, who.length === 0 ? "Nobody was signed in.\n" : who.join(""));
}

function filterOf({ email, provider, subject }: FilterArguments): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ email, provider, subject }).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 1) throw new InvalidArgumentError("Write a whole number of at least 1.");
  return limit;
}
