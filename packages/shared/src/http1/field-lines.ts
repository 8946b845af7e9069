// The field lines of a head or of trailers, read strictly: one spelling of each line, or none (RFC 9112 section 5,
// R-D1). No folding, no bare CR or LF, no whitespace before the colon. Must not know what fields mean, but for framing.

import { isOws, TOKEN_OCTETS } from "../http/grammar.ts";

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/** Finds the first octet that no field value holds; in a well-formed line that is its CR. One pass in native code. */
const AFTER_VALUE = /[^\t\x20-\x7e\x80-\xff]/g;

/**
 * Reads the field lines of `text` from `at` to its end into `fields`, optional whitespace around values taken off.
 * @param text latin1; every line ends in CRLF, and there is no empty line
 * @returns whether all of it is well formed
 */
export function readFieldLines(text: string, at: number, fields: string[]): boolean {
  const end = text.length;
  while (at < end) {
    const colon = skipToken(text, at);
    if (colon === at || text.charCodeAt(colon) !== COLON) return false;
    let from = colon + 1;
    while (isOws(text.charCodeAt(from))) from++;
    const lineEnd = endOfValue(text, from);
    if (lineEnd === -1) return false;
    let to = lineEnd;
    while (to > from && isOws(text.charCodeAt(to - 1))) to--;
    const name = text.slice(at, colon);
    // A HTAB that one recipient strips is part of the value for another, who then sees another framing (R-D1).
    if (isFraming(name) && text.slice(colon, lineEnd).includes("\t")) return false;
    fields.push(name, text.slice(from, to));
    at = lineEnd + 2;
  }
  return true;
}

function isFraming(name: string): boolean {
  if (name.length === 17) return name.toLowerCase() === "transfer-encoding";
  return name.length === 14 && name.toLowerCase() === "content-length";
}

/** Index of the first octet from `at` that is no token octet. */
export function skipToken(text: string, at: number): number {
  while (TOKEN_OCTETS[text.charCodeAt(at)] === 1) at++;
  return at;
}

/** Index of the CRLF that ends the line, when only octets of field values stand before it; else -1. */
export function endOfValue(text: string, from: number): number {
  AFTER_VALUE.lastIndex = from;
  if (!AFTER_VALUE.test(text)) return -1;
  const at = AFTER_VALUE.lastIndex - 1;
  return text.charCodeAt(at) === CR && text.charCodeAt(at + 1) === LF ? at : -1;
}
