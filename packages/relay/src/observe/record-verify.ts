// `audit verify` (R-M4): reads the record files and finds what was edited, deleted, reordered or cut off. Reads only;
// it may run beside a relay that is writing.

import type { KeyObject } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { type BatchLine, type ChainHead, GENESIS, hashMatches, parseBatchLine, parseHead, signatureMatches } from "./record-chain.ts";
import { recordFileNames } from "./record-files.ts";

/** How much of a file is read at a time, and the most that can belong to one batch. */
const CHUNK_BYTES = 4_194_304;
const MAX_BATCH_BYTES = 134_217_728;

export type RecordProblem =
  | "hash" /** the records of a batch, or the batch line, were changed */
  | "link" /** a batch does not follow the one before it: something between was removed, added or moved */
  | "sequence" /** the numbers of a batch's records do not count up */
  | "signature" /** signed by no key of this relay, or not at all */
  | "start" /** older files are gone and no record says that retention removed them */
  | "end" /** the newest batches that the state remembers are not there */
  | "line"; /** a line that no relay writes */

export type VerifyResult =
  | {
      readonly kind: "intact";
      readonly files: number;
      readonly batches: number;
      readonly records: number;
      readonly firstSeq: number;
      readonly lastSeq: number;
      /** Batches that were sealed at a start after a kill: their lines were not yet protected until then. */
      readonly recovered: number;
      /** Bytes behind the last batch: being written now, or left by a kill. */
      readonly unsealedBytes: number;
    }
  | { readonly kind: "broken"; readonly problem: RecordProblem; readonly file: string; readonly seq: number };

export interface VerifyOptions {
  /** The relay's public record keys, one of which must have signed each batch; undefined accepts unsigned batches. */
  readonly keys?: readonly KeyObject[];
  /** The head that the state remembers. */
  readonly head?: string | undefined;
}

interface Walk {
  previous: Buffer | undefined;
  lastSeq: number;
  firstSeq: number;
  batches: number;
  records: number;
  recovered: number;
  unsealedBytes: number;
  headFound: boolean;
  /** Names of files that retention left as the oldest. */
  readonly oldest: Set<string>;
}

export function verifyRecords(folder: string, options: VerifyOptions = {}): VerifyResult {
  const names = recordFileNames(folder);
  const head = parseHead(options.head);
  const walk: Walk = {
    previous: undefined,
    lastSeq: 0,
    firstSeq: 0,
    batches: 0,
    records: 0,
    recovered: 0,
    unsealedBytes: 0,
    headFound: head === undefined,
    oldest: new Set(),
  };
  for (const name of names) {
    // Only the newest file may end in lines that wait for their batch line.
    if (walk.unsealedBytes > 0) return { kind: "broken", problem: "link", file: name, seq: walk.lastSeq };
    const problem = walkFile(join(folder, name), walk, options.keys, head);
    if (problem !== undefined) return { kind: "broken", problem, file: name, seq: walk.lastSeq };
  }
  const first = names[0] ?? "";
  if (walk.firstSeq > 1 && !walk.oldest.has(first)) return { kind: "broken", problem: "start", file: first, seq: walk.firstSeq };
  if (!walk.headFound) return { kind: "broken", problem: "end", file: names.at(-1) ?? "", seq: walk.lastSeq };
  const { batches, records, firstSeq, lastSeq, recovered, unsealedBytes } = walk;
  return { kind: "intact", files: names.length, batches, records, firstSeq, lastSeq, recovered, unsealedBytes };
}

function walkFile(
  path: string,
  walk: Walk,
  keys: readonly KeyObject[] | undefined,
  head: ChainHead | undefined,
): RecordProblem | undefined {
  const fd = openSync(path, "r");
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const read = readSync(fd, chunk, 0, CHUNK_BYTES, null);
      rest = Buffer.concat([rest, chunk.subarray(0, read)]);
      const walked = walkBatches(rest, walk, keys, head);
      if (typeof walked === "string") return walked;
      rest = rest.subarray(walked);
      if (read === 0) break;
      if (rest.length > MAX_BATCH_BYTES) return "line";
    }
    walk.unsealedBytes = rest.length;
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Checks the whole batches at the start of `content`. @returns where the last of them ends, or what is wrong. */
function walkBatches(
  content: Buffer,
  walk: Walk,
  keys: readonly KeyObject[] | undefined,
  head: ChainHead | undefined,
): number | RecordProblem {
  let batchStart = 0;
  let lines: string[] = [];
  for (let start = 0; start < content.length;) {
    const end = content.indexOf(0x0a, start);
    if (end < 0) break;
    const line = content.toString("utf8", start, end);
    const batch = parseBatchLine(line);
    if (batch === undefined) lines.push(line);
    else {
      const problem = checkBatch(batch, content.subarray(batchStart, start), lines, walk, keys);
      if (problem !== undefined) return problem;
      if (head !== undefined && batch.seq === head.seq) walk.headFound = batch.hash.equals(head.hash);
      lines = [];
      batchStart = end + 1;
    }
    start = end + 1;
  }
  return batchStart;
}

function checkBatch(
  batch: BatchLine,
  bytes: Uint8Array,
  lines: readonly string[],
  walk: Walk,
  keys: readonly KeyObject[] | undefined,
): RecordProblem | undefined {
  if (walk.previous !== undefined && !walk.previous.equals(batch.previous)) return "link";
  if (!hashMatches(batch, bytes) || lines.length !== batch.records) return "hash";
  if (keys !== undefined && !keys.some((key) => signatureMatches(batch, key))) return "signature";
  for (const line of lines) {
    const problem = checkLine(line, walk);
    if (problem !== undefined) return problem;
  }
  if (walk.lastSeq !== 0 && batch.seq !== walk.lastSeq + 1) return "sequence";
  // A chain that starts with number one starts with the genesis hash: nothing was before it.
  if (walk.previous === undefined && walk.firstSeq === 1 && !batch.previous.equals(GENESIS)) return "link";
  walk.previous = batch.hash;
  walk.lastSeq = batch.seq;
  walk.batches += 1;
  walk.records += lines.length;
  if (batch.recovered) walk.recovered += 1;
  return undefined;
}

function checkLine(line: string, walk: Walk): RecordProblem | undefined {
  const seq = Number(/^\{"seq":(\d{1,16}),"time":"/.exec(line)?.[1] ?? Number.NaN);
  if (Number.isNaN(seq)) return "line";
  if (walk.firstSeq === 0) walk.firstSeq = seq;
  else if (seq !== walk.lastSeq + 1) return "sequence";
  walk.lastSeq = seq;
  const removed = /^.{1,80}"kind":"event","type":"record\.removed",.*"detail":"(records-\d{16}\.jsonl)"/.exec(line)?.[1];
  if (removed !== undefined) walk.oldest.add(removed);
  return undefined;
}
