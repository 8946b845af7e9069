// Files with secrets that a command is given: the passphrase of a backup, an offline root key. Refused when other users can
// read or change them, outside of read-only mounts (R-J4). Must not know what is in them.

import { readFileSync, statSync } from "node:fs";
import { SallyportError } from "@sallyport/shared/errors";
import { exposureOf, octalMode, repairOf } from "@sallyport/shared/file-modes";
import { isOnReadOnlyMount } from "../config/read-only-mount.ts";

/** @throws SallyportError `code` when others can get at it; whatever node:fs throws when it cannot be read */
export function readSecretFile(file: string, code: `ERR_${string}`): Buffer {
  const { mode } = statSync(file);
  const exposure = isOnReadOnlyMount(file) ? undefined : exposureOf(mode, "group");
  if (exposure === undefined) return readFileSync(file);
  throw new SallyportError(code, `${file} can be ${exposure} (mode ${octalMode(mode)}). Run: ${repairOf(file, "group")}`);
}
