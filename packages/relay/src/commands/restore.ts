// `sallyport-relay restore`: the state from a backup. Refused while a relay runs.

import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/shared/errors";
import type { Command } from "commander";
import { connectAdmin } from "../admin/client.ts";
import { isSealed, restoreBackup } from "../state/backup.ts";
import { type ContextArguments, findPlace, printer, reportErrors, withContextOptions } from "./context.ts";
import { PASSPHRASE_VARIABLE, readPassphrase } from "./passphrase.ts";

interface RestoreArguments extends ContextArguments {
  readonly passphraseFile?: string;
  readonly replace?: boolean;
}

export function registerRestoreCommand(program: Command): void {
  withContextOptions(program.command("restore <file>"))
    .summary("bring the state back from a backup")
    .description(
      "Puts a backup into the state folder. The relay must be stopped. What was revoked after the backup was made is valid\nagain afterwards: look at `credential list` and `service-token list` before you start the relay.",
    )
    .option("--passphrase-file <file>", `file with the passphrase (or set ${PASSPHRASE_VARIABLE})`)
    .option("--replace", "lose the state that is there")
    .addHelpText(
      "after",
      "\nExample:\n  $ systemctl stop sallyport-relay\n  $ sallyport-relay restore relay.backup --passphrase-file /etc/sallyport/passphrase --replace\n  $ systemctl start sallyport-relay\n",
    )
    .action((file: string, args: RestoreArguments) =>
      reportErrors(args.json === true, async (output) => {
        const { folder } = await findPlace(args);
        if ((await connectAdmin(folder)) !== undefined)
          throw new SallyportError("ERR_STATE_LOCKED", "The relay is running. Stop it first; a restore changes the state under it.");
        const backup = readBackup(file);
        const passphrase = isSealed(backup) ? readPassphrase(args.passphraseFile, process.env) : undefined;
        const report = restoreBackup(folder, backup, passphrase, args.replace === true);
        const keys = report.withKeys
          ? ""
          : "The backup held no keys: new ones are made at the next start, and every connector needs a new credential.\n";
        printer(output, args.json === true)(
          { folder, ...report },
          `Restored into ${folder}: ${report.credentials} credentials, ${report.serviceTokens} service tokens.\n${keys}What was revoked after the backup is valid again; check: sallyport-relay credential list\n`,
        );
      }),
    );
}

function readBackup(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SallyportError("ERR_BACKUP_FILE", `The backup ${file} cannot be read.`, { cause });
  }
}
