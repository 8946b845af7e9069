// `sallyport-relay keys`: signing keys, and the root key that connectors pin, which may live on a machine without network.

import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { rawPublicKey } from "@sallyport/shared/credential-file";
import { SallyportError } from "@sallyport/shared/errors";
import { MANIFEST_TYPE, rootKeyId } from "@sallyport/shared/key-manifest";
import { type Command, Option } from "commander";
import { connectAdmin } from "../admin/client.ts";
import type { KeyView } from "../admin/operations.ts";
import {
  type ActionContext,
  type ContextArguments,
  findPlace,
  openLocal,
  printer,
  reportErrors,
  runAction,
  showTime,
  table,
  withContextOptions,
} from "./context.ts";
import { jsonLine, jsonOption } from "./output.ts";
import { createPrivateFile } from "./private-file.ts";
import { readSecretFile } from "./secret-file.ts";

interface RotateArguments extends ContextArguments {
  readonly purpose: "assertion" | "token" | "access";
}

interface KeyResult {
  readonly key: KeyView;
  readonly toSign?: string;
}

export function registerKeysCommand(program: Command): void {
  const keys = program
    .command("keys")
    .summary("signing keys and the root key")
    .description(
      "Assertion keys sign what origins and connectors verify, token keys what browsers hold, access keys\nwhat origins written for Cloudflare Access verify. All rotate by themselves every 6 weeks.\nThe root key signs the list of assertion keys that connectors accept; their credentials pin it.",
    );

  withContextOptions(keys.command("list"))
    .summary("show keys, never their private halves")
    .action((args: ContextArguments) => runAction(args, list));

  withContextOptions(keys.command("rotate"))
    .summary("publish a new key, which signs an hour later")
    .addOption(new Option("--purpose <purpose>", "which key").choices(["assertion", "token", "access"]).default("assertion"))
    .addHelpText(
      "after",
      "\nThe old key stays valid until everything it signed has expired (7 days).\nWith an offline root this prints what is to be signed; see `keys sign` and `keys adopt`.\n",
    )
    .action((args: RotateArguments) => runAction(args, (context) => change(context, "keys/rotate", { purpose: args.purpose })));

  withContextOptions(keys.command("revoke <kid>"))
    .summary("end a key at once, for example after it was seen")
    .description("Ends a key at once; a new one signs from now on. Everybody who holds what the old one signed signs in again.")
    .action((kid: string, args: ContextArguments) => runAction(args, (context) => change(context, "keys/revoke", { kid })));

  registerOfflineRoot(keys);
}

function registerOfflineRoot(keys: Command): void {
  withContextOptions(keys.command("take-root-offline <file>"))
    .summary("move the private root key out of the relay, into a file")
    .description(
      "Writes the private root key into a new file (mode 0600) and removes it from the state. The relay must be stopped.\nFrom then on each change of assertion keys, and a renewal at least every 90 days, needs this file: see `keys sign`.",
    )
    .action((file: string, args: ContextArguments) => takeRootOffline(file, args));

  keys
    .command("sign <root-key-file> <request>")
    .summary("on the machine that holds the root key: sign what `keys rotate` printed")
    .description(
      "Signs a request of `keys list` or `keys rotate` with the root key, and prints the manifest for `keys adopt`.\nNeeds neither a relay nor a configuration.",
    )
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  $ sallyport-relay keys sign root.key eyJhbGciOi... > manifest\n")
    .action((file: string, request: string, args: { readonly json?: boolean }) =>
      reportErrors(args.json === true, (output) => {
        const manifest = signRequest(readRootKey(file), request);
        output.out(args.json === true ? jsonLine({ manifest }) : `${manifest}\n`);
        return Promise.resolve();
      }),
    );

  withContextOptions(keys.command("adopt <manifest-file>"))
    .summary("take the manifest that the offline root signed")
    .addHelpText("after", "\nExample:\n  $ sallyport-relay keys adopt manifest\n")
    .action((file: string, args: ContextArguments) =>
      runAction(args, async (context) => {
        await context.admin.call("keys/adopt", { manifest: readFileSync(file, "utf8").trim() });
        context.print({ adopted: true }, "The manifest is adopted and goes to the connectors.\n");
      }),
    );
}

async function list(context: ActionContext): Promise<void> {
  const result = (await context.admin.call("keys/list")) as { keys: readonly KeyView[]; rootOnline: boolean; toSign: string | null };
  const rows = result.keys.map((key) => {
    const end = key.revokedAt === undefined ? showTime(key.retireAt) : `revoked ${showTime(key.revokedAt)}`;
    return [key.kid, key.purpose, key.algorithm, showTime(key.activeAt), end];
  });
  const root = result.rootOnline ? "" : "\nThe root key is offline.\n";
  context.print(
    result,
    table([["KEY", "PURPOSE", "ALGORITHM", "SIGNS FROM", "ENDS"], ...rows]) + root + signingHelp(result.toSign ?? undefined),
  );
}

async function change(context: ActionContext, operation: string, input: object): Promise<void> {
  const result = (await context.admin.call(operation, input)) as KeyResult;
  const { key } = result;
  const text =
    key.revokedAt === undefined
      ? `Key ${key.kid} is published and signs from ${showTime(key.activeAt)}.\n`
      : `Key ${key.kid} is revoked.\n`;
  context.print(result, text + signingHelp(result.toSign));
}

function signingHelp(toSign: string | undefined): string {
  return toSign === undefined
    ? ""
    : `\nConnectors learn of it once the offline root has signed this (keys sign, then keys adopt):\n\n${toSign}\n`;
}

async function takeRootOffline(path: string, args: ContextArguments): Promise<void> {
  await reportErrors(args.json === true, async (output) => {
    const place = await findPlace(args);
    if ((await connectAdmin(place.folder)) !== undefined) {
      throw new SallyportError("ERR_STATE_LOCKED", "The relay is running. Stop it first: a private key never crosses the admin socket.");
    }
    const { state, recorder, close } = openLocal(place);
    try {
      const root = state.keys.exportRoot().export({ format: "pem", type: "pkcs8" });
      // Written before it is removed: between the two it exists twice, never not at all.
      createPrivateFile(path).write(root);
      recorder.event("root.taken-offline", "command", {});
      state.keys.takeRootOffline();
    } finally {
      await close();
    }
    printer(output, args.json === true)(
      { file: path },
      `The private root key is in ${path} and no longer in the state. Bring it to a machine without network, and keep a copy.\n`,
    );
  });
}

/** Signs the input of a manifest, after looking that it is one: this key must sign nothing else. */
function signRequest(rootKey: KeyObject, request: string): string {
  const header = request.split(".")[0] ?? "";
  const expected = JSON.stringify({ alg: "EdDSA", typ: MANIFEST_TYPE, kid: rootKeyId(rawPublicKey(rootKey)) });
  if (Buffer.from(header, "base64url").toString() !== expected || !/^[\w-]+\.[\w-]+$/.test(request)) {
    throw new SallyportError("ERR_KEYS_REQUEST", "This is no request for this root key; copy the whole line that `keys rotate` printed.");
  }
  return `${request}.${sign(null, Buffer.from(request, "latin1"), rootKey).toString("base64url")}`;
}

function readRootKey(file: string): KeyObject {
  try {
    return createPrivateKey(readSecretFile(file, "ERR_KEYS_ROOT"));
  } catch (cause) {
    if (cause instanceof SallyportError) throw cause;
    throw new SallyportError("ERR_KEYS_ROOT", `The root key ${file} cannot be read.`, { cause });
  }
}
