// Where the relay may send a browser: the only reading of paths that came from a visitor and go into Location (R-E1 to
// R-E3). What could be understood as another host, by any browser, at any depth of decoding, becomes the root.

import { SallyportError } from "@sallyport/shared/errors";
import { MAX_RETURN_BYTES } from "../authn/login/intent.ts";

/** A place on one of our own hosts. */
export interface OwnLocation {
  /** Scheme, host and port, from configuration (R-B7). */
  readonly origin: string;
  /** Path and query. May come from a visitor: what is not plainly a path on `origin` becomes `/`. */
  readonly path: string;
}

/** One of our hosts, or the IPv6 loopback address, where a command line may wait for its answer (R-E4). */
/** The longest of our own paths holds a sealed return path, and more. */
const MAX_LOCATION_PATH_BYTES = 4_096;

const ORIGIN = /^(?:https?:\/\/[a-z0-9.-]+(?::[1-9][0-9]{0,4})?|http:\/\/\[::1\]:[1-9][0-9]{0,4})$/;
const VISIBLE = /^\/[\x21-\x7e]*$/;
/** Another slash in second place, whatever a browser drops between or takes for one. */
const SECOND_SLASH = /^\/[\s\u200b-\u200f\ufeff]*[/\\]/u;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** Ideographic full stops, which URL parsers take for dots, become dots with NFKC all but the first of them. */
const IDEOGRAPHIC_STOP = /\u3002/g;
const DECODINGS = 2;

/** The absolute URL for Location. @throws ERR_INGRESS_LOCATION_INVALID when the origin is none */
export function locationOf({ origin, path }: OwnLocation): string {
  if (!ORIGIN.test(origin))
    throw new SallyportError("ERR_INGRESS_LOCATION_INVALID", "A redirect needs an origin from the configuration; nothing was sent.");
  return origin + returnPath(origin, path, MAX_LOCATION_PATH_BYTES);
}

/** `path` byte for byte where it is plainly one on `origin`, else `/`. @param maxBytes default: what a visitor is brought back to */
export function returnPath(origin: string, path: string, maxBytes: number = MAX_RETURN_BYTES): string {
  if (path.length > maxBytes || !VISIBLE.test(path) || path.includes("\\") || path.includes("#")) return "/";
  const end = path.indexOf("?");
  return staysOn(origin, end < 0 ? path : path.slice(0, end)) && parsesTo(origin, path) ? path : "/";
}

/** Whether every decoding of a pathname is still one on `origin`. */
function staysOn(origin: string, pathname: string): boolean {
  let reading = pathname;
  for (let depth = 0; ; depth++) {
    const plain = reading.normalize("NFKC").replace(IDEOGRAPHIC_STOP, ".");
    if (!plain.startsWith("/") || SECOND_SLASH.test(plain) || CONTROL.test(plain) || !resolvesWithin(origin, plain)) return false;
    if (depth === DECODINGS || !reading.includes("%")) return true;
    const decoded = decode(reading);
    if (decoded === undefined) return depth > 0;
    reading = decoded;
  }
}

/** With dot segments resolved and backslashes read as slashes, as browsers do, it is still no `//host`. */
function resolvesWithin(origin: string, reading: string): boolean {
  const url = URL.parse(reading.replaceAll("\\", "/"), origin);
  return url !== null && url.origin === origin && !url.pathname.startsWith("//");
}

function parsesTo(origin: string, path: string): boolean {
  const url = URL.parse(origin + path);
  return url !== null && url.origin === origin && url.username === "" && url.password === "";
}

/** undefined: an escape that is none, or bytes that are not UTF-8. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
