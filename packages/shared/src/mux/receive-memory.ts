// Memory of body bytes that arrived for one stream: a message's own memory is used again as soon as it has been read, so what
// a stream keeps is copied, in its own size. An owner that says when it is done with the bytes (a socket has taken them) gives
// the memory back for the next chunk: a relay in front of fast and of slow readers then makes next to no garbage, and what a
// thousand stalled readers hold is what they have not read. Knows no frames and no credit.

/** Smaller chunks are left to the collector (StreamHandler.releases names this size). */
const MIN_BLOCK_BYTES = 8_192;
/** Up to this size a copy shares its memory with others. */
const SHARED_BYTES = 1_024;
/** Larger chunks than our programs send, for which nothing is kept. */
const MAX_BLOCK_BYTES = 32_768;
/** What is kept of each of the sizes 8, 16 and 32 KiB for the next chunk. */
const SPARE_BYTES_PER_SIZE = 2_097_152;

/** Blocks that wait for a chunk, by the number of doublings of {@link MIN_BLOCK_BYTES}. */
const spares: ArrayBuffer[][] = Array.from({ length: sizeIndex(MAX_BLOCK_BYTES) + 1 }, () => []);

export class ReceiveMemory {
  /** What the owner has not consumed, oldest first. */
  readonly #chunks: Buffer[] = [];
  /** Consumed bytes of the oldest. */
  #consumedBytes = 0;

  /** @returns a copy that lasts until {@link release} has been told all its bytes */
  copy(chunk: Buffer): Buffer {
    const copy = chunk.length < MIN_BLOCK_BYTES || chunk.length > MAX_BLOCK_BYTES ? ownCopy(chunk) : blockFor(chunk);
    this.#chunks.push(copy);
    return copy;
  }

  /** The owner is done with the oldest `bytes`. */
  release(bytes: number): void {
    this.#consumedBytes += bytes;
    for (;;) {
      const oldest = this.#chunks[0];
      if (oldest === undefined || this.#consumedBytes < oldest.length) return;
      this.#consumedBytes -= oldest.length;
      this.#chunks.shift();
      if (oldest.length >= MIN_BLOCK_BYTES && oldest.length <= MAX_BLOCK_BYTES) keep(oldest.buffer as ArrayBuffer);
    }
  }
}

/** A copy that keeps no more memory alive than its size, but for small ones, which share some. */
export function ownCopy(chunk: Buffer): Buffer {
  if (chunk.length < SHARED_BYTES) return Buffer.from(chunk);
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  copy.set(chunk);
  return copy;
}

function blockFor(chunk: Buffer): Buffer {
  const index = sizeIndex(chunk.length);
  const block = Buffer.from(
    spares[index]?.pop() ?? (Buffer.allocUnsafeSlow(MIN_BLOCK_BYTES << index).buffer as ArrayBuffer),
    0,
    chunk.length,
  );
  block.set(chunk);
  return block;
}

function keep(block: ArrayBuffer): void {
  const kept = spares[sizeIndex(block.byteLength)] as ArrayBuffer[];
  if (kept.length * block.byteLength < SPARE_BYTES_PER_SIZE) kept.push(block);
}

/** Index of the smallest size that holds `bytes`. */
function sizeIndex(bytes: number): number {
  return Math.max(0, 32 - Math.clz32((bytes - 1) >>> 13));
}
