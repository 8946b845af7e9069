// Body bytes of one stream that wait for credit or for a turn. They are copied in, so that whoever wrote them can use the
// memory again at once (one read buffer serves all origins), and so that little waits for a stalled reader in little memory
// instead of keeping all of a large read. The blocks are used again: what lives for milliseconds must not become work for
// the garbage collector. Knows no frames and no credit.

/** Memory is taken in pieces of this size; it is what a queue of one byte costs. */
export const BLOCK_BYTES = 8_192;
/** Blocks kept for the next queue: 4 MiB. */
const MAX_SPARES = 512;

const spares: Buffer[] = [];

export class SendQueue {
  #blocks: Buffer[] = [];
  /** Where the first block's unsent bytes begin, and the last block's end. */
  #from = 0;
  #to = BLOCK_BYTES;
  bytes = 0;

  /** Copies what is in `chunk` from `start` on. */
  push(chunk: Uint8Array, start: number): void {
    this.bytes += chunk.length - start;
    for (let at = start; at < chunk.length;) {
      if (this.#to === BLOCK_BYTES) {
        this.#blocks.push(spares.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES));
        this.#to = 0;
      }
      const size = Math.min(chunk.length - at, BLOCK_BYTES - this.#to);
      const block = this.#blocks[this.#blocks.length - 1] as Buffer;
      block.set(at === 0 && size === chunk.length ? chunk : chunk.subarray(at, at + size), this.#to);
      this.#to += size;
      at += size;
    }
  }

  /** Moves the first `size` bytes to `target`, at most {@link bytes}. */
  take(size: number, target: Uint8Array, offset: number): void {
    this.bytes -= size;
    for (let left = size, at = offset; left > 0;) {
      const block = this.#blocks[0] as Buffer;
      const piece = Math.min(left, BLOCK_BYTES - this.#from);
      target.set(block.subarray(this.#from, this.#from + piece), at);
      this.#from += piece;
      at += piece;
      left -= piece;
      if (this.#from === BLOCK_BYTES) this.#dropFirst();
    }
    if (this.bytes === 0) this.clear();
  }

  clear(): void {
    this.bytes = 0;
    while (this.#blocks.length > 0) this.#dropFirst();
    this.#to = BLOCK_BYTES;
  }

  #dropFirst(): void {
    const block = this.#blocks.shift() as Buffer;
    this.#from = 0;
    if (spares.length < MAX_SPARES) spares.push(block);
  }
}
