// What each field name means to a gateway: hop-by-hop, framing, identity, reserved, or none of its business
// (R-C1 to R-C4, R-A12). Names known in a browser's own spelling are recognised by one Map lookup, since this
// runs for every field of every request. Must not know values, applications or options.

import { isToken } from "./grammar.ts";

/** How a field is treated. */
export const FieldClass = {
  /** End-to-end, of no concern here. */
  PLAIN: 0,
  /** End-to-end, and security depends on it: `Connection` may not name it (R-C4). */
  END_TO_END: 1,
  /** Belongs to one hop: removed in both directions. */
  HOP_BY_HOP: 2,
  CONNECTION: 3,
  TE: 4,
  /** Rewritten by whoever writes the next request head: Host, Content-Length, Expect. */
  REWRITTEN: 5,
  /** Says who or where the visitor is, or which path was meant; believed by origins, so never a visitor's to set. */
  CLIENT_IDENTITY: 6,
  /** Sallyport's own, in both directions. */
  RESERVED: 7,
  AUTHORIZATION: 8,
  COOKIE: 9,
  SET_COOKIE: 10,
  /** Holds `_` or `.`: some origins read these as `-` (R-C2). */
  UNUSUAL: 11,
  /** UNUSUAL, and reads as a name of another class than PLAIN. */
  IMITATION: 12,
  /** Not a token. */
  INVALID: 13,
} as const;
export type FieldClass = (typeof FieldClass)[keyof typeof FieldClass];

/**
 * Names that relay and connector set, or that origins are known to believe, besides the prefixes below: dropped
 * from every request, whatever spelling. Applications add their own (`identityNames`).
 */
const CLIENT_IDENTITY_NAMES =
  "forwarded x-forwarded x-real-ip true-client-ip client-ip x-client-ip x-cluster-client-ip cf-connecting-ip cf-connecting-ipv6 " +
  "cf-pseudo-ipv4 fastly-client-ip fly-client-ip x-envoy-external-address x-original-forwarded-for x-original-host x-host " +
  "remote-user remote-name remote-email remote-groups x-remote-user x-remote-name x-remote-email x-remote-group x-remote-groups " +
  "x-webauth-user x-original-url x-original-uri x-original-path x-rewrite-url x-override-url";

const CLASSES: ReadonlyMap<string, FieldClass> = new Map<string, FieldClass>([
  ...classOfNames(
    FieldClass.PLAIN,
    "accept accept-charset accept-encoding accept-language age alt-svc cache-control content-disposition content-language dnt etag " +
      "expires from if-match if-modified-since if-none-match if-range if-unmodified-since last-modified last-event-id link pragma " +
      "priority range retry-after save-data sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-gpc server traceparent tracestate " +
      "upgrade-insecure-requests user-agent vary via x-content-type-options x-csrf-token x-request-id x-requested-with",
  ),
  ...classOfNames(
    FieldClass.END_TO_END,
    "access-control-allow-credentials access-control-allow-origin access-control-request-headers access-control-request-method " +
      "content-encoding content-range content-security-policy content-type date destination location origin referer " +
      "sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-websocket-accept sec-websocket-extensions sec-websocket-key " +
      "sec-websocket-protocol sec-websocket-version strict-transport-security www-authenticate x-frame-options",
  ),
  ...classOfNames(FieldClass.HOP_BY_HOP, "http2-settings keep-alive trailer transfer-encoding upgrade"),
  ...classOfNames(FieldClass.REWRITTEN, "content-length expect host"),
  ...classOfNames(FieldClass.CLIENT_IDENTITY, CLIENT_IDENTITY_NAMES),
  ["authorization", FieldClass.AUTHORIZATION],
  ["connection", FieldClass.CONNECTION],
  ["cookie", FieldClass.COOKIE],
  ["set-cookie", FieldClass.SET_COOKIE],
  ["te", FieldClass.TE],
]);

const PREFIXES: readonly (readonly [string, FieldClass])[] = [
  ["proxy-", FieldClass.HOP_BY_HOP],
  ["x-forwarded-", FieldClass.CLIENT_IDENTITY],
  ["x-auth-request-", FieldClass.CLIENT_IDENTITY],
  ["cf-access-", FieldClass.CLIENT_IDENTITY],
  ["sallyport-", FieldClass.RESERVED],
];

/** Common spellings that are not each word capitalised, and names that only a prefix tells. */
const OWN_SPELLINGS: readonly string[] = [
  ..."DNT ETag TE WWW-Authenticate HTTP2-Settings Sec-WebSocket-Key Sec-WebSocket-Version X-Real-IP".split(" "),
  ..."X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port x-forwarded-for x-forwarded-proto".split(" "),
  ..."Sallyport-Request-Id Sallyport-Jwt-Assertion".split(" "),
];

/** The spellings that browsers, HTTP/2, common clients and our two programs use; any other spelling takes the slower way. */
const CLASSES_BY_SPELLING: ReadonlyMap<string, FieldClass> = withCommonSpellings(CLASSES);

/** The class of a field name as received. */
export function classifyField(name: string): FieldClass {
  const known = CLASSES_BY_SPELLING.get(name);
  if (known !== undefined) return known;
  if (!isToken(name)) return FieldClass.INVALID;
  const normalised = normaliseFieldName(name);
  const kind = CLASSES.get(normalised) ?? classOfPrefix(normalised);
  if (!name.includes("_") && !name.includes(".")) return kind;
  return kind === FieldClass.PLAIN ? FieldClass.UNUSUAL : FieldClass.IMITATION;
}

/** Lower-case with `_` and `.` read as `-`, as CGI-like origins do: what reads alike is alike (R-C1). */
export function normaliseFieldName(name: string): string {
  const lower = name.toLowerCase();
  return lower.includes("_") || lower.includes(".") ? lower.replace(/[_.]/g, "-") : lower;
}

/** Whether any spelling of `X-HTTP-Method-Override` is there; refused where a method rule exists (R-A12). */
export function hasMethodOverride(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    // All spellings begin with x, and nearly no other field of a browser does.
    if (name.length < 13 || name.length > 22 || (name.charCodeAt(0) | 0x20) !== LETTER_X) continue;
    if (METHOD_OVERRIDES.has(normaliseFieldName(name))) return true;
  }
  return false;
}

const LETTER_X = 0x78;
const METHOD_OVERRIDES: ReadonlySet<string> = new Set(["x-http-method-override", "x-http-method", "x-method-override"]);

function classOfPrefix(normalised: string): FieldClass {
  for (const [prefix, kind] of PREFIXES) if (normalised.startsWith(prefix)) return kind;
  return FieldClass.PLAIN;
}

function classOfNames(kind: FieldClass, names: string): [string, FieldClass][] {
  return names.split(" ").map((name) => [name, kind]);
}

function withCommonSpellings(classes: ReadonlyMap<string, FieldClass>): ReadonlyMap<string, FieldClass> {
  const spellings = new Map(classes);
  for (const [name, kind] of classes)
    spellings.set(
      name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase()),
      kind,
    );
  for (const name of OWN_SPELLINGS) {
    const lower = name.toLowerCase();
    spellings.set(name, classes.get(lower) ?? classOfPrefix(lower));
  }
  return spellings;
}
