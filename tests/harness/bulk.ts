// Big bodies without big memory: bytes that depend on their position, made on the fly and hashed on the fly, so
// that a lost, repeated or swapped piece shows in the checksum.

import { createHash, randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";

const BLOCK_BYTES = 1 << 20;
// One random block, stamped with its number: fast, and no two blocks are the same.
const block = randomBytes(BLOCK_BYTES);

function* blocks(totalBytes: number): Generator<Buffer> {
  for (let sent = 0, index = 0; sent < totalBytes; sent += BLOCK_BYTES, index += 1) {
    const stamped = Buffer.from(block.subarray(0, Math.min(BLOCK_BYTES, totalBytes - sent)));
    if (stamped.length >= 4) stamped.writeUInt32BE(index);
    yield stamped;
  }
}

/** Writes that many bytes, no faster than they are taken, and ends; resolves with their SHA-256 in hex. */
export async function sendBulk(to: Writable, totalBytes: number): Promise<string> {
  const hash = createHash("sha256");
  for (const piece of blocks(totalBytes)) {
    hash.update(piece);
    if (!to.write(piece)) await room(to);
  }
  to.end();
  return hash.digest("hex");
}

function room(to: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    const drained = (): void => {
      to.off("close", closed);
      resolve();
    };
    const closed = (): void => {
      to.off("drain", drained);
      reject(new Error("closed while sending"));
    };
    to.once("drain", drained);
    to.once("close", closed);
  });
}

export interface Received {
  readonly bytes: number;
  readonly sha256: string;
}

export async function receiveBulk(from: Readable): Promise<Received> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
