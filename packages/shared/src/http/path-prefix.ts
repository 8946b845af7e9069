// Path prefixes: what an application claims (relay, routing), what a connector cuts off or puts in front
// (R-A9, T8), and the prefix that belongs to Sallyport itself (R-H8). All compare decoded bytes on segment
// borders, case-sensitively. Must not know which application or service a prefix belongs to.

import { decodeOnce, escapedOctet } from "./path-readings.ts";
import { readTarget } from "./path.ts";

/** Everything below is answered by the relay on every application host; an origin can never serve it. */
export const RESERVED_PATH = "/.sallyport";

const PREFIX_STRUCTURE = /[;\\?#%]|\/\/|\/\.{1,2}(?:\/|$)/;
const UNSAFE_IN_PATH = /[^A-Za-z0-9\-._~!$&'()*+,=:@/]/g;
const PERCENT = 0x25;

/**
 * The one form of a configured path prefix: bytes of its UTF-8 (one character per byte, escapes decoded),
 * leading slash, no trailing slash; the root is `/`.
 * @returns undefined when it does not start with `/`, or holds `;`, `\`, `?`, `#`, `//`, dot segments, controls,
 *          or an escape of `%`, `/`, `\`, `;`: such a path has several readings and could never match them all
 */
export function normaliseApplicationPath(text: string): string | undefined {
  if (!text.startsWith("/")) return undefined;
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  const decoded = decodeOnce(bytes, "singleSpelling");
  if (decoded === undefined || PREFIX_STRUCTURE.test(decoded) || /[\x00-\x1f\x7f]/.test(text)) return undefined;
  return decoded.length > 1 && decoded.endsWith("/") ? decoded.slice(0, -1) : decoded;
}

/** Whether a reading lies within a prefix from {@link normaliseApplicationPath}: `/api` holds `/api` and `/api/x`, not `/apix`. */
export function matchesPrefix(pathname: string, applicationPath: string): boolean {
  if (applicationPath.length === 1) return true;
  if (!pathname.startsWith(applicationPath)) return false;
  return pathname.length === applicationPath.length || pathname[applicationPath.length] === "/";
}

/** Whether readings are Sallyport's own: `some` means they disagree, and the request must be refused (R-A3, R-H8). */
export function isReservedPath(readings: readonly string[]): "all" | "some" | "none" {
  return readingsWithin(readings, RESERVED_PATH);
}

/** How many of the readings lie within a prefix from {@link normaliseApplicationPath}. */
export function readingsWithin(readings: readonly string[], prefix: string): "all" | "some" | "none" {
  let within = 0;
  for (const reading of readings) if (matchesPrefix(reading, prefix)) within++;
  if (within === 0) return "none";
  return within === readings.length ? "all" : "some";
}

export type PrefixResult =
  | { readonly ok: true; readonly path: string }
  /** Both are 400: the path does not lie within the prefix, or what is left is not a plain path below the root. */
  | { readonly ok: false; readonly code: "ERR_PATH_PREFIX_MISSING" | "ERR_PATH_PREFIX_RESULT" };

/**
 * Cuts a prefix off a forwarded path (with query), whatever spelling the visitor used for it: `/%61pp/x?y` less
 * `/app` is `/x?y`. The rest stays byte-exact.
 * @param prefix from {@link normaliseApplicationPath}
 */
export function stripPathPrefix(path: string, prefix: string): PrefixResult {
  if (prefix === "/") return { ok: true, path };
  let at = 0;
  for (let i = 0; i < prefix.length; i++) {
    const escaped = path.charCodeAt(at) === PERCENT;
    const octet = escaped ? escapedOctet(path, at) : path.charCodeAt(at);
    if (octet !== prefix.charCodeAt(i)) return { ok: false, code: "ERR_PATH_PREFIX_MISSING" };
    at += escaped ? 3 : 1;
  }
  const rest = path.slice(at);
  const bare = rest === "" || rest.startsWith("?");
  if (!bare && !rest.startsWith("/")) return { ok: false, code: "ERR_PATH_PREFIX_MISSING" };
  const stripped = bare ? `/${rest}` : rest;
  return isPlainBelowRoot(stripped) ? { ok: true, path: stripped } : { ok: false, code: "ERR_PATH_PREFIX_RESULT" };
}

/**
 * Puts a prefix in front of a forwarded path (with query); `/base` and `/x?y` make `/base/x?y`.
 * @param prefix from {@link normaliseApplicationPath}; bytes that cannot stand in a path are escaped
 */
export function addPathPrefix(path: string, prefix: string): PrefixResult {
  if (prefix === "/") return { ok: true, path };
  // Against a dot segment that would climb back over the prefix.
  const read = readTarget(path);
  if (read.kind !== "path" || read.path !== path) return { ok: false, code: "ERR_PATH_PREFIX_RESULT" };
  return { ok: true, path: prefix.replace(UNSAFE_IN_PATH, escapeOctet) + path };
}

// What is left after a cut is read again by the rules of the relay and must come out unchanged: a segment that
// was harmless behind the prefix could now climb above the root or name another host.
function isPlainBelowRoot(path: string): boolean {
  const read = readTarget(path);
  return read.kind === "path" && read.path === path && !read.readings.some((reading) => reading.startsWith("//"));
}

function escapeOctet(octet: string): string {
  return `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}
