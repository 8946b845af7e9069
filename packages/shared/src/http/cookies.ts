// Cookie fields as text (RFC 6265 section 4.2): find one cookie, leave out Sallyport's own, without parsing the
// rest into objects. Must not know what a cookie's value means.

import type { Fields } from "./fields.ts";
import { isOws, trimOws } from "./grammar.ts";

export type CookieReading =
  | { readonly kind: "absent" }
  | { readonly kind: "value"; readonly value: string }
  /** Several with this name and different values (tossed in from a sibling domain): no session (R-C7, R-H3). */
  | { readonly kind: "conflict" };

const ABSENT: CookieReading = Object.freeze({ kind: "absent" });
const CONFLICT: CookieReading = Object.freeze({ kind: "conflict" });

const EQUALS = 0x3d;
const SEMICOLON = 0x3b;

/**
 * Names never forwarded to an origin nor taken from one (R-C7, R-C8): Sallyport's own with and without prefix,
 * and the cookie of the Access-compatible contract. In any case, because some origins ignore it.
 */
const RESERVED_COOKIE = /^(?:__(?:host|secure)-)?sallyport_|^cf_authorization[ \t\x85\xa0]*(?:=|$)/i;
const NEXT_LINE = 0x85;
const NO_BREAK_SPACE = 0xa0;
/** First letters a reserved cookie name can have: `_`, s, c in both cases; what lets a pair pass without the pattern. */
const RESERVED_FIRST = "_sScC";

/** Reads the cookie `name` (case-sensitive) from all Cookie fields, HTTP/2 crumbs included. */
export function readCookie(fields: Fields, name: string): CookieReading {
  let found: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const fieldName = fields[i] as string;
    if (fieldName.length !== 6 || fieldName.toLowerCase() !== "cookie") continue;
    const line = fields[i + 1] as string;
    for (let at = line.indexOf(name); at >= 0; at = line.indexOf(name, at + name.length)) {
      const equals = skipOws(line, at + name.length);
      if (line.charCodeAt(equals) !== EQUALS || !startsPair(line, at)) continue;
      const value = pairValue(line, equals + 1);
      if (found !== undefined && found !== value) return CONFLICT;
      found = value;
    }
  }
  return found === undefined ? ABSENT : { kind: "value", value: found };
}

/** The Cookie value without reserved cookies, every other pair byte-exact; the same string when there are none, empty when nothing is left. */
export function withoutReservedCookies(value: string): string {
  if (!holdsReservedCookie(value)) return value;
  const kept = value.split(";").filter((pair) => !isReservedCookie(pair));
  return trimOws(kept.join(";"));
}

/** Whether a `name=value` pair (as in Cookie, or first in Set-Cookie) has a reserved name, also behind an empty one (`=name=value`). */
export function isReservedCookie(pair: string): boolean {
  let start = skipBlank(pair, 0);
  while (pair.charCodeAt(start) === EQUALS) start = skipBlank(pair, start + 1);
  return RESERVED_FIRST.includes(pair.charAt(start)) && start < pair.length && RESERVED_COOKIE.test(start === 0 ? pair : pair.slice(start));
}

function holdsReservedCookie(value: string): boolean {
  let start = 0;
  for (;;) {
    const end = value.indexOf(";", start);
    let first = skipBlank(value, start);
    while (value.charCodeAt(first) === EQUALS) first = skipBlank(value, first + 1);
    const candidate = first < value.length && RESERVED_FIRST.includes(value.charAt(first));
    if (candidate && isReservedCookie(end < 0 ? value.slice(start) : value.slice(start, end))) return true;
    if (end < 0) return false;
    start = end + 1;
  }
}

function startsPair(line: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isOws(line.charCodeAt(before))) before--;
  return before < 0 || line.charCodeAt(before) === SEMICOLON;
}

function pairValue(line: string, from: number): string {
  const end = line.indexOf(";", from);
  return trimOws(end < 0 ? line.slice(from) : line.slice(from, end));
}

/** Also what origins skip that strip names as Unicode text: U+0085 and U+00A0 are octets of a field value (Django, WebOb). */
function skipBlank(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); isOws(code) || code === NEXT_LINE || code === NO_BREAK_SPACE; code = text.charCodeAt(at)) at++;
  return at;
}

function skipOws(text: string, from: number): number {
  let at = from;
  while (isOws(text.charCodeAt(at))) at++;
  return at;
}
