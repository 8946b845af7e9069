// The files of the record: append, rotate by size and day, delete by total size and age, and find the end of the chain
// after a kill. Nothing here knows what a record says. Files are never changed except at their end.

import {
  close,
  closeSync,
  fdatasync,
  fstatSync,
  ftruncate,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  write,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const FILE_NAME = /^records-(\d{16})\.jsonl$/;
const truncateFile = promisify(ftruncate);
const syncFile = promisify(fdatasync);
const closeFile = promisify(close);

export interface RecordLimits {
  /** A file that reached this size is closed and the next one started. */
  readonly maxFileBytes: number;
  /** All files together; the oldest go first. */
  readonly maxTotalBytes: number;
  readonly maxAgeMs: number;
}

/** Part of node:fs, so that a test can let a disk be full. */
export type WriteFunction = (fd: number, bytes: Uint8Array, offset: number) => Promise<number>;

const writeToDisk: WriteFunction = (fd, bytes, offset) =>
  new Promise((resolve, reject) => {
    write(fd, bytes, offset, bytes.length - offset, null, (error, written) => (error === null ? resolve(written) : reject(error)));
  });

export interface RecordFiles {
  /** Appends all or nothing: what a failed write left is cut off before the next one. One call at a time. */
  append(bytes: Uint8Array): Promise<void>;
  /** Makes what was appended survive a loss of power. */
  sync(): Promise<void>;
  /** True when the file is full or of another day: call {@link rotate} before the next append. */
  rotationDue(nowMs: number): boolean;
  /** Starts the file whose first record has this number. */
  rotate(firstSeq: number, nowMs: number): Promise<void>;
  /** Deletes what the limits do not allow any more, never the current file; returns names, and that of the oldest file left. */
  prune(nowMs: number): { readonly removed: readonly string[]; readonly oldest: string };
  close(): Promise<void>;
}

export function openRecordFiles(
  folder: string,
  limits: RecordLimits,
  firstSeq: number,
  nowMs: number,
  writeBytes: WriteFunction = writeToDisk,
): RecordFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const current = recordFileNames(folder).at(-1) ?? fileName(firstSeq);
  let file = openFile(join(folder, current), current, nowMs);
  /** Set while bytes of a failed write may stand behind `size`. */
  let torn = false;

  return {
    async append(bytes) {
      if (torn) await truncateFile(file.fd, file.size);
      torn = true;
      for (let offset = 0; offset < bytes.length;) offset += await writeBytes(file.fd, bytes, offset);
      file.size += bytes.length;
      torn = false;
    },
    sync: () => syncFile(file.fd),
    rotationDue: (now) => file.size > 0 && (file.size >= limits.maxFileBytes || dayOf(now) !== file.day),
    async rotate(seq, now) {
      const name = fileName(seq);
      const next = openFile(join(folder, name), name, now);
      if (torn) await truncateFile(file.fd, file.size);
      torn = false;
      await syncFile(file.fd);
      await closeFile(file.fd);
      file = next;
    },
    prune: (now) => prune(folder, limits, now, file.name),
    async close() {
      await syncFile(file.fd);
      await closeFile(file.fd);
    },
  };
}

/** Names of the record files, oldest first. */
export function recordFileNames(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => FILE_NAME.test(name))
      .toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/**
 * The end of a file in whole lines, at most `maxBytes` of it; a last line that was not finished is cut off the file.
 * `whole` is false when the file is longer than what is returned, which then starts in the middle of a line.
 */
export function readTail(path: string, maxBytes: number): { readonly content: Buffer; readonly whole: boolean } {
  const fd = openSync(path, "r+");
  try {
    const { size } = fstatSync(fd);
    const content = Buffer.alloc(Math.min(size, maxBytes));
    const offset = size - content.length;
    readSync(fd, content, 0, content.length, offset);
    const end = content.lastIndexOf(0x0a) + 1;
    if (end < content.length) ftruncateSync(fd, offset + end);
    return { content: content.subarray(0, end), whole: offset === 0 };
  } finally {
    closeSync(fd);
  }
}

export function appendLineSync(path: string, line: string): void {
  const fd = openSync(path, "a", 0o600);
  try {
    writeSync(fd, line);
  } finally {
    closeSync(fd);
  }
}

function openFile(
  path: string,
  name: string,
  nowMs: number,
): { readonly name: string; readonly fd: number; readonly day: number; size: number } {
  const fd = openSync(path, "a", 0o600);
  const { size, mtimeMs } = fstatSync(fd);
  return { name, fd, size, day: dayOf(size === 0 ? nowMs : mtimeMs) };
}

function prune(folder: string, limits: RecordLimits, now: number, currentName: string): { removed: string[]; oldest: string } {
  const files = recordFileNames(folder).map((name) => ({ name, stats: statSync(join(folder, name)) }));
  let total = files.reduce((sum, { stats }) => sum + stats.size, 0);
  const removed: string[] = [];
  for (const { name, stats } of files) {
    if (name === currentName || (total <= limits.maxTotalBytes && now - stats.mtimeMs <= limits.maxAgeMs)) return { removed, oldest: name };
    rmSync(join(folder, name));
    total -= stats.size;
    removed.push(name);
  }
  return { removed, oldest: currentName };
}

// Sixteen digits hold 2^53, so that names sort like numbers.
function fileName(firstSeq: number): string {
  return `records-${String(firstSeq).padStart(16, "0")}.jsonl`;
}

function dayOf(ms: number): number {
  return Math.floor(ms / 86_400_000);
}
