// Lines that wait to be written, as bytes in one piece of memory that is used again: no list of strings, no joining, and
// nothing for the collector to carry. Must not know what a line says.

/** Most octets of one UTF-16 unit in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

export class LineBuffer {
  readonly #usualBytes: number;
  #memory: Buffer;
  /** Memory whose lines have been written. */
  #spare: Buffer | undefined;
  #length = 0;

  /** @param usualBytes to begin with; it doubles when more has to wait, and is given back once that has been written */
  constructor(usualBytes: number) {
    this.#usualBytes = usualBytes;
    this.#memory = Buffer.allocUnsafeSlow(usualBytes);
  }

  /** Octets that wait. */
  get length(): number {
    return this.#length;
  }

  append(line: string): void {
    const needed = this.#length + line.length * MAX_BYTES_PER_UNIT;
    if (needed > this.#memory.length) this.#grow(needed);
    this.#length += this.#memory.write(line, this.#length, "utf8");
  }

  /** What waits, without taking it; good until the next call. */
  peek(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  /** Takes what waits. Hand it back to {@link giveBack} when it is not needed any more. */
  take(): Buffer {
    const taken = this.peek();
    this.#memory = this.#spare ?? Buffer.allocUnsafeSlow(this.#usualBytes);
    this.#spare = undefined;
    this.#length = 0;
    return taken;
  }

  giveBack(taken: Buffer): void {
    if (taken.buffer.byteLength === this.#usualBytes) this.#spare = Buffer.from(taken.buffer);
  }

  #grow(needed: number): void {
    let size = this.#memory.length;
    while (size < needed) size *= 2;
    const grown = Buffer.allocUnsafeSlow(size);
    this.#memory.copy(grown, 0, 0, this.#length);
    this.#memory = grown;
  }
}
