// The hash chain over the record (R-M4). Records are written in batches; each ends with a line of kind "batch", whose
// hash covers the hash of the batch before it, the bytes of its records, and itself up to the hash:
//
//   hash = SHA-256( previous hash, 32 bytes · record lines · batch line up to `,"hash"` )
//   sig  = Ed25519( "sallyport record v1" 0x00 · hash ), by the relay's record key

import { createHash, type KeyObject, sign, verify } from "node:crypto";

const SIGNATURE_CONTEXT = Buffer.from("sallyport record v1\0", "latin1");
/** What the first batch of all follows. */
export const GENESIS: Buffer = Buffer.alloc(32);

/** Where a chain stands after a batch. */
export interface ChainHead {
  /** Sequence number of the batch line. */
  readonly seq: number;
  readonly hash: Buffer;
}

/** The head as text, for where it is kept apart from the files. */
export function formatHead(head: ChainHead): string {
  return `${head.seq} ${head.hash.toString("base64url")}`;
}

/** @returns undefined when the text is none. */
export function parseHead(text: string | undefined): ChainHead | undefined {
  const match = /^(\d{1,16}) ([\w-]{43})$/.exec(text ?? "");
  return match === null ? undefined : { seq: Number(match[1]), hash: Buffer.from(match[2] ?? "", "base64url") };
}

export interface BatchInput {
  readonly seq: number;
  readonly time: string;
  /** Number of record lines. */
  readonly records: number;
  /** True for lines found without a batch line at start: written just before the relay was killed. */
  readonly recovered: boolean;
  readonly previous: Buffer;
  readonly bytes: Uint8Array;
}

export interface SealedBatch {
  /** The batch line with its line break. */
  readonly line: string;
  readonly head: ChainHead;
}

export function sealBatch(batch: BatchInput, key: KeyObject | undefined): SealedBatch {
  const open =
    `{"seq":${batch.seq},"time":"${batch.time}","kind":"batch","records":${batch.records}` +
    `${batch.recovered ? ',"recovered":true' : ""},"prev":"${batch.previous.toString("base64url")}"`;
  const hash = chainHash(batch.previous, batch.bytes, open);
  const signature = key === undefined ? "" : `,"sig":"${sign(null, signedBytes(hash), key).toString("base64url")}"`;
  return { line: `${open},"hash":"${hash.toString("base64url")}"${signature}}\n`, head: { seq: batch.seq, hash } };
}

/** A batch line, read back. */
export interface BatchLine {
  readonly seq: number;
  readonly records: number;
  readonly recovered: boolean;
  readonly previous: Buffer;
  readonly hash: Buffer;
  readonly signature: Buffer | undefined;
  /** The line up to its hash. */
  readonly open: string;
}

const BATCH_LINE =
  /^(\{"seq":(\d{1,16}),"time":"[^"]{1,40}","kind":"batch","records":(\d{1,10})(,"recovered":true)?,"prev":"([\w-]{43})"),"hash":"([\w-]{43})"(?:,"sig":"([\w-]{86})")?\}$/;

/** @returns undefined when the line is not a batch line in exactly the form that is written. */
export function parseBatchLine(line: string): BatchLine | undefined {
  const match = BATCH_LINE.exec(line);
  if (match === null) return undefined;
  const [, open = "", seq, records, recovered, previous = "", hash = "", signature] = match;
  return {
    seq: Number(seq),
    records: Number(records),
    recovered: recovered !== undefined,
    previous: Buffer.from(previous, "base64url"),
    hash: Buffer.from(hash, "base64url"),
    signature: signature === undefined ? undefined : Buffer.from(signature, "base64url"),
    open,
  };
}

export function hashMatches(batch: BatchLine, bytes: Uint8Array): boolean {
  return chainHash(batch.previous, bytes, batch.open).equals(batch.hash);
}

export function signatureMatches(batch: BatchLine, key: KeyObject): boolean {
  return batch.signature !== undefined && verify(null, signedBytes(batch.hash), key, batch.signature);
}

function chainHash(previous: Buffer, bytes: Uint8Array, open: string): Buffer {
  return createHash("sha256").update(previous).update(bytes).update(open).digest();
}

function signedBytes(hash: Buffer): Buffer {
  return Buffer.concat([SIGNATURE_CONTEXT, hash]);
}
