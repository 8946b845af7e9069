// THE reader of request targets (R-A1): read once, its result is what routing, policy, record and forwarding
// use. First step of the data path. Bytes that have one meaning pass untouched; a path that different servers
// would read differently gets every such reading, so that the caller can refuse when they disagree.
// Must not know applications, policies or where a request goes.

import { decodeOnce, readingsOf, resolveDotSegments } from "./path-readings.ts";

/** Longest request-target, in bytes (I7, R-A11). */
export const MAX_TARGET_BYTES = 8192;

/** A path as it will be forwarded, with all that can be read into it. */
export interface TargetPath {
  readonly kind: "path";
  /** Path and query to forward: dot segments resolved, every other byte as received (R-A1). */
  readonly path: string;
  /** {@link path} without the query. */
  readonly pathname: string;
  /** Empty, or from `?` on, byte-exact; never takes part in routing (R-A8). */
  readonly query: string;
  /**
   * Decoded pathnames, one character per byte, for routing and decision: at least one, the plain one first,
   * at most MAX_READINGS. All must lead to the same application and decision, else 403 ERR_PATH_AMBIGUOUS.
   */
  readonly readings: readonly string[];
}

/** `*`, which only OPTIONS may carry; the relay answers it itself. */
export interface TargetAsterisk {
  readonly kind: "asterisk";
}

/** Absolute-form: usable only when `authority` (with `scheme`) equals Host after canonicalisation (R-A11). */
export interface TargetAbsolute {
  readonly kind: "absolute";
  readonly scheme: "http" | "https";
  /** As received; judged by pickAuthority. Not empty. */
  readonly authority: string;
  /** The same target in origin-form. */
  readonly origin: TargetPath;
}

export type TargetRefusalCode =
  | "ERR_REQUEST_TARGET_TOO_LONG"
  | "ERR_REQUEST_TARGET_FORM"
  | "ERR_REQUEST_TARGET_CHARACTER"
  | "ERR_REQUEST_TARGET_ESCAPE"
  | "ERR_PATH_AMBIGUOUS";

export interface TargetRefused {
  readonly kind: "refused";
  readonly code: TargetRefusalCode;
  readonly status: 400 | 403 | 414;
}

export type TargetResult = TargetPath | TargetAsterisk | TargetAbsolute | TargetRefused;

const ASTERISK: TargetAsterisk = Object.freeze({ kind: "asterisk" });
const TOO_LONG: TargetRefused = Object.freeze({ kind: "refused", code: "ERR_REQUEST_TARGET_TOO_LONG", status: 414 });
const BAD_FORM: TargetRefused = Object.freeze({ kind: "refused", code: "ERR_REQUEST_TARGET_FORM", status: 400 });
const BAD_CHARACTER: TargetRefused = Object.freeze({ kind: "refused", code: "ERR_REQUEST_TARGET_CHARACTER", status: 400 });
const BAD_ESCAPE: TargetRefused = Object.freeze({ kind: "refused", code: "ERR_REQUEST_TARGET_ESCAPE", status: 400 });
const AMBIGUOUS: TargetRefused = Object.freeze({ kind: "refused", code: "ERR_PATH_AMBIGUOUS", status: 403 });

const SLASH = 0x2f;
const DOT = 0x2e;

const PLAIN = 0;
const REFUSED = 1;
const END_OF_PATH = 2;
const SEPARATOR = 3;
const SPECIAL = 4;
const PATH_OCTETS: Uint8Array = pathTable();

// SP cannot stand in a request line, so it is refused here too: an HTTP/2 visitor could send it (R-D3).
const NOT_QUERY = /[^\x21-\x7e\x80-\xff]/;

/**
 * Reads a request-target (HTTP/1) or `:path` (HTTP/2), latin1. Linear in its length; a path without
 * `%`, `;`, `\`, `//` and `/.` costs one scan.
 */
export function readTarget(target: string): TargetResult {
  if (target.length > MAX_TARGET_BYTES) return TOO_LONG;
  if (target.charCodeAt(0) === SLASH) return readOriginForm(target);
  if (target === "*") return ASTERISK;
  return readAbsoluteForm(target);
}

/** Whether `path` can be written into a request line (R-D3): starts with one character `/`, holds no SP and no control. */
export function isForwardablePath(path: string): boolean {
  return path.charCodeAt(0) === SLASH && !NOT_QUERY.test(path);
}

function readOriginForm(target: string): TargetPath | TargetRefused {
  let special = false;
  let end = 0;
  for (; end < target.length; end++) {
    const kind = PATH_OCTETS[target.charCodeAt(end)] ?? REFUSED;
    if (kind === PLAIN) continue;
    if (kind === REFUSED) return BAD_CHARACTER;
    if (kind === END_OF_PATH) break;
    if (kind === SPECIAL) special = true;
    else {
      const next = target.charCodeAt(end + 1);
      if (next === SLASH || next === DOT) special = true;
    }
  }
  const query = target.slice(end);
  if (NOT_QUERY.test(query)) return BAD_CHARACTER;
  const pathname = target.slice(0, end);
  if (special) return readSpecialPath(pathname, query);
  return { kind: "path", path: target, pathname, query, readings: [pathname] };
}

function readSpecialPath(received: string, query: string): TargetPath | TargetRefused {
  const base = decodeOnce(received, "singleSpelling");
  if (base === undefined) return BAD_ESCAPE;
  const pathname = resolveDotSegments(received);
  const readings = readingsOf(base);
  if (readings === "control") return BAD_ESCAPE;
  if (readings === "ambiguous" || pathname === undefined) return AMBIGUOUS;
  return { kind: "path", path: pathname + query, pathname, query, readings };
}

function readAbsoluteForm(target: string): TargetAbsolute | TargetRefused {
  const schemeEnd = target.indexOf("://");
  const scheme = target.slice(0, Math.max(0, schemeEnd)).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return BAD_FORM;
  const start = schemeEnd + 3;
  let end = start;
  while (end < target.length && target[end] !== "/" && target[end] !== "?") end++;
  if (end === start) return BAD_FORM;
  const rest = target.slice(end);
  const origin = readOriginForm(rest.startsWith("/") ? rest : `/${rest}`);
  if (origin.kind === "refused") return origin;
  return { kind: "absolute", scheme, authority: target.slice(start, end), origin };
}

function pathTable(): Uint8Array {
  const table = new Uint8Array(256).fill(REFUSED);
  table.fill(PLAIN, 0x21, 0x7f);
  table[0x23] = REFUSED; // '#': what follows would be seen by some servers only
  table[0x3f] = END_OF_PATH;
  table[SLASH] = SEPARATOR;
  for (const code of [0x25, 0x3b, 0x5c]) table[code] = SPECIAL; // % ; \
  return table;
}
