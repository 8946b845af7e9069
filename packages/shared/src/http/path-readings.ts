// Every pathname that servers along the way could read into one path (R-A3). Servers differ in how often they
// decode, whether they merge slashes, cut parameters, take a backslash as a slash, resolve dot segments, and in
// which order they do so. So the readings are a closure: whatever any chain of these steps, decoding at most
// twice, can make of the path. That holds every combination the requirement lists, and the orders it leaves
// open (Tomcat cuts parameters before it decodes, most others after). Must not know requests or applications.

/** Most intermediate strings the closure of one path may hold; beyond, the path is refused as ambiguous. */
export const MAX_READINGS = 64;

/**
 * Most characters read while a closure is built: 64 strings of a 2 KiB path, 16 of an 8 KiB path. It bounds the
 * work a visitor can ask for with one request-target.
 */
const MAX_CLOSURE_CHARACTERS = 131_072;
const MAX_DECODINGS = 2;

const PERCENT = 0x25;
const SLASH = 0x2f;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;

/**
 * The readings of `base`, all with dot segments resolved, `base` itself (resolved) first.
 * @param base path decoded once with `singleSpelling`
 * @returns `ambiguous` when a reading climbs above the root or there are more than {@link MAX_READINGS},
 *          `control` when the second decoding yields a control character (R-A6)
 */
export function readingsOf(base: string): readonly string[] | "ambiguous" | "control" {
  if (!hasSeveralReadings(base)) return [base];
  const seen = new Set<string>();
  const readings = new Set<string>();
  let level: Set<string> = new Set([base]);
  let characters = 0;
  for (let decodings = 0; level.size > 0; decodings++) {
    const decoded = new Set<string>();
    // A Set is iterated together with what is added meanwhile: this loop is the closure.
    for (const text of level) {
      if (seen.has(text)) continue;
      seen.add(text);
      characters += text.length;
      if (seen.size > MAX_READINGS || characters > MAX_CLOSURE_CHARACTERS) return "ambiguous";
      const resolved = resolveDotSegments(text);
      if (resolved === undefined) return "ambiguous";
      readings.add(resolved);
      addVariants(level, text, resolved);
      if (decodings === MAX_DECODINGS || !text.includes("%")) continue;
      const next = decodeOnce(text, "all");
      if (next === undefined) return "control";
      decoded.add(next);
    }
    level = decoded;
  }
  return [...readings];
}

/**
 * Removes dot segments (RFC 3986 section 5.2.4), also those spelt with `%2e`. Returns the very same string when
 * there are none, undefined when a `..` climbs above the root.
 */
export function resolveDotSegments(path: string): string | undefined {
  if (!path.includes("/.") && !/\/%2e/i.test(path)) return path;
  const segments = path.split("/");
  const kept: string[] = [];
  let dotted = false;
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i] as string;
    const dots = dotsOf(segment);
    if (dots === 0) {
      kept.push(segment);
      continue;
    }
    dotted = true;
    if (dots === 2 && kept.pop() === undefined) return undefined;
    if (i === segments.length - 1) kept.push("");
  }
  return dotted ? `/${kept.join("/")}` : path;
}

/**
 * Percent-decodes once, byte by byte (so overlong UTF-8 never becomes a slash or a dot, R-A7).
 * - `singleSpelling` leaves `%2F`, `%5C`, `%3B` and `%25` alone, the escapes that mean something else than the
 *   character itself; all others only have another spelling of the same path (R-A10). Undefined for a bad escape.
 * - `all` decodes everything and takes a `%` that begins no escape as itself: a decoded `%25` leaves such.
 * Undefined also when the result holds a control character.
 */
export function decodeOnce(path: string, which: "singleSpelling" | "all"): string | undefined {
  let from = path.indexOf("%");
  if (from < 0) return path;
  let decoded = path.slice(0, from);
  while (from >= 0) {
    const octet = escapedOctet(path, from);
    let next = from + 3;
    if (octet < 0) {
      if (which === "singleSpelling") return undefined;
      decoded += "%";
      next = from + 1;
    } else if (octet < 0x20 || octet === DELETE) return undefined;
    else if (which === "singleSpelling" && isStructural(octet)) decoded += path.slice(from, next);
    else decoded += String.fromCharCode(octet);
    from = path.indexOf("%", next);
    decoded += from < 0 ? path.slice(next) : path.slice(next, from);
  }
  return decoded;
}

/** The octet that the escape at `at` stands for, or -1 when there is no escape. */
export function escapedOctet(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function addVariants(into: Set<string>, text: string, resolved: string): void {
  into.add(resolved);
  if (text.includes("\\")) into.add(text.replaceAll("\\", "/"));
  if (text.includes("//")) into.add(text.replace(/\/{2,}/g, "/"));
  if (text.includes(";")) into.add(text.replace(/;[^/]*/g, ""));
}

function hasSeveralReadings(path: string): boolean {
  return /[%;\\]|\/[/.]/.test(path);
}

function isStructural(octet: number): boolean {
  return octet === SLASH || octet === BACKSLASH || octet === SEMICOLON || octet === PERCENT;
}

/** 1 for `.`, 2 for `..`, in plain or escaped spelling; else 0. */
function dotsOf(segment: string): 0 | 1 | 2 {
  if (segment === "." || segment === "..") return segment.length as 1 | 2;
  if (segment.length < 3 || segment.length > 6 || !segment.includes("%")) return 0;
  const plain = segment.replace(/%2e/gi, ".");
  return plain === "." || plain === ".." ? (plain.length as 1 | 2) : 0;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
