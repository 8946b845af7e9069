// Reads the newest lines of the record, for `audit tail`. Reads only; the lines were escaped when they were written, so
// they are safe on a terminal as they are.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { recordFileNames } from "./record-files.ts";

const CHUNK_BYTES = 1_048_576;

export interface RecordFilter {
  /** Only lines of this kind; batch lines never. */
  readonly kind?: "request" | "event" | "refusals";
}

/** The newest `count` lines, oldest first. */
export function newestLines(folder: string, count: number, filter: RecordFilter = {}): string[] {
  const lines: string[] = [];
  for (const name of recordFileNames(folder).toReversed()) {
    for (const line of linesFromEnd(join(folder, name))) {
      if (lines.length >= count) return lines.toReversed();
      if (wanted(line, filter)) lines.push(line);
    }
  }
  return lines.toReversed();
}

/** Follows the record from where it is now. Each call of `next` returns the lines that came since the last one. */
export function followRecord(folder: string, filter: RecordFilter = {}): { next(): string[] } {
  let name = recordFileNames(folder).at(-1);
  let offset = name === undefined ? 0 : sizeOf(join(folder, name));
  return {
    next() {
      const found: string[] = [];
      for (;;) {
        const names = recordFileNames(folder);
        const current: string | undefined = name;
        if (current !== undefined) {
          const read = linesFrom(join(folder, current), offset);
          offset = read.end;
          found.push(...read.lines.filter((line) => wanted(line, filter)));
        }
        const following = current === undefined ? names[0] : names.find((candidate) => candidate > current);
        if (following === undefined) return found;
        name = following;
        offset = 0;
      }
    },
  };
}

function wanted(line: string, filter: RecordFilter): boolean {
  const kind = /^\{"seq":\d+,"time":"[^"]*","kind":"([a-z]+)"/.exec(line)?.[1];
  return kind !== undefined && kind !== "batch" && (filter.kind === undefined || kind === filter.kind);
}

function* linesFromEnd(path: string): Generator<string> {
  const fd = openSync(path, "r");
  try {
    let end = fstatSync(fd).size;
    /** The start of what was read so far: the end of a line whose beginning is further up. */
    let rest: Buffer = Buffer.alloc(0);
    while (end > 0) {
      const length = Math.min(CHUNK_BYTES, end);
      const chunk = Buffer.alloc(length);
      readSync(fd, chunk, 0, length, end - length);
      end -= length;
      const content: Buffer = Buffer.concat([chunk, rest]);
      const whole = end === 0 ? 0 : content.indexOf(0x0a) + 1;
      rest = whole === 0 && end > 0 ? content : content.subarray(0, whole);
      if (whole > 0 || end === 0) yield* wholeLines(content.subarray(whole)).toReversed();
    }
  } finally {
    closeSync(fd);
  }
}

function wholeLines(content: Buffer): string[] {
  return content.toString("utf8").split("\n").slice(0, -1);
}

function linesFrom(path: string, offset: number): { readonly lines: string[]; readonly end: number } {
  const fd = openSync(path, "r");
  try {
    const content = Buffer.alloc(Math.max(0, fstatSync(fd).size - offset));
    const read = readSync(fd, content, 0, content.length, offset);
    const end = content.subarray(0, read).lastIndexOf(0x0a) + 1;
    return { lines: wholeLines(content.subarray(0, end)), end: offset + end };
  } finally {
    closeSync(fd);
  }
}

function sizeOf(path: string): number {
  const fd = openSync(path, "r");
  try {
    return fstatSync(fd).size;
  } finally {
    closeSync(fd);
  }
}
