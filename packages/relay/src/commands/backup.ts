// `sallyport-relay backup`: one file from which `restore` brings the state back, taken while the relay runs.

import { join } from "node:path";
import { SallyportError } from "@sallyport/shared/errors";
import type { Command } from "commander";
import { packBackup } from "../state/backup.ts";
import { type ActionContext, type ContextArguments, runAction, withContextOptions } from "./context.ts";
import { PASSPHRASE_VARIABLE, readPassphrase } from "./passphrase.ts";
import { createPrivateFile } from "./private-file.ts";

interface BackupArguments extends ContextArguments {
  readonly passphraseFile?: string;
  readonly withoutKeys?: boolean;
}

export function registerBackupCommand(program: Command): void {
  withContextOptions(program.command("backup <file>"))
    .summary("write the state into one file")
    .description(
      "Writes signing keys, credentials, service tokens and the event index into one new file, while the relay goes on.\nThe file is encrypted with a passphrase; without one it may hold no keys. Record files are not part of it.",
    )
    .option("--passphrase-file <file>", `file with the passphrase (or set ${PASSPHRASE_VARIABLE})`)
    .option("--without-keys", "leave out all private keys: after a restore every connector needs a new credential")
    .addHelpText(
      "after",
      "\nExample:\n  $ sallyport-relay backup /mnt/backup/relay-$(date +%F).backup --passphrase-file /etc/sallyport/passphrase\n",
    )
    .action((file: string, args: BackupArguments) => runAction(args, (context) => backup(context, file, args)));
}

async function backup(context: ActionContext, path: string, args: BackupArguments): Promise<void> {
  const passphrase = args.withoutKeys === true ? undefined : readPassphrase(args.passphraseFile, process.env);
  if (passphrase === undefined && args.withoutKeys !== true) {
    throw new SallyportError(
      "ERR_BACKUP_PASSPHRASE",
      `Give a passphrase with --passphrase-file or ${PASSPHRASE_VARIABLE}, or leave the keys out with --without-keys.`,
    );
  }
  const file = createPrivateFile(path);
  try {
    const { name } = (await context.admin.call("backup/copy")) as { name: string };
    try {
      file.write(packBackup(join(context.place.folder, name), passphrase));
    } finally {
      await context.admin.call("backup/discard", { name });
    }
  } catch (error) {
    file.discard();
    throw error;
  }
  const withKeys = passphrase !== undefined;
  context.print(
    { file: path, withKeys },
    `The state is in ${path}, ${withKeys ? "sealed with the passphrase" : "without private keys"}.\n`,
  );
}
