// The streams of a connection by their number, in a table that is written in place. Not a Map: streams come and go by the
// thousand, and V8's Map leaves its elements in each table that it has outgrown, and from there a way to the next table. One
// of them in old memory keeps alive whatever went through the Map since, until a major collection: measured with 64 streams
// at a time, 16 MB survived each minor collection, which took 28 ms; here 0.1 MB and 0.2 ms. Must not know what a stream is.

const SMALLEST_CAPACITY = 64;
/** 2^32 divided by the golden ratio: spreads numbers that follow one another (Knuth, volume 3, section 6.4). */
const SPREAD = 0x9e3779b1;
/** No stream has the number 0. */
const EMPTY = 0;

export class StreamTable<Stream> {
  #ids = new Uint32Array(SMALLEST_CAPACITY);
  #streams: (Stream | undefined)[] = new Array<Stream | undefined>(SMALLEST_CAPACITY).fill(undefined);
  #shift = 32 - Math.log2(SMALLEST_CAPACITY);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Stream | undefined {
    return this.#streams[this.#find(id)];
  }

  /** @param id 1 to 2^32 - 1 */
  set(id: number, stream: Stream): void {
    let at = this.#find(id);
    if (this.#ids[at] === EMPTY) {
      if ((this.#size + 1) * 2 > this.#ids.length) {
        this.#resize(this.#ids.length * 2);
        at = this.#find(id);
      }
      this.#size++;
    }
    this.#ids[at] = id;
    this.#streams[at] = stream;
  }

  delete(id: number): void {
    const at = this.#find(id);
    if (this.#ids[at] === EMPTY) return;
    this.#size--;
    this.#close(at);
    const capacity = this.#ids.length;
    if (capacity > SMALLEST_CAPACITY && this.#size * 8 < capacity) this.#resize(capacity / 2);
  }

  /** All of them as they are now: the table may change while they are looked at. */
  all(): Stream[] {
    return this.#streams.filter((stream) => stream !== undefined);
  }

  clear(): void {
    this.#size = 0;
    this.#allocate(SMALLEST_CAPACITY);
  }

  /** Where `id` is, or where it would go (linear probing). */
  #find(id: number): number {
    const last = this.#ids.length - 1;
    let at = Math.imul(id, SPREAD) >>> this.#shift;
    while (this.#ids[at] !== id && this.#ids[at] !== EMPTY) at = (at + 1) & last;
    return at;
  }

  /** Moves back what was put behind the freed place for want of it, so that no search ends too early. */
  #close(hole: number): void {
    const last = this.#ids.length - 1;
    for (let at = (hole + 1) & last; this.#ids[at] !== EMPTY; at = (at + 1) & last) {
      const home = Math.imul(this.#ids[at] as number, SPREAD) >>> this.#shift;
      // Distances around the ring: it may move when its home is not between the hole and where it is.
      if (((at - home) & last) < ((at - hole) & last)) continue;
      this.#ids[hole] = this.#ids[at] as number;
      this.#streams[hole] = this.#streams[at];
      hole = at;
    }
    this.#ids[hole] = EMPTY;
    this.#streams[hole] = undefined;
  }

  #resize(capacity: number): void {
    const ids = this.#ids;
    const streams = this.#streams;
    this.#allocate(capacity);
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] === EMPTY) continue;
      const at = this.#find(ids[i] as number);
      this.#ids[at] = ids[i] as number;
      this.#streams[at] = streams[i];
      // The old table may live on in old memory for a while; nothing shall live on by it.
      streams[i] = undefined;
    }
  }

  #allocate(capacity: number): void {
    this.#ids = new Uint32Array(capacity);
    this.#streams = new Array<Stream | undefined>(capacity).fill(undefined);
    this.#shift = 32 - Math.log2(capacity);
  }
}
