// One request of the corpus: its bytes as a template, and the only fates it may have. Must not know who sends it or
// where, nor which programs judge it.

/** What may become of a request. Whatever the fate, no origin ever sees anything else than is said here. */
export type Fate =
  /** REJ: one answer of 4xx or 5xx, the connection ends, nobody behind hears of it. */
  | { readonly kind: "refused" }
  /** A decision against the visitor; the connection may go on, nobody behind hears of it. */
  | { readonly kind: "denied" }
  /** The origin sees exactly this. */
  | { readonly kind: "forwarded"; readonly method: string; readonly target: string; readonly body: string }
  /** Refused, denied or answered by the relay itself; or seen by the origin exactly as it was decided. */
  | { readonly kind: "either"; readonly body: string }
  /** Its body never ends well: at most the beginning of it is seen, and it is never answered as a whole. */
  | { readonly kind: "cut" };

export interface CorpusRequest {
  /** Unique: requirement, what is odd, where it stands. */
  readonly id: string;
  /** As in `R-D1`. */
  readonly requirement: string;
  /** HTTP/1.1, latin1, with the placeholders of {@link fill}. */
  readonly template: string;
  readonly fate: Fate;
  /** The same over HTTP/2 where that can say it: a flat header list, pseudo-fields first. */
  readonly http2?: readonly string[];
  /** Only over HTTP/2: a fate of its own. Default: {@link fate}. */
  readonly http2Fate?: Fate;
  /** Body over HTTP/2. Default: none. */
  readonly http2Body?: string;
}

export interface Filling {
  /** Canonical hostname of the application. */
  readonly host: string;
  /** Value of X-Case: by it the origin knows the request again. */
  readonly marker: string;
}

/** Replaces `{host}`, `{HOST}` (upper case) and `{case}`. */
export function fill(template: string, { host, marker }: Filling): string {
  return template.replaceAll("{host}", host).replaceAll("{HOST}", host.toUpperCase()).replaceAll("{case}", marker);
}

/** A value that no origin may ever see: in fields that have to be removed, and in requests that are none. */
export const FORGED = "forged";

export const HOST_LINE = "Host: {host}";
export const CASE_LINE = "X-Case: {case}";

export interface Parts {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** All field lines. Default: Host and X-Case. */
  readonly lines?: readonly string[];
  readonly body?: string;
}

/** The bytes of one request; nothing is checked or corrected. */
export function request(parts: Parts): string {
  const { method = "GET", target = "/x", version = "1.1", lines = [HOST_LINE, CASE_LINE], body = "" } = parts;
  return `${method} ${target} HTTP/${version}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n${body}`;
}

/** Lines in every place among the others where they can stand. */
export function everyPlace(...odd: readonly string[]): readonly (readonly [where: string, lines: readonly string[]])[] {
  return [
    ["first", [...odd, HOST_LINE, CASE_LINE]],
    ["between", [HOST_LINE, ...odd, CASE_LINE]],
    ["last", [HOST_LINE, CASE_LINE, ...odd]],
  ];
}

/** The flat header list of an HTTP/2 request. */
export function headerList(method: string, path: string, ...more: readonly string[]): readonly string[] {
  return [":method", method, ":path", path, ":scheme", "https", ":authority", "{host}", "x-case", "{case}", ...more];
}

export const REFUSED: Fate = { kind: "refused" };
export const DENIED: Fate = { kind: "denied" };
export const CUT: Fate = { kind: "cut" };
export const EITHER: Fate = { kind: "either", body: "" };

export function forwarded(target = "/x", method = "GET", body = ""): Fate {
  return { kind: "forwarded", method, target, body };
}

/** Printable, for ids. */
export function shown(text: string): string {
  const printable = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(/[\x7f-\xff]/g, (octet) => `\\x${octet.charCodeAt(0).toString(16)}`);
  return printable.length > 60 ? `${printable.slice(0, 40)}... (${text.length})` : printable;
}
