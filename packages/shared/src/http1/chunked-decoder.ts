// The chunked transfer coding, taken apart strictly (RFC 9112 section 7.1, R-D1): hexadecimal sizes of at most 16
// digits, CRLF only, extensions within a bound and dropped, trailers within a bound. Gives views of what it was fed.
// Must not know messages or sockets.

import { firstValue, NO_FIELDS, type Fields } from "../http/fields.ts";
import { readFieldLines } from "./field-lines.ts";

/** Receives the pieces of a body in order. */
export interface BodySink {
  /** `chunk` is a view of what the decoder was fed: copy what is to last longer than the call. */
  bodyBytes(chunk: Buffer): void;
}

const MAX_SIZE_DIGITS = 16;
const MAX_EXTENSION_BYTES = 256;
/** Trailers of one message, names, values and line ends together. */
const MAX_TRAILER_BYTES = 16_384;

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const QUOTED = '"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const EXTENSIONS = new RegExp(`^(?:;${TOKEN}+(?:=(?:${TOKEN}+|${QUOTED}))?)+$`);

type State = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailer" | "done";

export class ChunkedDecoder {
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #left = 0;
  /** Extensions of the current chunk, then the trailer section. */
  #text = "";
  /** Trailers of the message once it is {@link done}. */
  trailers: Fields = NO_FIELDS;

  get done(): boolean {
    return this.#state === "done";
  }

  /** Makes ready for the next message. */
  reset(): void {
    this.#state = "size";
    this.#size = 0;
    this.#digits = 0;
    this.#text = "";
    this.trailers = NO_FIELDS;
  }

  /** @returns index of the first octet behind the body, `chunk.length` while it goes on; -1 when it is malformed */
  push(chunk: Buffer, at: number, sink: BodySink): number {
    while (at < chunk.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(chunk.length, at + this.#left);
        this.#left -= end - at;
        if (this.#left === 0) this.#state = "data-cr";
        sink.bodyBytes(chunk.subarray(at, end));
        at = end;
      } else if (!this.#octet(chunk[at++] as number)) return -1;
    }
    return at;
  }

  #octet(octet: number): boolean {
    switch (this.#state) {
      case "size":
        return this.#sizeOctet(octet);
      case "extension":
        return octet === CR ? this.#endExtension() : this.#collect(octet, MAX_EXTENSION_BYTES);
      case "size-lf":
        return octet === LF && this.#beginChunk();
      case "data-cr":
        this.#state = "data-lf";
        return octet === CR;
      case "data-lf":
        this.#state = "size";
        return octet === LF;
      case "trailer":
        return this.#collect(octet, MAX_TRAILER_BYTES) && (octet !== LF || this.#endTrailerLine());
      case "data":
      case "done":
        return false;
    }
  }

  #sizeOctet(octet: number): boolean {
    const digit = hexDigit(octet);
    if (digit !== -1) {
      this.#size = this.#size * 16 + digit;
      return ++this.#digits <= MAX_SIZE_DIGITS;
    }
    if (this.#digits === 0) return false;
    if (octet === CR) this.#state = "size-lf";
    else if (octet === SEMICOLON) {
      this.#state = "extension";
      this.#text = ";";
    } else return false;
    return true;
  }

  #collect(octet: number, maxBytes: number): boolean {
    this.#text += String.fromCharCode(octet);
    return this.#text.length <= maxBytes;
  }

  #endExtension(): boolean {
    this.#state = "size-lf";
    const valid = EXTENSIONS.test(this.#text);
    this.#text = "";
    return valid;
  }

  #beginChunk(): boolean {
    if (this.#size > Number.MAX_SAFE_INTEGER) return false;
    this.#left = this.#size;
    this.#state = this.#size === 0 ? "trailer" : "data";
    this.#size = 0;
    this.#digits = 0;
    return true;
  }

  /** A line of the trailer section is here; the empty one ends the message. */
  #endTrailerLine(): boolean {
    if (this.#text !== "\r\n" && !this.#text.endsWith("\r\n\r\n")) return this.#text.endsWith("\r\n");
    this.#state = "done";
    if (this.#text === "\r\n") return true;
    const trailers: string[] = [];
    this.trailers = trailers;
    return readFieldLines(this.#text.slice(0, -2), 0, trailers) && !carriesFraming(trailers);
  }
}

/** Framing behind the body is meant for somebody who takes trailers for headers (RFC 9110 section 6.5.1). */
function carriesFraming(trailers: Fields): boolean {
  return firstValue(trailers, "content-length") !== undefined || firstValue(trailers, "transfer-encoding") !== undefined;
}

function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
