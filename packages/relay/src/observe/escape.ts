// Text from strangers as a JSON string that is one line, one field and harmless on a terminal (R-M1). Own code instead
// of JSON.stringify, which leaves U+2028, C1 controls and bidirectional overrides as they are, and which is slower on
// the usual short ASCII text.

/** Longest escaped value of one field, in characters, quotes not counted. */
export const MAX_FIELD_CHARS = 2_048;
/** Stands at the end of a value that was cut. */
export const CUT_MARK = "\u2026";

// Printable ASCII without quote and backslash: goes out as it is.
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
// What may end a line, hide text, turn its direction or drive a terminal: C0, DEL, C1, format characters (Unicode Cf),
// line and paragraph separators, and halves of surrogate pairs that have no partner.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** A JSON string literal, quotes included. Parsed back it is `text`, or the start of it and {@link CUT_MARK}. */
export function quote(text: string): string {
  return text.length <= MAX_FIELD_CHARS && PLAIN.test(text) ? `"${text}"` : quoteSlowly(text);
}

function quoteSlowly(text: string): string {
  let out = "";
  for (const character of text) {
    const escaped = escapeCharacter(character);
    if (out.length + escaped.length > MAX_FIELD_CHARS - CUT_MARK.length) return `"${out}${CUT_MARK}"`;
    out += escaped;
  }
  return `"${out}"`;
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  if (!UNSAFE.test(character)) return character;
  let out = "";
  for (let i = 0; i < character.length; i += 1) out += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return out;
}
