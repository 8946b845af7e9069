// The corpus of message framing (R-D1, R-D2, R-D8): lengths and codings that servers read differently, line ends that are
// none, and chunked bodies that break at every place where they can.

import {
  CASE_LINE,
  CUT,
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

const LENGTHS = ["", "+5", "-5", "0x5", "5_0", "5.0", "5 5", "5, 5", "5,6", "5;", "five", "9007199254740992", "18446744073709551621"];
const MORE_LENGTHS = ["00000000000000005", "\t5", "5\t", "\x0b5", "5\x0b", "\xa05", "5\0", '"5"', "1e1", "5\r\n 5"];
const CODINGS = [
  ",chunked",
  "chunked,",
  "gzip, chunked",
  "chunked, chunked",
  "chunked, identity",
  "identity",
  "gzip",
  "xchunked",
  "chunkedx",
];
const MORE_CODINGS = [
  "chunked;q=1",
  '"chunked"',
  "",
  "\x0bchunked",
  "chunked\0",
  "\xa0chunked",
  "chun ked",
  "chunked\r\n ",
  "trailers, chunked",
];

const INNER = `GET /smuggled HTTP/1.1\r\nHost: smuggled.test\r\nX-Case: ${FORGED}\r\n\r\n`;
const CHUNKED = "Transfer-Encoding: chunked";

function post(label: string, fate: Fate, lines: readonly string[], body: string, version = "1.1"): CorpusRequest {
  return { id: `R-D1 ${label}`, requirement: "R-D1", template: request({ method: "POST", lines, body, version }), fate };
}

function everywhere(label: string, fate: Fate, body: string, ...lines: readonly string[]): readonly CorpusRequest[] {
  return everyPlace(...lines).map(([where, all]) => post(`${label}, ${where}`, fate, all, body));
}

function oneFraming(): readonly CorpusRequest[] {
  return [
    ...[...LENGTHS, ...MORE_LENGTHS].flatMap((length) =>
      everywhere(`Content-Length ${shown(length)}`, REFUSED, "hello", `Content-Length: ${length}`),
    ),
    ...[...CODINGS, ...MORE_CODINGS].flatMap((coding) =>
      everywhere(`Transfer-Encoding ${shown(coding)}`, REFUSED, `0\r\n\r\n${INNER}`, `Transfer-Encoding: ${coding}`),
    ),
    ...[
      "Transfer-Encoding : chunked",
      "Transfer-Encoding\t: chunked",
      " Transfer-Encoding: chunked",
      "Transfer-Encoding:\r\n chunked",
    ].flatMap((line) => everywhere(`line ${shown(line)}`, REFUSED, `0\r\n\r\n${INNER}`, line)),
    ...["Content-Length : 5", "Content-Length\0: 5", " Content-Length: 5", "Content-Length\r\n: 5"].flatMap((line) =>
      everywhere(`line ${shown(line)}`, REFUSED, "hello", line),
    ),
    ...["chunked", "Chunked", "CHUNKED", "chunked ", "  chunked"].flatMap((coding) =>
      everywhere(
        `Transfer-Encoding ${shown(coding)} is chunked`,
        forwarded("/x", "POST", "hello"),
        "5\r\nhello\r\n0\r\n\r\n",
        `Transfer-Encoding: ${coding}`,
      ),
    ),
    ...everywhere("a length with padding", forwarded("/x", "POST", "hello"), "hello", "Content-Length:  005 "),
    post("chunked on HTTP/1.0", REFUSED, [HOST_LINE, CASE_LINE, CHUNKED], "0\r\n\r\n", "1.0"),
  ];
}

function severalFramings(): readonly CorpusRequest[] {
  const pairs: readonly (readonly [label: string, one: string, other: string])[] = [
    ["a length and chunked", "Content-Length: 5", CHUNKED],
    ["a length of 0 and chunked", "Content-Length: 0", CHUNKED],
    ["chunked and a length", CHUNKED, `Content-Length: ${INNER.length + 5}`],
    ["two lengths alike", "Content-Length: 5", "Content-Length: 5"],
    ["two lengths", "Content-Length: 5", "Content-Length: 0"],
    ["two lengths in two cases", "Content-Length: 0", "content-length: 5"],
    ["chunked twice", CHUNKED, CHUNKED],
    ["chunked and gzip", CHUNKED, "Transfer-Encoding: gzip"],
    ["identity and chunked", "Transfer-Encoding: identity", CHUNKED],
    ["chunked and a coding that is none", CHUNKED, "Transfer-Encoding: cow"],
  ];
  return pairs.flatMap(([label, one, other]) => [
    ...everywhere(label, REFUSED, `0\r\n\r\n${INNER}`, one, other),
    post(`${label}, apart`, REFUSED, [one, HOST_LINE, CASE_LINE, other], `0\r\n\r\n${INNER}`),
  ]);
}

/** Heads whose lines do not end, begin or continue as they should. */
function lines(): readonly CorpusRequest[] {
  const host = "Host: {host}\r\nX-Case: {case}\r\n";
  const heads: readonly (readonly [label: string, bytes: string])[] = [
    ["bare LF everywhere", `GET /x HTTP/1.1\n${host.replaceAll("\r", "")}\n`],
    ["bare LF behind the request line", `GET /x HTTP/1.1\n${host}\r\n`],
    ["bare LF behind a field", `GET /x HTTP/1.1\r\nHost: {host}\nX-Case: {case}\r\n\r\n`],
    ["bare LF at the end", `GET /x HTTP/1.1\r\n${host}\n`],
    ["bare CR behind the request line", `GET /x HTTP/1.1\r${host}\r\n`],
    ["bare CR behind a field", `GET /x HTTP/1.1\r\nHost: {host}\rX-Case: {case}\r\n\r\n`],
    ["CR CR LF behind a field", `GET /x HTTP/1.1\r\nHost: {host}\r\r\nX-Case: {case}\r\n\r\n`],
    ["CR LF CR X", `GET /x HTTP/1.1\r\n${host}\rX\r\n\r\n`],
    ["CR CR ;", `GET /x HTTP/1.1\r\n${host}\r\r;\r\n\r\n`],
    ["CR CR LF at the end", `GET /x HTTP/1.1\r\n${host}\r\r\n`],
    ["LF CR", `GET /x HTTP/1.1\n\r${host}\n\r`],
    ["a space before the first field", `GET /x HTTP/1.1\r\n ${host}\r\n`],
    ["a folded request line", `GET /x\r\n HTTP/1.1\r\n${host}\r\n`],
    ["a folded line", `GET /x HTTP/1.1\r\n${host}X-Any: a\r\n b\r\n\r\n`],
    ["a folded line of nothing", `GET /x HTTP/1.1\r\n${host}X-Any: a\r\n \r\n\r\n`],
    ["a third part", `GET /x y HTTP/1.1\r\n${host}\r\n`],
    ["HTTP twice", `GET /x HTTP/1.1 HTTP/1.1\r\n${host}\r\n`],
    ["a tab in the request line", `GET\t/x HTTP/1.1\r\n${host}\r\n`],
    ["a tab before HTTP", `GET /x\tHTTP/1.1\r\n${host}\r\n`],
    ["VT before HTTP", `GET /x\x0bHTTP/1.1\r\n${host}\r\n`],
    ["NUL in the request line", `GET /x HTTP/1.1\0\r\n${host}\r\n`],
    ["http in lower case", `GET /x http/1.1\r\n${host}\r\n`],
    ...[
      "HTTP/0.9",
      "HTTP/1.2",
      "HTTP/2.0",
      "HTTP/3",
      "HTTP/11",
      "HTTP/1.10",
      "HTTP/1,1",
      "HTTP/ 1.1",
      "HTTP /1.1",
      "HTTP/1",
      "HTTP/+1.1",
      "HTTPS/1.1",
    ].map((version) => [version, `GET /x ${version}\r\n${host}\r\n`] as const),
    ["no version", `GET /x\r\n${host}\r\n`],
    ["no target", `GET HTTP/1.1\r\n${host}\r\n`],
    ["no request line", `\r\n${host}\r\n`],
    ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
    ["101 fields", `GET /x HTTP/1.1\r\n${host}${"X-Any: a\r\n".repeat(99)}\r\n`],
    ["17 KiB of fields", `GET /x HTTP/1.1\r\n${host}X-Any: ${"a".repeat(17_000)}\r\n\r\n`],
    ["a name of 17 KiB", `GET /x HTTP/1.1\r\n${host}${"a".repeat(17_000)}: a\r\n\r\n`],
    ["17 KiB of cookies", `GET /x HTTP/1.1\r\n${host}${`Cookie: a=${"b".repeat(4_000)}\r\n`.repeat(5)}\r\n`],
  ];
  return heads.map(([label, template]) => ({ id: `R-D1 ${label}`, requirement: "R-D1", template, fate: REFUSED }));
}

/** Chunk size lines that are none. */
const SIZES = [
  "0x5",
  "+5",
  "-5",
  "0_5",
  " 5",
  "5 ",
  "5\t",
  "",
  "g",
  "5g",
  "5.",
  "10000000000000005",
  "fffffffffffffffff",
  "5\0",
  "\xb5",
  "5;a\nb",
  "5;a\rb",
  "5;\0",
];
const AFTER_SIZE = ["\n", "\r", "\r\r\n", "\n\r\n", "\r\n\n"];
const AFTER_DATA = ["\n", "\r", "", "X\r\n", "\r\r\n", "\n\r\n", " \r\n"];

function brokenChunks(): readonly CorpusRequest[] {
  const good = "3\r\nabc\r\n";
  const places = (broken: string): readonly (readonly [string, string])[] => [
    ["in the first chunk", `${broken}0\r\n\r\n${INNER}`],
    ["in the second chunk", `${good}${broken}0\r\n\r\n${INNER}`],
  ];
  const faults: readonly (readonly [string, string])[] = [
    ...SIZES.map((size) => [`size ${shown(size)}`, `${size}\r\nhello\r\n`] as const),
    ...AFTER_SIZE.map((end) => [`${shown(end)} behind the size`, `5${end}hello\r\n`] as const),
    ...AFTER_DATA.map((end) => [`${shown(end)} behind the data`, `5\r\nhello${end}`] as const),
    ["an extension of 20,000 bytes", `5;${"a".repeat(20_000)}\r\nhello\r\n`],
    ["less data than said", "6\r\nhello\r\n"],
  ];
  const lasts: readonly (readonly [string, string])[] = [
    ["last chunk 0x0", "0x0\r\n\r\n"],
    ["last chunk -0", "-0\r\n\r\n"],
    ["last chunk and LF", "0\n\r\n"],
    ["LF LF at the end", "0\r\n\n"],
    ["CR CR LF at the end", "0\r\n\r\r\n"],
    ["a trailer that is no field", "0\r\nX Y\r\n\r\n"],
    ["a trailer without a name", "0\r\n: a\r\n\r\n"],
    ["a trailer with a space", "0\r\nX : a\r\n\r\n"],
    ["a folded trailer", "0\r\nX: a\r\n b\r\n\r\n"],
    ["a trailer with NUL", "0\r\nX: a\0\r\n\r\n"],
    ["a trailer with a bare LF", "0\r\nX: a\nY: b\r\n\r\n"],
    ["a request as trailer", `0\r\n${INNER}`],
  ];
  const head = [HOST_LINE, CASE_LINE, CHUNKED];
  return [
    ...faults.flatMap(([label, broken]) => places(broken).map(([where, body]) => post(`chunked: ${label}, ${where}`, CUT, head, body))),
    ...lasts.map(([label, last]) => post(`chunked: ${label}`, CUT, head, `${good}${last}${INNER}`)),
  ];
}

/** Bodies that stop before their end; the sender then ends the connection. */
function stopped(): readonly CorpusRequest[] {
  const chunked = [HOST_LINE, CASE_LINE, CHUNKED];
  return [
    post("stops within its length", CUT, [HOST_LINE, CASE_LINE, "Content-Length: 10"], "hello"),
    post("stops before its first byte", CUT, [HOST_LINE, CASE_LINE, "Content-Length: 10"], ""),
    ...["a", "a\r\n", "a\r\nhello", "5\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0", "5\r\nhello\r\n0\r\n"].map((body) =>
      post(`stops behind ${shown(body)}`, CUT, chunked, body),
    ),
  ];
}

/** Unusual, but said in one way (R-D1, R-D8). */
function sound(): readonly CorpusRequest[] {
  const chunked = [HOST_LINE, CASE_LINE, CHUNKED];
  const bodies: readonly (readonly [string, string, string])[] = [
    ["extensions", '2;a=b;c="d"\r\nhe\r\n3;x\r\nllo\r\n0;end\r\n\r\n', "hello"],
    ["upper-case and zeros in sizes", `0000A\r\n0123456789\r\n00\r\n\r\n`, "0123456789"],
    [
      "chunks of one byte",
      `${"hello"
        .split("")
        .map((octet) => `1\r\n${octet}\r\n`)
        .join("")}0\r\n\r\n`,
      "hello",
    ],
    ["an empty body", "0\r\n\r\n", ""],
    ["a body that is a request", `${INNER.length.toString(16)}\r\n${INNER}\r\n0\r\n\r\n`, INNER],
    ["a body that is chunked text", "7\r\n0\r\n\r\nGE\r\n0\r\n\r\n", "0\r\n\r\nGE"],
  ];
  return [
    ...bodies.map(([label, body, seen]) => post(`chunked: ${label}`, forwarded("/x", "POST", seen), chunked, body)),
    post(
      "a length and a body that is a request",
      forwarded("/x", "POST", INNER),
      [HOST_LINE, CASE_LINE, `Content-Length: ${INNER.length}`],
      INNER,
    ),
    ...["GET", "HEAD", "DELETE", "OPTIONS", "PUT"].flatMap((method): CorpusRequest[] => [
      {
        id: `R-D8 ${method} with a length`,
        requirement: "R-D8",
        template: request({ method, lines: [HOST_LINE, CASE_LINE, "Content-Length: 5"], body: "hello" }),
        fate: forwarded("/x", method, "hello"),
        http2: headerList(method, "/x", "content-length", "5"),
        http2Body: "hello",
      },
      {
        id: `R-D8 ${method} in chunks`,
        requirement: "R-D8",
        template: request({ method, lines: chunked, body: "5\r\nhello\r\n0\r\n\r\n" }),
        fate: forwarded("/x", method, "hello"),
        http2: headerList(method, "/x"),
        http2Body: "hello",
      },
    ]),
    { id: "R-D1 empty lines before", requirement: "R-D1", template: `\r\n\r\n${request({})}`, fate: { kind: "either", body: "" } },
  ];
}

/** Framing that HTTP/2 can say and a gateway must not take over (R-D1, downgraded). */
function downgraded(): readonly CorpusRequest[] {
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ["a length that is a list", ["content-length", "5, 5"]],
    ["a length that lies", ["content-length", "50"]],
    ["a length of 0", ["content-length", "0"]],
    ["two lengths", ["content-length", "5", "content-length", "6"]],
    ["chunked", ["transfer-encoding", "chunked"]],
    ["te: gzip", ["te", "gzip"]],
    ["a second :path", [":path", "/admin"]],
    ["an unknown pseudo-field", [":admin", "1"]],
  ];
  return lists.map(([label, more]) => ({
    id: `R-D1 HTTP/2 with ${label}`,
    requirement: "R-D1",
    template: request({ method: "POST", lines: [HOST_LINE, CASE_LINE, "Content-Length: 5"], body: "hello" }),
    fate: forwarded("/x", "POST", "hello"),
    http2: headerList("POST", "/x", ...more),
    http2Body: "hello",
    http2Fate: CUT,
  }));
}

/** Every request whose framing is odd. */
export const FRAMING: readonly CorpusRequest[] = [
  ...oneFraming(),
  ...severalFramings(),
  ...lines(),
  ...brokenChunks(),
  ...stopped(),
  ...sound(),
  ...downgraded(),
];
