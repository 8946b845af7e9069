// The corpus of authorities (R-B1 to R-B4) and of methods (R-A12, R-A13).

import {
  CASE_LINE,
  DENIED,
  EITHER,
  everyPlace,
  FORGED,
  forwarded,
  headerList,
  HOST_LINE,
  REFUSED,
  request,
  shown,
  type CorpusRequest,
  type Fate,
} from "./corpus-request.ts";

/** None of these is `reg-name[:port]`. */
const BAD_HOSTS = [
  "user@{host}",
  "{host}/b",
  "{host}, b",
  "{host},{host}",
  "{host}#b",
  "{host}?b",
  "{host}\\b",
  "{host} b",
  "{host};b",
  '"{host}"',
  "<{host}>",
  "%61{host}",
  "{host}%00",
  "a_b.example.test",
  "127.0.0.1",
  "127.1",
  "0x7f.1",
  "[::1]",
  "{host}:",
  "{host}:0",
  "{host}:99999",
  "{host}:0443",
  "{host}:443:443",
  "{host}:+443",
  ":443",
  ".{host}",
  "{host}..",
  "-{host}",
  "a".repeat(254),
  "\xe4.example.test",
  "a\x7fb.example.test",
];
/** Well formed, but nothing is published there. */
const FOREIGN_HOSTS = ["other.invalid", "evil{host}", "{host}.evil.test", "{host}:444", "{host}:80", "localhost"];
const GOOD_HOSTS = ["{HOST}", "{host}.", "{host}:443", "{HOST}.:443"];

function hostLines(host: string): readonly (readonly [string, readonly string[]])[] {
  return [
    ["first", [`Host: ${host}`, CASE_LINE]],
    ["last", [CASE_LINE, `Host: ${host}`]],
  ];
}

function oneHost(requirement: string, hosts: readonly string[], fate: Fate): readonly CorpusRequest[] {
  return hosts.flatMap((host) =>
    hostLines(host).map(([where, lines], at) => ({
      id: `${requirement} host ${shown(host)}, ${where}`,
      requirement,
      template: request({ lines }),
      fate,
      ...(at === 0 && { http2: [":method", "GET", ":path", "/x", ":scheme", "https", ":authority", host, "x-case", "{case}"] }),
    })),
  );
}

/** Not exactly one Host. */
function severalHosts(): readonly CorpusRequest[] {
  const rows: readonly (readonly [label: string, lines: readonly string[], version?: string])[] = [
    ["none", [CASE_LINE]],
    ["none on 1.0", [CASE_LINE], "1.0"],
    ["an empty one", ["Host:", CASE_LINE]],
    ["an empty one and a good one", ["Host:", HOST_LINE, CASE_LINE]],
    ["two alike", [HOST_LINE, HOST_LINE, CASE_LINE]],
    ["two alike on 1.0", [HOST_LINE, HOST_LINE, CASE_LINE], "1.0"],
    ["two alike, apart", [HOST_LINE, CASE_LINE, HOST_LINE]],
    ["good and evil", [HOST_LINE, CASE_LINE, "Host: evil.test"]],
    ["evil and good", ["Host: evil.test", CASE_LINE, HOST_LINE]],
    ["in two cases", [HOST_LINE, "hOST: evil.test", CASE_LINE]],
    ["a space before the colon", ["Host : {host}", CASE_LINE]],
    ["one with a space besides", [HOST_LINE, "Host : evil.test", CASE_LINE]],
    ["one with a space in front", [HOST_LINE, " Host: evil.test", CASE_LINE]],
    ["folded", ["Host:\r\n {host}", CASE_LINE]],
    ["a tab before the colon", ["Host\t: {host}", CASE_LINE]],
    ["NUL before the colon", ["Host\0: {host}", CASE_LINE]],
    ["behind a bare LF", [`${CASE_LINE}\nHost: {host}`]],
    ["behind a bare CR", [`${CASE_LINE}\rHost: {host}`]],
  ];
  return rows.map(([label, lines, version = "1.1"]) => ({
    id: `R-B1 Host: ${label}`,
    requirement: "R-B1",
    template: request({ lines, version }),
    fate: REFUSED,
  }));
}

function bothAuthorities(): readonly CorpusRequest[] {
  const rows: readonly (readonly [label: string, more: readonly string[], fate: Fate])[] = [
    ["host alike", ["host", "{host}"], forwarded()],
    ["host alike in another spelling", ["host", "{HOST}."], forwarded()],
    ["host of another", ["host", "evil.test"], REFUSED],
    ["an empty host", ["host", ""], REFUSED],
    ["two hosts alike", ["host", "{host}", "host", "{host}"], REFUSED],
    // nghttp2 leaves such a field out instead of refusing the request: docs/threat-model.md, known gaps.
    ["host with a user", ["host", "u@{host}"], EITHER],
  ];
  return rows.map(([label, more, http2Fate]) => ({
    id: `R-B1 HTTP/2: ${label}`,
    requirement: "R-B1",
    template: request({}),
    fate: forwarded(),
    http2: headerList("GET", "/x", ...more),
    http2Fate,
  }));
}

const BAD_METHODS = ["get", "GeT", "G", "FOO", "GETGET", "GET/", "G\0ET", "G\xcbT", "G,T", '"GET"', "PRI", "{GET}", "A".repeat(70)];
/** Every origin has its own opinion of these; what counts is what it saw. */
const GOOD_METHODS = ["HEAD", "OPTIONS", "DELETE", "PATCH", "PUT", "PROPFIND", "REPORT", "MKCALENDAR", "SEARCH", "LOCK"];

function methods(): readonly CorpusRequest[] {
  return [
    ...BAD_METHODS.map((method): CorpusRequest => ({
      id: `R-A13 method ${shown(method)}`,
      requirement: "R-A13",
      template: request({ method }),
      fate: REFUSED,
      http2: headerList(method, "/x"),
    })),
    ...["", " GET", "GET ", "\tGET", "GET\t", "\x0bGET"].map((method): CorpusRequest => ({
      id: `R-A13 request line that begins with ${JSON.stringify(method)}`,
      requirement: "R-A13",
      template: request({ method }),
      fate: method === "GET " ? EITHER : REFUSED,
    })),
    ...GOOD_METHODS.map((method): CorpusRequest => ({
      id: `R-A13 method ${method}`,
      requirement: "R-A13",
      template: request({ method }),
      fate: forwarded("/x", method),
      http2: headerList(method, "/x"),
    })),
  ];
}

/** Fields that ask for another path, method or destination than the request line (R-A12, R-A13). */
function otherWords(): readonly CorpusRequest[] {
  const dropped = ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "x_original_url", "X-Original-Uri", "X-Forwarded-Prefix"];
  return [
    ...dropped.flatMap((name) =>
      everyPlace(`${name}: /admin?${FORGED}`).map(([where, lines]): CorpusRequest => ({
        id: `R-A12 ${name}, ${where}`,
        requirement: "R-A12",
        template: request({ lines }),
        fate: forwarded(),
        ...(where === "last" && { http2: headerList("GET", "/x", name.toLowerCase(), `/admin?${FORGED}`) }),
      })),
    ),
    ...["https://{host}/admin/x", "/admin", "/pub/../admin", "https://evil.test/x", "//{host}/admin"].map((destination): CorpusRequest => ({
      id: `R-A13 COPY to ${destination}`,
      requirement: "R-A13",
      template: request({ method: "COPY", lines: [HOST_LINE, CASE_LINE, `Destination: ${destination}`] }),
      fate: DENIED,
      http2: headerList("COPY", "/x", "destination", destination),
    })),
  ];
}

/** Every request whose authority or method is odd. */
export const HOSTS_AND_METHODS: readonly CorpusRequest[] = [
  ...severalHosts(),
  ...bothAuthorities(),
  ...oneHost("R-B2", BAD_HOSTS, REFUSED),
  ...oneHost("R-B3", FOREIGN_HOSTS, REFUSED),
  ...oneHost("R-B3", GOOD_HOSTS, forwarded()),
  ...methods(),
  ...otherWords(),
];
