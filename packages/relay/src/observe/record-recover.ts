// Finds the end of the chain when a relay starts. After a kill the newest file may end in lines without their batch
// line, or in half a line: whole lines are sealed in a batch that says so, half a line is cut off.

import type { KeyObject } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { SallyportError } from "@sallyport/shared/errors";
import { type ChainHead, GENESIS, parseBatchLine, parseHead, sealBatch } from "./record-chain.ts";
import { appendLineSync, readTail, recordFileNames } from "./record-files.ts";

/** A batch is at most the recorder's buffer, so this much of a file holds the end of one. */
const TAIL_BYTES = 67_108_864;

export interface RecoveredChain {
  readonly head: ChainHead;
  /** Highest number used so far; 0 for a new record. */
  readonly lastSeq: number;
}

export function recoverChain(folder: string, storedHead: string | undefined, time: string, key: KeyObject | undefined): RecoveredChain {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unsealed: { readonly path: string; readonly bytes: Buffer }[] = [];
  let head: ChainHead | undefined;
  for (const name of recordFileNames(folder).toReversed()) {
    const path = join(folder, name);
    const { content, whole } = readTail(path, TAIL_BYTES);
    const end = lastBatchEnd(content);
    if (end.head === undefined && !whole) {
      throw new SallyportError(
        "ERR_RECORD_DAMAGED",
        `The end of ${path} is not a record file's. Move it away to start; \`audit verify\` will report the gap.`,
      );
    }
    if (end.offset < content.length) unsealed.unshift({ path, bytes: content.subarray(end.offset) });
    head = end.head;
    if (head !== undefined) break;
  }
  // Files that are gone do not start the numbers again: the gap stays visible to `audit verify`.
  let last = later(head, parseHead(storedHead)) ?? { seq: 0, hash: GENESIS };
  head ??= last;
  for (const { path, bytes } of unsealed) {
    head = sealLeftover(path, bytes, Math.max(head.seq, last.seq), head, time, key);
    last = later(head, last) ?? head;
  }
  return { head, lastSeq: last.seq };
}

function sealLeftover(
  path: string,
  bytes: Buffer,
  lastSeq: number,
  previous: ChainHead,
  time: string,
  key: KeyObject | undefined,
): ChainHead {
  const lines = bytes.toString("utf8").split("\n").slice(0, -1);
  const numbers = lines.map((line) => Number(/^\{"seq":(\d{1,16}),/.exec(line)?.[1] ?? 0));
  const seq = Math.max(lastSeq, ...numbers.slice(-1)) + 1;
  const batch = sealBatch({ seq, time, records: lines.length, recovered: true, previous: previous.hash, bytes }, key);
  appendLineSync(path, batch.line);
  return batch.head;
}

/** Where the last batch line of a file ends, and its head. */
function lastBatchEnd(content: Buffer): { readonly offset: number; readonly head: ChainHead | undefined } {
  let end = content.length;
  while (end > 0) {
    const start = content.lastIndexOf(0x0a, end - 2) + 1;
    const batch = parseBatchLine(content.toString("latin1", start, end - 1));
    if (batch !== undefined) return { offset: end, head: { seq: batch.seq, hash: batch.hash } };
    end = start;
  }
  return { offset: 0, head: undefined };
}

function later(a: ChainHead | undefined, b: ChainHead | undefined): ChainHead | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.seq > a.seq ? b : a;
}
