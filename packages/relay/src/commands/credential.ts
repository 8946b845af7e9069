// `sallyport-relay credential`: who may connect as a tunnel. The key pair is made here; only its public half goes to the
// relay, and the private half into a file that is written once.

import { generateTunnelKeyPair, serializeCredentialFile } from "@sallyport/shared/credential-file";
import { SallyportError } from "@sallyport/shared/errors";
import type { Command } from "commander";
import type { CredentialView } from "../admin/operations.ts";
import { type ActionContext, type ContextArguments, runAction, showTime, table, withContextOptions } from "./context.ts";
import { createPrivateFile } from "./private-file.ts";

interface CreateArguments extends ContextArguments {
  readonly output?: string;
  readonly label?: string;
}

export function registerCredentialCommand(program: Command): void {
  const credential = program
    .command("credential")
    .summary("credentials with which connectors open a tunnel")
    .description("A credential lets a connector serve one tunnel. The relay stores its public key only: a stolen state admits nobody.");

  withContextOptions(credential.command("create <tunnel>"))
    .summary("make a credential file for a connector")
    .description(
      "Makes a key pair, registers its public half and writes the credential file that the connector needs.\nA tunnel may have several credentials: one for each machine, or two while one replaces the other.",
    )
    .option("-o, --output <file>", "file to write, which must not exist (default: TUNNEL.credential)")
    .option("--label <text>", "what you will recognise it by, such as the machine's name")
    .addHelpText(
      "after",
      "\nThe file is a secret (mode 0600) and cannot be shown again. Bring it to the machine of the connector and delete it here.\n\nExample:\n  $ sallyport-relay credential create office --label rack3\n  $ scp office.credential rack3:/etc/sallyport/sallyport.credential && rm office.credential\n",
    )
    .action((tunnel: string, args: CreateArguments) => runAction(args, (context) => create(context, tunnel, args)));

  withContextOptions(credential.command("list [tunnel]"))
    .summary("show credentials")
    .addHelpText("after", "\nExample:\n  $ sallyport-relay credential list office\n")
    .action((tunnel: string | undefined, args: ContextArguments) => runAction(args, (context) => list(context, tunnel)));

  withContextOptions(credential.command("rotate <credential-id>"))
    .summary("make the successor of a credential")
    .description(
      "Makes a second credential for the same tunnel; the old one goes on working until you revoke it, so that no request is lost.",
    )
    .option("-o, --output <file>", "file to write, which must not exist (default: TUNNEL.credential)")
    .option("--label <text>", "default: the label of the old one")
    .addHelpText(
      "after",
      "\nExample:\n  $ sallyport-relay credential rotate cred_x1 --output new.credential\n    (install new.credential, restart the connector)\n  $ sallyport-relay credential revoke cred_x1\n",
    )
    .action((id: string, args: CreateArguments) => runAction(args, (context) => rotate(context, id, args)));

  withContextOptions(credential.command("revoke <credential-id>"))
    .summary("end a credential for good, and its connections at once")
    .addHelpText("after", "\nExample:\n  $ sallyport-relay credential revoke cred_x1\n")
    .action((id: string, args: ContextArguments) => runAction(args, (context) => revoke(context, id)));
}

async function create(context: ActionContext, tunnel: string, args: CreateArguments): Promise<void> {
  const { credential, file } = await make(context, tunnel, args.output, args.label ?? "");
  const next = `Bring ${file} to the connector's machine, then run there, for the service on port 3000: sallyport http 3000 --credential ${file}\n`;
  context.print({ credential, file }, `Credential ${credential.id} for tunnel ${tunnel} is in ${file} (secret, mode 0600).\n${next}`);
}

async function rotate(context: ActionContext, id: string, args: CreateArguments): Promise<void> {
  const { credentials } = (await context.admin.call("credential/list")) as { credentials: readonly CredentialView[] };
  const old = credentials.find((candidate) => candidate.id === id);
  if (old === undefined)
    throw new SallyportError(
      "ERR_CREDENTIAL_UNKNOWN",
      `There is no credential ${JSON.stringify(id)}. See: sallyport-relay credential list`,
    );
  const { credential, file } = await make(context, old.tunnel, args.output, args.label ?? old.label);
  const next = old.revokedAt === undefined ? `When the connector uses it, run: sallyport-relay credential revoke ${id}\n` : "";
  context.print(
    { credential, file, replaces: id },
    `Credential ${credential.id} for tunnel ${old.tunnel} is in ${file} (secret, mode 0600).\n${next}`,
  );
}

async function make(
  context: ActionContext,
  tunnel: string,
  output: string | undefined,
  label: string,
): Promise<{ credential: CredentialView; file: string }> {
  const { config } = context.place;
  if (config === undefined)
    throw new SallyportError("ERR_CREDENTIAL_INPUT", "The relay's URL comes from its configuration: use --config instead of --state.");
  if (!config.tunnels.some((known) => known.name === tunnel)) {
    const names = config.tunnels.map((known) => known.name).join(", ") || "none";
    throw new SallyportError(
      "ERR_CREDENTIAL_TUNNEL",
      `No tunnel ${JSON.stringify(tunnel)} in the configuration (there: ${names}). Add it under \`tunnels\` first.`,
    );
  }
  const path = output ?? `${tunnel}.credential`;
  const file = createPrivateFile(path);
  try {
    const { privateKey, publicKey } = generateTunnelKeyPair();
    const input = { tunnel, publicKey: Buffer.from(publicKey).toString("base64url"), label };
    const made = (await context.admin.call("credential/create", input)) as { credential: CredentialView; rootKey: string };
    const rootKey = new Uint8Array(Buffer.from(made.rootKey, "base64url"));
    const text = serializeCredentialFile({
      relayUrl: config.authUrl.origin,
      tunnel,
      credentialId: made.credential.id,
      privateKey,
      rootKey,
    });
    await writeOrRevoke(context, made.credential.id, () => file.write(text));
    return { credential: made.credential, file: path };
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** A credential whose private half was not kept by anybody must not stay in the list. */
async function writeOrRevoke(context: ActionContext, id: string, write: () => void): Promise<void> {
  try {
    write();
  } catch (error) {
    await context.admin.call("credential/revoke", { id });
    throw error;
  }
}

async function list(context: ActionContext, tunnel: string | undefined): Promise<void> {
  const { credentials } = (await context.admin.call("credential/list", tunnel === undefined ? {} : { tunnel })) as {
    credentials: readonly CredentialView[];
  };
  const rows = credentials.map((one) => {
    const state = one.revokedAt === undefined ? "active" : `revoked ${showTime(one.revokedAt)}`;
    return [one.id, one.tunnel, showTime(one.createdAt), showTime(one.lastSeenAt), state, one.label];
  });
  const heading = ["CREDENTIAL", "TUNNEL", "CREATED", "LAST SEEN", "STATE", "LABEL"];
  context.print(
    { credentials },
    rows.length === 0 ? "No credentials. Make one: sallyport-relay credential create TUNNEL\n" : table([heading, ...rows]),
  );
}

async function revoke(context: ActionContext, id: string): Promise<void> {
  const { credential } = (await context.admin.call("credential/revoke", { id })) as { credential: CredentialView };
  const effect = context.admin.live ? "its connections are closed" : "no relay is running; it will be refused from the start";
  context.print({ credential }, `Credential ${id} of tunnel ${credential.tunnel} is revoked: ${effect}.\n`);
}
