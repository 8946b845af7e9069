// The one authority of a request (R-B1 to R-B4): from Host or :authority to a canonical hostname and port, by an
// exact grammar, so that nothing but a map lookup follows. Second half of step 1 of the data path.
// Must not know which hostnames exist. node:net is used for its pure address grammar only.

import { isIPv4, isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import type { Fields } from "./fields.ts";
import { octetTable } from "./grammar.ts";

export type Scheme = "http" | "https";

export interface AuthorityOptions {
  /** Scheme of the public origin: what a missing port means (80 or 443). */
  readonly scheme: Scheme;
  /** Accept `_` in labels. Default false (R-B2). */
  readonly allowUnderscore?: boolean;
  /** Accept IPv4 and bracketed IPv6 literals. Default false (R-B2). */
  readonly allowIp?: boolean;
}

export interface Authority {
  readonly ok: true;
  /** Lower-case, without trailing dot; an IPv6 literal in brackets, shortest form. */
  readonly hostname: string;
  /** 1 to 65535; the scheme's default when none was given. */
  readonly port: number;
}

export type AuthorityRefusalCode =
  | "ERR_AUTHORITY_MISSING"
  | "ERR_AUTHORITY_SEVERAL"
  | "ERR_AUTHORITY_MISMATCH"
  | "ERR_AUTHORITY_HOSTNAME"
  | "ERR_AUTHORITY_PORT";

export interface AuthorityRefused {
  readonly ok: false;
  readonly code: AuthorityRefusalCode;
}

export type AuthorityResult = Authority | AuthorityRefused;

const MISSING: AuthorityRefused = Object.freeze({ ok: false, code: "ERR_AUTHORITY_MISSING" });
const SEVERAL: AuthorityRefused = Object.freeze({ ok: false, code: "ERR_AUTHORITY_SEVERAL" });
const MISMATCH: AuthorityRefused = Object.freeze({ ok: false, code: "ERR_AUTHORITY_MISMATCH" });
const BAD_HOSTNAME: AuthorityRefused = Object.freeze({ ok: false, code: "ERR_AUTHORITY_HOSTNAME" });
const BAD_PORT: AuthorityRefused = Object.freeze({ ok: false, code: "ERR_AUTHORITY_PORT" });

/** Longest hostname without its trailing dot, and longest label (RFC 1035 section 2.3.4). */
const MAX_HOSTNAME_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;

const HYPHEN = 0x2d;
const DOT = 0x2e;
const LDH_OCTETS: Uint8Array = octetTable("abcdefghijklmnopqrstuvwxyz0123456789-");
const UNDERSCORE = 0x5f;
const PORT = /^[1-9][0-9]{0,4}$/;
// What a URL parser would take for an IPv4 address: `127.1`, `0x7f.1`, `2130706433` (WHATWG URL, "ends in a number").
const NUMERIC_LAST_LABEL = /^(?:[0-9]+|0x[0-9a-f]*)$/;

/** The port that `scheme` implies. */
export function defaultPort(scheme: Scheme): number {
  return scheme === "https" ? 443 : 80;
}

/** `hostname[:port]`, the port left out where it is the scheme's default. */
export function formatAuthority(hostname: string, port: number, scheme: Scheme): string {
  return port === defaultPort(scheme) ? hostname : `${hostname}:${port}`;
}

/** Reads `reg-name[:port]` of Host or `:authority` as received (R-B2, R-B3). Linear in its length. */
export function readAuthority(raw: string, options: AuthorityOptions): AuthorityResult {
  if (raw === "") return MISSING;
  if (raw.length > MAX_HOSTNAME_LENGTH + 1 + 6) return BAD_HOSTNAME;
  const colon = raw.startsWith("[") ? portColonAfterBracket(raw) : raw.indexOf(":");
  const hostname = canonicalLdhHostname(colon < 0 ? raw : raw.slice(0, colon), options);
  if (hostname === undefined) return BAD_HOSTNAME;
  if (colon < 0) return { ok: true, hostname, port: defaultPort(options.scheme) };
  const digits = raw.slice(colon + 1);
  const port = PORT.test(digits) ? Number(digits) : 0;
  return port === 0 || port > 65_535 ? BAD_PORT : { ok: true, hostname, port };
}

export interface AuthoritySources {
  readonly httpVersion: "1.0" | "1.1" | "2.0";
  /** HTTP/2 `:authority`; undefined on HTTP/1. */
  readonly authority: string | undefined;
  readonly fields: Fields;
  /** Scheme and authority of an absolute-form target; must equal the rest (R-A11). */
  readonly target?: { readonly scheme: Scheme; readonly authority: string } | undefined;
}

/**
 * The one authority of a request (R-B1): exactly one Host on HTTP/1 (1.0 included); on HTTP/2 `:authority`, with
 * Host absent or, canonically, equal to it; Host alone where a gateway left `:authority` out.
 */
export function pickAuthority(sources: AuthoritySources, options: AuthorityOptions): AuthorityResult {
  const { fields } = sources;
  let host: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.length !== 4 || name.toLowerCase() !== "host") continue;
    if (host !== undefined) return SEVERAL;
    host = fields[i + 1] as string;
  }
  const named = sources.httpVersion === "2.0" ? (sources.authority ?? host) : host;
  if (named === undefined) return MISSING;
  const picked = readAuthority(named, options);
  if (!picked.ok) return picked;
  if (host !== undefined && host !== named && !sameAuthority(picked, readAuthority(host, options))) return MISMATCH;
  const { target } = sources;
  if (target !== undefined && !sameAuthority(picked, readAuthority(target.authority, { ...options, scheme: target.scheme })))
    return MISMATCH;
  return picked;
}

/**
 * The canonical form of a hostname that a person wrote into a configuration: international names become A-labels
 * (UTS 46, RFC 5891). Wildcards are the caller's matter.
 * @returns undefined when it is none that {@link readAuthority} could ever yield
 */
export function canonicalHostname(text: string, options: Omit<AuthorityOptions, "scheme"> = {}): string | undefined {
  // domainToASCII would percent-decode, and turn numeric forms into IPv4 addresses: refuse before and look after.
  if (/^[\x00-\x7f]*$/.test(text)) return canonicalLdhHostname(text, options);
  if (/[\x00-\x20%:/?#@[\]\\]/.test(text)) return undefined;
  const ascii = domainToASCII(text);
  return isIPv4(ascii) ? undefined : canonicalLdhHostname(ascii, options);
}

function canonicalLdhHostname(raw: string, options: Omit<AuthorityOptions, "scheme">): string | undefined {
  if (raw.startsWith("[")) return options.allowIp === true ? canonicalIpv6(raw) : undefined;
  const hostname = (raw.endsWith(".") ? raw.slice(0, -1) : raw).toLowerCase();
  if (hostname.length > MAX_HOSTNAME_LENGTH) return undefined;
  const lastLabel = hostname.slice(hostname.lastIndexOf(".") + 1);
  if (NUMERIC_LAST_LABEL.test(lastLabel)) return options.allowIp === true && isIPv4(raw) ? raw : undefined;
  return isLdhHostname(hostname, options.allowUnderscore === true) ? hostname : undefined;
}

/** Labels of 1 to 63 letters, digits and inner hyphens (LDH, RFC 5890 section 2.3.1), in one scan: it runs on every request. */
function isLdhHostname(hostname: string, allowUnderscore: boolean): boolean {
  let labelStart = 0;
  for (let i = 0; i <= hostname.length; i++) {
    const code = i === hostname.length ? DOT : hostname.charCodeAt(i);
    if (code === DOT) {
      const length = i - labelStart;
      if (length === 0 || length > MAX_LABEL_LENGTH) return false;
      if (hostname.charCodeAt(labelStart) === HYPHEN || hostname.charCodeAt(i - 1) === HYPHEN) return false;
      labelStart = i + 1;
    } else if (LDH_OCTETS[code] !== 1 && !(allowUnderscore && code === UNDERSCORE)) return false;
  }
  return true;
}

function canonicalIpv6(bracketed: string): string | undefined {
  const address = bracketed.slice(1, -1);
  if (!bracketed.endsWith("]") || address.includes("%") || !isIPv6(address)) return undefined;
  return new URL(`http://[${address}]`).hostname;
}

function portColonAfterBracket(raw: string): number {
  const close = raw.indexOf("]");
  return close >= 0 && raw[close + 1] === ":" ? close + 1 : -1;
}

function sameAuthority(a: Authority, b: AuthorityResult): boolean {
  return b.ok && a.hostname === b.hostname && a.port === b.port;
}
