// `sallyport-relay service-token`: credentials of programs. Id and secret are made here; only the secret's digest goes to
// the relay, and the secret is shown once, on standard output, never in argv.

import { formatDuration, parseDurationMs } from "@sallyport/shared/duration";
import { type Command, InvalidArgumentError } from "commander";
import type { ServiceTokenView } from "../admin/operations.ts";
import { digestSecret, generateSecret, generateServiceToken } from "../authn/service-token-format.ts";
import { type ActionContext, type ContextArguments, runAction, showTime, table, withContextOptions } from "./context.ts";

const DEFAULT_LIFETIME_MS: number = 365 * 86_400_000;
const MAX_LIFETIME_MS: number = 3_650 * 86_400_000;
const DEFAULT_GRACE_MS = 86_400_000;

interface CreateArguments extends ContextArguments {
  readonly expires: number;
}

interface RotateArguments extends ContextArguments {
  readonly grace: number;
  readonly expires?: number;
}

export function registerServiceTokenCommand(program: Command): void {
  const token = program
    .command("service-token")
    .summary("tokens with which programs enter")
    .description(
      "A service token is an id and a secret that a program sends with each request. A policy with `action: service` names\nthe tokens that it admits. The relay stores a digest of the secret only.",
    );

  withContextOptions(token.command("create <name>"))
    .summary("make a token and show its secret once")
    .option("--expires <duration>", "how long it works, such as 90d", readLifetime, DEFAULT_LIFETIME_MS)
    .addHelpText(
      "after",
      "\nExample:\n  $ sallyport-relay service-token create deploy-bot --expires 90d\n  $ curl -H 'Sallyport-Client-Id: st_...' -H 'Sallyport-Client-Secret: sps_...' https://app.example.com/\n",
    )
    .action((name: string, args: CreateArguments) => runAction(args, (context) => create(context, name, args)));

  withContextOptions(token.command("list"))
    .summary("show tokens, never their secrets")
    .action((args: ContextArguments) => runAction(args, list));

  withContextOptions(token.command("rotate <token>"))
    .summary("give a token a new secret")
    .description("Makes a new secret for a token, given by id or name. The old secret works on for the grace time.")
    .option("--grace <duration>", "how long the old secret still works; 0s ends it at once", readGrace, DEFAULT_GRACE_MS)
    .option("--expires <duration>", "new lifetime from now (default: as before)", readLifetime)
    .addHelpText("after", "\nExample:\n  $ sallyport-relay service-token rotate deploy-bot --grace 1h\n")
    .action((name: string, args: RotateArguments) => runAction(args, (context) => rotate(context, name, args)));

  const changes = [
    ["disable", "refuse a token until it is enabled again", "is disabled"],
    ["enable", "accept a disabled token again", "is enabled"],
    ["revoke", "end a token for good", "is revoked"],
  ] as const;
  for (const [verb, summary, done] of changes) {
    withContextOptions(token.command(`${verb} <token>`))
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}. The token is given by id or name; the effect is immediate.`)
      .action((name: string, args: ContextArguments) =>
        runAction(args, async (context) => {
          const result = (await context.admin.call(`service-token/${verb}`, { token: name })) as { token: ServiceTokenView };
          context.print(result, `Service token ${result.token.name} (${result.token.clientId}) ${done}.\n`);
        }),
      );
  }
}

async function create(context: ActionContext, name: string, args: CreateArguments): Promise<void> {
  const { clientId, secret } = generateServiceToken();
  const input = { clientId, name, secretHash: digest(secret), expiresAt: Date.now() + args.expires };
  const { token } = (await context.admin.call("service-token/create", input)) as { token: ServiceTokenView };
  context.print({ token, secret }, showSecret(token, secret));
}

async function rotate(context: ActionContext, name: string, args: RotateArguments): Promise<void> {
  const secret = generateSecret();
  const expiry = args.expires === undefined ? {} : { expiresAt: Date.now() + args.expires };
  const input = { token: name, secretHash: digest(secret), graceMs: args.grace, ...expiry };
  const { token } = (await context.admin.call("service-token/rotate", input)) as { token: ServiceTokenView };
  const old = args.grace === 0 ? "The old secret no longer works.\n" : `The old secret works for ${formatDuration(args.grace)} more.\n`;
  context.print({ token, secret }, showSecret(token, secret) + old);
}

async function list(context: ActionContext): Promise<void> {
  const { tokens } = (await context.admin.call("service-token/list")) as { tokens: readonly ServiceTokenView[] };
  const rows = tokens.map((one) => [one.name, one.clientId, one.status, showTime(one.expiresAt), showTime(one.lastUsedAt)]);
  const heading = ["NAME", "CLIENT ID", "STATE", "EXPIRES", "LAST USED"];
  context.print(
    { tokens },
    rows.length === 0 ? "No service tokens. Make one: sallyport-relay service-token create NAME\n" : table([heading, ...rows]),
  );
}

function showSecret(token: ServiceTokenView, secret: string): string {
  return `Service token ${token.name}, until ${showTime(token.expiresAt)}. The secret is not shown again.\n\nSallyport-Client-Id: ${token.clientId}\nSallyport-Client-Secret: ${secret}\n\n`;
}

function digest(secret: string): string {
  return Buffer.from(digestSecret(secret)).toString("base64url");
}

function readLifetime(text: string): number {
  const lifetimeMs = parseDurationMs(text);
  if (lifetimeMs === undefined || lifetimeMs === 0 || lifetimeMs > MAX_LIFETIME_MS)
    throw new InvalidArgumentError("Write a duration up to 3650d, such as 90d.");
  return lifetimeMs;
}

function readGrace(text: string): number {
  const graceMs = parseDurationMs(text);
  if (graceMs === undefined || graceMs > 30 * 86_400_000) throw new InvalidArgumentError("Write a duration up to 30d, such as 24h, or 0s.");
  return graceMs;
}
