// The corpus of request-targets (R-A1 to R-A11): every spelling of a path that servers read differently, at its start, in
// its middle and at its end. `/admin` is an application that these visitors may not use, all else is open to them.

import { DENIED, EITHER, forwarded, headerList, REFUSED, request, shown, type CorpusRequest, type Fate } from "./corpus-request.ts";

type Row = readonly [target: string, fate: Fate];

const DOUBLE_DOTS = ["..", "%2e%2e", ".%2e", "%2E.", "%2e%2E"];
const SINGLE_DOTS = [".", "%2e", "%2E"];
/** What some servers read as one slash; the last three only after a second decoding. */
const SLASHES = ["%2F", "%2f", "%5C", "%5c", "\\", "//", "/%2f", "%252F", "%252f", "%255C"];
const PARAMETERS = [";", ";x", ";x=1;y", "%3b", "%3Bx=1", "%253b"];
const CONTROLS = ["%00", "%09", "%0a", "%0d", "%0D%0A", "%1f", "%7f", "%2500", "%250a", "%250d%250a"];
const FOREIGN_OCTETS = ["#", "\0", "\x01", "\x0b", "\x1b", "\x7f", "\x80", "\xc3\xa4", "\xff", "%zz", "%", "%4-", "%u002e", "%g0", "%-1"];

/** Byte-exact as it came. */
const asIs = (target: string): Row => [target, forwarded(target)];
const denied = (target: string): Row => [target, DENIED];

function dotSegments(): readonly Row[] {
  return [
    ...DOUBLE_DOTS.flatMap((dots): Row[] => [
      [`/pub/${dots}/x`, forwarded("/x")],
      [`/a/b/${dots}/${dots}/x`, forwarded("/x")],
      [`/pub/${dots}`, forwarded("/")],
      [`/pub/${dots}/x?a=/../b`, forwarded("/x?a=/../b")],
      denied(`/${dots}/x`),
      denied(`/pub/${dots}/admin`),
      denied(`/pub/${dots}/admin/`),
      denied(`/a/b/${dots}/${dots}/admin/x`),
    ]),
    ...SINGLE_DOTS.flatMap((dot): Row[] => [
      [`/pub/${dot}/x`, forwarded("/pub/x")],
      [`/${dot}/x`, forwarded("/x")],
      [`/pub/${dot}`, forwarded("/pub/")],
      denied(`/${dot}/admin`),
    ]),
    asIs("/..."),
    asIs("/.hidden/x"),
    asIs("/a..b/c."),
  ];
}

function slashes(): readonly Row[] {
  return SLASHES.flatMap((slash): Row[] => [
    asIs(`/pub${slash}x`),
    asIs(`/pub/x${slash}`),
    asIs(`/proxy/https:${slash}a.example?b`),
    denied(`/${slash}admin`),
    denied(`/admin${slash}x`),
    denied(`/pub${slash}..${slash}admin`),
    denied(`/pub/..${slash}admin`),
  ]);
}

function parameters(): readonly Row[] {
  return PARAMETERS.flatMap((parameter): Row[] => [
    asIs(`/pub${parameter}/x`),
    asIs(`/pub/x${parameter}`),
    denied(`/admin${parameter}`),
    denied(`/admin${parameter}/x`),
    denied(`/pub/..${parameter}/admin`),
    denied(`/${parameter}/admin`),
  ]);
}

const DOUBLE_ENCODINGS: readonly Row[] = [
  denied("/pub/%252e%252e/admin"),
  denied("/pub/%25%32%65%25%32%65/admin"),
  denied("/pub/.%252e/admin"),
  denied("/%2561dmin"),
  denied("/%25%36%31dmin/x"),
  denied("/admin%252Fx"),
  asIs("/pub/%2525"),
  asIs("/pub/%25zz"),
  asIs("/pub/100%25/x"),
];

const ENDS_AND_STARTS = (octets: string): readonly string[] => [`/${octets}x`, `/a${octets}b`, `/x${octets}`];

const QUERIES: readonly Row[] = [
  ...["?/admin", "?../admin", "?//admin", "?a;b=%2e%2e", "?a?b", "?\\", "?%zz", "?%00", "?", "?x=/../admin", "?@a:b", "?%0d%0aX: y"].map(
    (query) => asIs(`/x${query.replace(" ", "+")}`),
  ),
  ["/admin?/x", DENIED],
  ["/x?a#b", EITHER],
  ["/x?\x80", EITHER],
  ["/x?\0", REFUSED],
  ["/x?a\x01b", REFUSED],
  ["/x?\x7f", REFUSED],
];

const SEGMENT_BORDERS: readonly Row[] = [
  ...["/adminx", "/admin..", "/admin.", "/admin-", "/admi", "/admin~x", "/admin..x/y", "/xadmin", "/x/admin", "/admin%20"].map(asIs),
  ...["/admin", "/admin/", "/admin?", "/admin/x"].map(denied),
];

const CASES: readonly Row[] = [
  ...["/%61dmin", "/%61%64min", "/admi%6e", "/%61dmin/x", "/adm%69n?x"].map(denied),
  ...["/Admin", "/ADMIN", "/%41dmin", "/aDmin/x", "/x%61y"].map(asIs),
];

function targetsOf(requirement: string, rows: readonly Row[]): readonly CorpusRequest[] {
  return rows.map(([target, fate]) => ({
    id: `${requirement} target ${shown(target)}`,
    requirement,
    template: request({ target }),
    fate,
    http2: headerList("GET", target),
  }));
}

/** Forms of the target other than a path (R-A11), and its length. */
function forms(): readonly CorpusRequest[] {
  const rows: readonly (readonly [method: string, target: string, fate: Fate])[] = [
    ["GET", "https://{host}/x", forwarded("/x")],
    ["GET", "https://{HOST}./x", forwarded("/x")],
    ["GET", "https://{host}:443/x", forwarded("/x")],
    ["GET", "HTTPS://{host}", forwarded("/")],
    ["GET", "https://{host}?a", forwarded("/?a")],
    ["GET", "https://{host}/pub/../admin", DENIED],
    ...[
      "http://{host}/x",
      "https://other.example.test/x",
      "https://{host}:444/x",
      "https://u@{host}/x",
      "https:///x",
      "https://{host}\\x",
    ].map((target) => ["GET", target, REFUSED] as const),
    ...["ftp://{host}/x", "file:///x", "ws://{host}/x", "{host}/x", "x", "?x", "*", "\\x", "%2Fx", "https:/{host}/x", "//"].map(
      (target) => ["GET", target, target === "//" ? forwarded("//") : REFUSED] as const,
    ),
    ["OPTIONS", "*", EITHER],
    ["OPTIONS", "**", REFUSED],
    ["CONNECT", "{host}:443", REFUSED],
    ["CONNECT", "127.0.0.1:22", REFUSED],
    ["CONNECT", "/x", REFUSED],
    ["TRACE", "/x", REFUSED],
    ["TRACK", "/x", REFUSED],
    ["GET", `/${"a".repeat(8_191)}`, forwarded(`/${"a".repeat(8_191)}`)],
    ["GET", `/${"a".repeat(8_192)}`, REFUSED],
    ["GET", `/?${"a".repeat(20_000)}`, REFUSED],
  ];
  return rows.map(([method, target, fate]) => ({
    id: `R-A11 ${method} ${shown(target)}`,
    requirement: "R-A11",
    template: request({ method, target }),
    fate,
  }));
}

/** Every request whose target is odd. */
export const TARGETS: readonly CorpusRequest[] = [
  ...targetsOf("R-A2", dotSegments()),
  ...targetsOf("R-A3", slashes()),
  ...targetsOf("R-A4", ["/a///b", "/x//", "///x"].map(asIs)),
  ...targetsOf("R-A4", ["//admin", "///admin", "//admin//", "/a/..//admin", "//./admin"].map(denied)),
  ...targetsOf("R-A5", parameters()),
  ...targetsOf("R-A6", DOUBLE_ENCODINGS),
  ...targetsOf(
    "R-A6",
    CONTROLS.flatMap((octets) => ENDS_AND_STARTS(octets).map((target): Row => [target, REFUSED])),
  ),
  ...targetsOf(
    "R-A7",
    FOREIGN_OCTETS.flatMap((octets) => ENDS_AND_STARTS(octets).map((target): Row => [target, REFUSED])),
  ),
  ...targetsOf("R-A8", QUERIES),
  ...targetsOf("R-A9", SEGMENT_BORDERS),
  ...targetsOf("R-A10", CASES),
  ...forms(),
];
