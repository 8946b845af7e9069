// The corpus of field lines (R-C1 to R-C7): identities that were never given, names that some servers fold into others, what
// belongs to one hop, and what Connection may not name. In every place among the other lines.

import {
  CASE_LINE,
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

/** Believed by origins: no visitor's copy arrives, whatever the spelling. */
const IDENTITY_NAMES = [
  "X-Forwarded-User",
  "x_forwarded_user",
  "X-Forwarded_User",
  "X.Forwarded.User",
  "Remote-User",
  "REMOTE_USER",
  "Sallyport-Jwt-Assertion",
  "sallyport_jwt_assertion",
  "Cf-Access-Jwt-Assertion",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "Forwarded",
  "X-Real-IP",
  "True-Client-IP",
];
const UNUSUAL_NAMES = ["X_Any", "X.Any", "__proto__", "Content_Length", "Transfer_Encoding", "content.type", "_", "."];
const ORDINARY_NAMES = ["constructor", "toString", "prototype", "hasOwnProperty", "!#$%&'*+-^`|~"];
const NO_NAMES = ["X(Y", "X Y", "X\0Y", "X\xe4", '"X"', "X@Y", "X/Y", "X=Y", "X[0]", "X\tY", "", "X\x7f", " X", "X "];
const BAD_VALUES = ["a\0b", "a\x01b", "a\x0bb", "a\x1bb", "a\x7fb", "a\rb", "a\nb", "\n", "\r", "a\r\n b", "a\r\n\tb"];
/** Security depends on them: naming one in Connection is an attack (R-C4). */
const PROTECTED_OPTIONS = [
  "Sallyport-Jwt-Assertion",
  "Cookie",
  "Host",
  "Content-Length",
  "Authorization",
  "Content-Type",
  "X-Forwarded-User",
];
const HOP_BY_HOP = ["Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Proxy-Authenticate", "Trailer", "HTTP2-Settings"];

function placed(requirement: string, label: string, fate: Fate, ...lines: readonly string[]): readonly CorpusRequest[] {
  return everyPlace(...lines).map(([where, all]) => ({
    id: `${requirement} ${label}, ${where}`,
    requirement,
    template: request({ lines: all }),
    fate,
  }));
}

/** The last of the places also over HTTP/2, with a name in lower case. */
function alsoHttp2(requests: readonly CorpusRequest[], name: string, value: string, http2Fate?: Fate): readonly CorpusRequest[] {
  return requests.map((one, at) =>
    at < requests.length - 1
      ? one
      : { ...one, http2: headerList("GET", "/x", name.toLowerCase(), value), ...(http2Fate !== undefined && { http2Fate }) },
  );
}

const dropped = (requirement: string, name: string): readonly CorpusRequest[] =>
  alsoHttp2(placed(requirement, `${name} is dropped`, forwarded(), `${name}: ${FORGED}`), name, FORGED);

function names(): readonly CorpusRequest[] {
  return [
    ...IDENTITY_NAMES.flatMap((name) => dropped("R-C1", name)),
    ...UNUSUAL_NAMES.flatMap((name) => dropped("R-C2", name)),
    ...ORDINARY_NAMES.flatMap((name) => alsoHttp2(placed("R-C2", `${name} passes`, forwarded(), `${name}: a`), name, "a")),
    ...NO_NAMES.flatMap((name) => placed("R-C2", `no name: ${shown(name)}`, REFUSED, `${name}: ${FORGED}`)),
    ...NO_NAMES.filter((name) => !name.includes(" ")).map((name): CorpusRequest => ({
      id: `R-C2 HTTP/2, no name: ${shown(name)}`,
      requirement: "R-C2",
      template: request({}),
      fate: forwarded(),
      http2: headerList("GET", "/x", name.toLowerCase(), FORGED),
      http2Fate: EITHER,
    })),
    ...placed("R-C2", "a line without a colon", REFUSED, "X"),
    ...placed("R-C2", "a line of spaces", REFUSED, "  "),
  ];
}

/** A value that breaks lines must not even be seen in part; over HTTP/2 nghttp2 may leave the field out instead. */
function values(): readonly CorpusRequest[] {
  return BAD_VALUES.flatMap((value) =>
    alsoHttp2(
      placed("R-D3", `no value: ${shown(value)}`, REFUSED, `X-Any: ${value}X-${FORGED}: ${FORGED}`),
      "x-any",
      `${value}${FORGED}`,
      EITHER,
    ),
  );
}

function duplicates(): readonly CorpusRequest[] {
  const lines = ["X-Forwarded-User", "x-forwarded-user", "X-FORWARDED-USER", "x_forwarded-user", "X-Forwarded_User"];
  return lines.map((_, at) => {
    const mixed = [...lines.slice(at), ...lines.slice(0, at)].map((name) => `${name}: ${FORGED}`);
    const list = mixed.flatMap((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), FORGED]);
    return {
      id: `R-C3 five spellings, ${lines[at]} first`,
      requirement: "R-C3",
      template: request({ lines: [...mixed, HOST_LINE, ...mixed, CASE_LINE, ...mixed] }),
      fate: forwarded(),
      http2: headerList("GET", "/x", ...list),
    };
  });
}

function hopByHop(): readonly CorpusRequest[] {
  return [
    ...PROTECTED_OPTIONS.flatMap((name) => [
      ...placed("R-C4", `Connection: close, ${name}`, REFUSED, `Connection: close, ${name}`),
      ...placed("R-C4", `Connection twice, the second ${name}`, REFUSED, "Connection: keep-alive", `connection: ${name.toUpperCase()}`),
    ]),
    ...placed("R-C4", "Connection that is no list of tokens", REFUSED, "Connection: close, a b"),
    ...placed("R-C4", "Connection names a field", forwarded(), "Connection: X-Mine", `X-Mine: ${FORGED}`),
    ...placed("R-C4", "a field named behind it", forwarded(), `X-Mine: ${FORGED}`, "Connection: keep-alive,x-mine ,"),
    ...HOP_BY_HOP.flatMap((name) => placed("R-C4", `${name} is dropped`, forwarded(), `${name}: ${FORGED}`)),
    ...["gzip", "deflate;q=0.5", `${FORGED}, trailers`, "trailers;q=1"].flatMap((te) =>
      placed("R-C4", `TE: ${te}`, forwarded(), `TE: ${te}`),
    ),
    ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"].map((name): CorpusRequest => ({
      id: `R-C4 HTTP/2 with ${name}`,
      requirement: "R-C4",
      template: request({}),
      fate: forwarded(),
      http2: headerList("GET", "/x", name, FORGED),
      http2Fate: REFUSED,
    })),
  ];
}

/** Trailers of a request are dropped, and never become fields (R-C5). */
function trailers(): readonly CorpusRequest[] {
  const lines = [HOST_LINE, CASE_LINE, "Transfer-Encoding: chunked"];
  return ["X-Mine", "Content-Length", "Host", "X-Forwarded-User", "Transfer-Encoding", "Cookie", "Sallyport-Jwt-Assertion"].map((name) => ({
    id: `R-C5 trailer ${name}`,
    requirement: "R-C5",
    template: request({ method: "POST", lines, body: `5\r\nhello\r\n0\r\n${name}: ${FORGED}\r\n\r\n` }),
    fate: { kind: "either", body: "hello" } as const,
  }));
}

/** What is Sallyport's does not reach the origin (R-C7). */
function credentials(): readonly CorpusRequest[] {
  const cookies = ["__Host-Sallyport_Authorization", "__Host-Sallyport_Session", "__Host-Sallyport_Login"];
  const odd = ["=", ";;;", "a=b; =c; d", 'a="b; c"', "\xe4=\xf6", "a=b\t;c"];
  return [
    ...cookies.flatMap((name) => placed("R-C7", `${name} among others`, forwarded(), `Cookie: a=b; ${name}=${FORGED}; c=d`)),
    ...odd.flatMap((cookie) => placed("R-C7", `Cookie: ${shown(cookie)}`, EITHER, `Cookie: ${cookie}`)),
    ...["Sallyport-Client-Id", "Sallyport-Client-Secret", "Sallyport-Access-Token", "CF-Access-Client-Id"].flatMap((name) =>
      placed("R-C7", `${name} that is none`, EITHER, `${name}: ${FORGED}`),
    ),
  ];
}

/** Every request whose fields are odd. */
export const FIELDS: readonly CorpusRequest[] = [...names(), ...values(), ...duplicates(), ...hopByHop(), ...trailers(), ...credentials()];
