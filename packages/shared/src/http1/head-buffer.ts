// Finds the end of a message head in what a socket brings, piece by piece (RFC 9112 section 2.1). The common head
// lies within one read and is turned into text without a copy; only a divided one is collected, up to a bound.
// Must not know what a head says.

const CR = 0x0d;
const LF = 0x0a;
const HEAD_END = Buffer.from("\r\n\r\n", "latin1");
const FIRST_CAPACITY = 1_024;

export interface HeadLimits {
  /** Most bytes of a head with its closing empty line. */
  readonly maxBytes: number;
  /** Most bytes of its first line. */
  readonly maxFirstLineBytes: number;
}

export type HeadBufferFault =
  /** Longer than `maxBytes`. */
  | "head-too-large"
  /** The first line is longer than `maxFirstLineBytes`. */
  | "first-line-too-large"
  /** An octet that no head holds: told at once, not only when the head would have ended. */
  | "octet";

/**
 * @example
 *   const text = buffer.push(chunk, at);
 *   if (text === undefined) // buffer.fault, or more is needed
 *   else // text holds every line with its CRLF, without the empty one; the message goes on at buffer.next
 */
export class HeadBuffer {
  readonly #limits: HeadLimits;
  #held: Buffer | undefined;
  #length = 0;
  /** Octets of {@link #held} that were looked at already. */
  #checked = 0;
  #firstLineSeen = false;
  /** Why the head cannot be read; final. */
  fault: HeadBufferFault | undefined;
  /** Where the octets behind the head begin in the chunk that completed it. */
  next = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Some octets of a head are here, but not all. */
  get begun(): boolean {
    return this.#length > 0;
  }

  /** @returns the head's lines as latin1 text, each with its CRLF; undefined while it is incomplete or when it has a {@link fault}. */
  push(chunk: Buffer, at: number): string | undefined {
    if (this.#length > 0) return this.#pushHeld(chunk, at);
    const end = chunk.indexOf(HEAD_END, at);
    if (end === -1) {
      this.#hold(chunk, at, Math.min(chunk.length, at + this.#limits.maxBytes + 1));
      return undefined;
    }
    if (end + HEAD_END.length - at > this.#limits.maxBytes) {
      this.#tooLarge(chunk.subarray(at, end));
      return undefined;
    }
    this.next = end + HEAD_END.length;
    return chunk.toString("latin1", at, end + 2);
  }

  /** Forgets what was collected. */
  reset(): void {
    this.#held = undefined;
    this.#length = 0;
    this.#checked = 0;
    this.#firstLineSeen = false;
  }

  #pushHeld(chunk: Buffer, at: number): string | undefined {
    const before = this.#length;
    this.#hold(chunk, at, Math.min(chunk.length, at + this.#limits.maxBytes - before + 1));
    const held = this.#held as Buffer;
    const end = held.subarray(0, this.#length).indexOf(HEAD_END, Math.max(0, before - HEAD_END.length + 1));
    if (end === -1) return undefined;
    if (end + HEAD_END.length > this.#limits.maxBytes) this.fault = "head-too-large";
    if (this.fault !== undefined) return undefined;
    this.next = at + end + HEAD_END.length - before;
    const text = held.toString("latin1", 0, end + 2);
    this.reset();
    return text;
  }

  #hold(chunk: Buffer, from: number, to: number): void {
    const needed = this.#length + to - from;
    if (this.#held === undefined || this.#held.length < needed) this.#grow(needed);
    chunk.copy(this.#held as Buffer, this.#length, from, to);
    this.#length = needed;
    this.#check();
  }

  #grow(needed: number): void {
    let capacity = this.#held?.length ?? FIRST_CAPACITY;
    while (capacity < needed) capacity *= 2;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#held?.copy(grown, 0, 0, this.#length);
    this.#held = grown;
  }

  /** What is incomplete must at least be able to become a head: a TLS hello or bare LFs would otherwise wait for the timeout. */
  #check(): void {
    const held = this.#held as Buffer;
    // The last octet waits for the next one: a CR must be followed by LF.
    for (; this.#checked < this.#length - 1; this.#checked++) {
      const octet = held[this.#checked] as number;
      const next = held[this.#checked + 1] as number;
      if ((octet === CR) !== (next === LF)) return void (this.fault = "octet");
      if (octet === CR) {
        if (this.#endsHead(held)) return;
        this.#firstLineSeen ||= this.#checked > 0;
      } else if (octet === LF ? this.#checked === 0 : isControl(octet)) return void (this.fault = "octet");
    }
    const last = held[this.#length - 1] as number;
    if (last !== CR && last !== LF && isControl(last)) return void (this.fault = "octet");
    if (this.#length === 1 && last === LF) return void (this.fault = "octet");
    this.#checkSize();
  }

  /** The octets before `#checked` close the head: what follows is no part of it. */
  #endsHead(held: Buffer): boolean {
    const at = this.#checked;
    return at >= 2 && held[at - 1] === LF && held[at - 2] === CR;
  }

  #checkSize(): void {
    const { maxBytes, maxFirstLineBytes } = this.#limits;
    if (!this.#firstLineSeen && this.#length > maxFirstLineBytes) this.fault = "first-line-too-large";
    else if (this.#length > maxBytes) this.fault = "head-too-large";
  }

  #tooLarge(head: Buffer): void {
    const firstLine = head.indexOf("\r\n", 1);
    const tooLong = firstLine === -1 || firstLine > this.#limits.maxFirstLineBytes;
    this.fault = tooLong ? "first-line-too-large" : "head-too-large";
  }
}

/** C0 controls but HTAB, and DEL. */
function isControl(octet: number): boolean {
  return (octet < 0x20 && octet !== 0x09) || octet === 0x7f;
}
