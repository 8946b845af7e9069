// As much of HPACK (RFC 7541) as it takes to read the heads of answers on a connection whose dynamic table has size 0: the
// Huffman code up to 15 bits, which covers all that an answer here is made of, and of the static table only `:status`.

const STATUS_INDEX = 8;
const STATUSES = ["200", "204", "206", "304", "400", "404", "500"];

/** Symbols by the length of their code; the code is canonical, so nothing else is needed (appendix B). */
const SYMBOLS: ReadonlyMap<number, string> = new Map([
  [5, "012aceiost"],
  [6, " %-./3456789=A_bdfghlmnpru"],
  [7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"],
  [8, "&*,;XZ"],
  [10, '!"()?'],
  [11, "'+|"],
  [12, "#>"],
  [13, "\0$@[]~"],
  [14, "^}"],
  [15, "<`{"],
]);
const MAX_CODE_BITS = 15;

function codes(): ReadonlyMap<string, string> {
  const table = new Map<string, string>();
  let code = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
    code <<= 1;
    for (const symbol of (SYMBOLS.get(bits) ?? "").split("")) {
      table.set(code.toString(2).padStart(bits, "0"), symbol);
      code++;
    }
  }
  return table;
}

const CODES: ReadonlyMap<string, string> = codes();

export class HpackReader {
  #block: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Name and value in order; a name from the static table other than `:status` is `#` and its index. */
  read(block: Buffer): (readonly [name: string, value: string])[] {
    this.#block = block;
    this.#at = 0;
    const fields: (readonly [string, string])[] = [];
    while (this.#at < block.length) {
      const first = block.readUInt8(this.#at);
      if ((first & 0x80) !== 0) fields.push(indexed(this.#integer(7)));
      else if ((first & 0xe0) === 0x20) this.#integer(5);
      else fields.push(this.#literal(this.#integer((first & 0x40) === 0 ? 4 : 6)));
    }
    return fields;
  }

  #literal(index: number): readonly [string, string] {
    const name = index === 0 ? this.#text() : indexed(index)[0];
    return [name, this.#text()];
  }

  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#octet() & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      const octet = this.#octet();
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
  }

  #text(): string {
    const huffman = (this.#block.readUInt8(this.#at) & 0x80) !== 0;
    const length = this.#integer(7);
    const bytes = this.#block.subarray(this.#at, this.#at + length);
    this.#at += length;
    return huffman ? decodeHuffman(bytes) : bytes.toString("latin1");
  }

  #octet(): number {
    return this.#block.readUInt8(this.#at++);
  }
}

function indexed(index: number): readonly [string, string] {
  const status = index >= STATUS_INDEX ? STATUSES[index - STATUS_INDEX] : undefined;
  return status === undefined ? [`#${index}`, ""] : [":status", status];
}

function decodeHuffman(bytes: Buffer): string {
  let text = "";
  let bits = "";
  for (const octet of bytes) {
    for (const bit of octet.toString(2).padStart(8, "0")) {
      bits += bit;
      const symbol = CODES.get(bits);
      if (symbol === undefined) continue;
      text += symbol;
      bits = "";
    }
  }
  return text;
}
