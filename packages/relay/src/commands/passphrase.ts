// The passphrase of a backup: from a file or the environment, never from argv, where every user of the machine sees it.

import { SallyportError } from "@sallyport/shared/errors";
import { readSecretFile } from "./secret-file.ts";

export const PASSPHRASE_VARIABLE = "SALLYPORT_BACKUP_PASSPHRASE";

/** @returns undefined when neither is given. @throws ERR_BACKUP_PASSPHRASE when the file cannot be read, or by others too. */
export function readPassphrase(file: string | undefined, env: Readonly<Record<string, string | undefined>>): string | undefined {
  if (file === undefined) return env[PASSPHRASE_VARIABLE];
  try {
    // An editor's final line break is not part of it.
    return readSecretFile(file, "ERR_BACKUP_PASSPHRASE")
      .toString("utf8")
      .replace(/\r?\n$/, "");
  } catch (cause) {
    if (cause instanceof SallyportError) throw cause;
    throw new SallyportError("ERR_BACKUP_PASSPHRASE", `The passphrase file ${file} cannot be read.`, { cause });
  }
}
