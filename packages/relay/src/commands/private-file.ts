// Files with secrets that commands write: new, mode 0600, complete or not there.

import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { SallyportError } from "@sallyport/shared/errors";

export interface PrivateFile {
  /** Writes the content and syncs it. */
  write(content: string | Uint8Array): void;
  /** Removes the file again, when what it should hold was not made. */
  discard(): void;
}

/** Creates the file before the secret exists, so that a secret never ends up with nowhere to go. @throws ERR_OUTPUT_FILE */
export function createPrivateFile(path: string): PrivateFile {
  let fd: number;
  try {
    fd = openSync(path, "wx", 0o600);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") {
      throw new SallyportError("ERR_OUTPUT_FILE", `${path} exists and is not overwritten; name another file.`);
    }
    throw new SallyportError("ERR_OUTPUT_FILE", `${path} cannot be created.`, { cause });
  }
  return {
    write(content) {
      const bytes = Buffer.from(content);
      for (let offset = 0; offset < bytes.length;) offset += writeSync(fd, bytes, offset);
      fsyncSync(fd);
      closeSync(fd);
    },
    discard() {
      rmSync(path, { force: true });
    },
  };
}
