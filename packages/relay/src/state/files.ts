// The state folder and its modes: 0700 for folders, 0600 for files. What lies in it signs assertions and admits
// connectors, so a folder that others can write or read is refused, not repaired silently.

import { chmodSync, closeSync, existsSync, mkdirSync, openSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { SallyportError } from "@sallyport/shared/errors";

const OTHERS = 0o077;

/** Creates the folder (0700, parents too) or checks the one that is there. @throws ERR_STATE_FOLDER */
export function ensurePrivateFolder(path: string): void {
  try {
    createFolder(path);
    refuseOthers(path, statSync(path), true);
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    throw new SallyportError(
      "ERR_STATE_FOLDER",
      `The state folder ${path} cannot be created or read; check its owner and its parents' modes.`,
      {
        cause: error,
      },
    );
  }
}

/** Parents first, one at a time: Node's own recursive mkdir never returns where a file system answers ENOENT for ever (/proc). */
function createFolder(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) createFolder(parent);
  mkdirSync(path, { mode: 0o700 });
}

/**
 * Makes sure that a file exists with mode 0600, or checks the one that is there.
 *
 * An existing file is never opened here: closing any descriptor of a file drops all POSIX locks that this process
 * holds on it (close(2) in fcntl(2)), the database's own lock included.
 */
export function ensurePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw new SallyportError("ERR_STATE_FOLDER", `${path} cannot be created; check the owner of its folder and the space on the disk.`, {
        cause: error,
      });
    }
    refuseOthers(path, statSync(path), false);
  }
}

/** Mode 0600 for a file that something else created. */
export function makePrivate(path: string): void {
  chmodSync(path, 0o600);
}

function refuseOthers(path: string, stats: Stats, folder: boolean): void {
  if (folder !== stats.isDirectory()) {
    throw new SallyportError("ERR_STATE_FOLDER", `${path} is ${folder ? "not a folder" : "a folder"}; move it out of the way.`);
  }
  if ((stats.mode & OTHERS) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
    const fix = folder ? "0700" : "0600";
    throw new SallyportError(
      "ERR_STATE_FOLDER",
      `${path} has mode ${mode}: other users could use the relay's keys. Run: chmod ${fix} ${path}`,
    );
  }
}
