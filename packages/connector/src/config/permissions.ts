// Who else may read or change what the connector trusts (R-J4): private keys that others can read, and configuration
// folders that others can write, are refused with the command that repairs them.

import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { exposureOf, octalMode, type Readers, repairOf, shellQuoted } from "@sallyport/shared/file-modes";

const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

export interface PermissionProblem {
  readonly problem: string;
  readonly remedy: string;
}

/** Only the parts of fs.Stats that matter; injected in tests. */
export interface FileMode {
  readonly mode: number;
  readonly uid: number;
}

/**
 * Checks a file that holds a secret. Files on a read-only mount (a Kubernetes secret, a systemd credential) are
 * accepted as they are: whoever mounted them decided who sees them, and nobody here can change their mode.
 * @param readers who besides the owner may read it. Default nobody: it is a private key or token of our own.
 */
export function privateFileProblem(
  path: string,
  stat: FileMode = statSync(path),
  readOnly: boolean = isReadOnly(path),
  readers: Readers = "owner",
): PermissionProblem | undefined {
  if (process.platform === "win32" || readOnly) return undefined;
  const exposure = exposureOf(stat.mode, readers);
  if (exposure === undefined) return undefined;
  return { problem: `${path} can be ${exposure} (mode ${octalMode(stat.mode)})`, remedy: `run: ${repairOf(path, readers)}` };
}

/** Checks the folder of a configuration file: whoever may write there decides what this connector dials. */
export function directoryProblem(file: string, stat: FileMode | undefined = statOf(dirname(file))): PermissionProblem | undefined {
  if (process.platform === "win32" || stat === undefined) return undefined;
  // With the sticky bit (as /tmp has it) others cannot replace our files, but the file itself still counts.
  const folder = dirname(file);
  if ((stat.mode & OTHERS_WRITE) !== 0 && (stat.mode & STICKY) === 0 && !isReadOnly(folder)) {
    return {
      problem: `the folder ${folder} can be written by every user (mode ${octalMode(stat.mode)})`,
      remedy: `run: chmod o-w ${shellQuoted(folder)}`,
    };
  }
  const own = statOf(file);
  if (own !== undefined && (own.mode & OTHERS_WRITE) !== 0 && !isReadOnly(file)) {
    return { problem: `${file} can be changed by every user (mode ${octalMode(own.mode)})`, remedy: `run: chmod o-w ${shellQuoted(file)}` };
  }
  return undefined;
}

function statOf(path: string): FileMode | undefined {
  try {
    return statSync(path);
  } catch {
    // Reading the file will say what is wrong.
    return undefined;
  }
}

function isReadOnly(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EROFS";
  }
}
