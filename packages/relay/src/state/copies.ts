// Copies of the database that a backup makes in the state folder and discards when it has packed them. They hold private
// keys, so one that a kill left behind is removed when the state is opened next.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Names of such copies; nothing else in the folder is ever removed. */
export const COPY_NAME: RegExp = /^backup-[0-9a-f]{16}\.db$/;

/** Call it with the state's lock held. */
export function removeStaleCopies(folder: string): void {
  for (const name of readdirSync(folder)) if (COPY_NAME.test(name)) rmSync(join(folder, name), { force: true });
}
