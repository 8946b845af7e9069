// The corpus of what changes a connection (R-D5 to R-D7): upgrades, expectations, and what stands behind a first request.

import {
  CASE_LINE,
  EITHER,
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

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const WEBSOCKET = ["Connection: Upgrade", "Upgrade: websocket", `Sec-WebSocket-Key: ${KEY}`, "Sec-WebSocket-Version: 13"];
const INNER = `GET /smuggled HTTP/1.1\r\nHost: smuggled.test\r\nX-Case: ${FORGED}\r\n\r\n`;

function upgrades(): readonly CorpusRequest[] {
  const rows: readonly (readonly [label: string, lines: readonly string[], fate: Fate, method?: string, body?: string])[] = [
    ["h2c", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", `HTTP2-Settings: ${FORGED}`], forwarded()],
    ["h2c in upper case", ["Connection: upgrade", "Upgrade: H2C"], forwarded()],
    ["TLS/1.0", ["Connection: upgrade", "Upgrade: TLS/1.0"], forwarded()],
    ["a list", ["Connection: upgrade", "Upgrade: websocket, h2c"], forwarded()],
    ["two fields", ["Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c"], forwarded()],
    ["not named by Connection", WEBSOCKET.slice(1), forwarded()],
    ["an empty one", ["Connection: upgrade", "Upgrade:"], forwarded()],
    ["POST", WEBSOCKET, REFUSED, "POST"],
    ["a length", [...WEBSOCKET, "Content-Length: 5"], REFUSED, "GET", "hello"],
    ["a length of 0", [...WEBSOCKET, "Content-Length: 0"], REFUSED],
    ["chunked", [...WEBSOCKET, "Transfer-Encoding: chunked"], REFUSED, "GET", "0\r\n\r\n"],
    ["no key", WEBSOCKET.filter((line) => !line.includes("Key")), REFUSED],
    ["two keys", [...WEBSOCKET, `Sec-WebSocket-Key: ${KEY}`], REFUSED],
    ["a short key", [...WEBSOCKET.filter((line) => !line.includes("Key")), "Sec-WebSocket-Key: c2hvcnQ="], REFUSED],
    ["version 8", [...WEBSOCKET.slice(0, 3), "Sec-WebSocket-Version: 8"], REFUSED],
    ["versions 13, 8", [...WEBSOCKET.slice(0, 3), "Sec-WebSocket-Version: 13, 8"], REFUSED],
    ["no version", WEBSOCKET.slice(0, 3), REFUSED],
  ];
  return rows.map(([label, lines, fate, method = "GET", body = ""]) => ({
    id: `R-D5 upgrade: ${label}`,
    requirement: "R-D5",
    template: request({ method, lines: [HOST_LINE, CASE_LINE, ...lines], body }),
    fate,
  }));
}

/** A handshake that is sound, which these origins answer as an ordinary request: bytes behind it are never a request. */
function earlyBytes(): readonly CorpusRequest[] {
  return ["", INNER, "\x81\x85\0\0\0\0hello", `${INNER}${INNER}`, "\r\n\r\n"].map((early) => ({
    id: `R-D5 bytes behind the handshake: ${shown(early)}`,
    requirement: "R-D5",
    template: request({ lines: [HOST_LINE, CASE_LINE, ...WEBSOCKET], body: early }),
    fate: EITHER,
  }));
}

function expectations(): readonly CorpusRequest[] {
  const length = "Content-Length: 5";
  return [
    ...["200-ok", "100-continue, x", "continue", "", "100-continue;x", "\x0b100-continue"].map((value): CorpusRequest => ({
      id: `R-D6 Expect: ${shown(value)}`,
      requirement: "R-D6",
      template: request({ method: "POST", lines: [HOST_LINE, CASE_LINE, `Expect: ${value}`, length], body: "hello" }),
      fate: REFUSED,
    })),
    ...["100-continue", "100-Continue", "100-CONTINUE"].map((value): CorpusRequest => ({
      id: `R-D6 Expect: ${value}, the body at once`,
      requirement: "R-D6",
      template: request({ method: "POST", lines: [HOST_LINE, CASE_LINE, `Expect: ${value}`, length], body: "hello" }),
      fate: forwarded("/x", "POST", "hello"),
      http2: headerList("POST", "/x", "expect", value),
      http2Body: "hello",
    })),
    {
      id: "R-D6 Expect at a path that is not open",
      requirement: "R-D6",
      template: request({ method: "POST", target: "/admin", lines: [HOST_LINE, CASE_LINE, "Expect: 100-continue", length], body: INNER }),
      fate: REFUSED,
    },
  ];
}

/** A sound request, and behind it on the same connection one that must not pass; its marker is one that nobody knows. */
function behindAnother(): readonly CorpusRequest[] {
  const marker = `X-Case: ${FORGED}`;
  const seconds: readonly (readonly [string, string])[] = [
    ["a path that is not open", request({ target: "/admin", lines: [HOST_LINE, marker] })],
    ["a dotted path", request({ target: "/pub/../admin", lines: [HOST_LINE, marker] })],
    ["two Host", request({ lines: [HOST_LINE, HOST_LINE, marker] })],
    ["another Host", request({ lines: ["Host: evil.test", marker] })],
    ["no Host", request({ lines: [marker] })],
    [
      "a length and chunked",
      request({ method: "POST", lines: [HOST_LINE, marker, "Content-Length: 5", "Transfer-Encoding: chunked"], body: "0\r\n\r\n" }),
    ],
    ["a bare LF", request({ lines: [HOST_LINE, `${marker}\nX: y`] })],
    ["an upgrade with a length", request({ lines: [HOST_LINE, marker, ...WEBSOCKET, "Content-Length: 5"], body: "hello" })],
    ["CONNECT", request({ method: "CONNECT", target: "{host}:443", lines: [HOST_LINE, marker] })],
    ["no HTTP", `\0\x01\x02${INNER}`],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ];
  const first = { lines: [HOST_LINE, CASE_LINE] };
  const withBody = { method: "POST", lines: [HOST_LINE, CASE_LINE, "Content-Length: 5"], body: "hello" };
  const inChunks = { method: "POST", lines: [HOST_LINE, CASE_LINE, "Transfer-Encoding: chunked"], body: "5\r\nhello\r\n0\r\n\r\n" };
  return seconds.flatMap(([label, second]): CorpusRequest[] => [
    { id: `R-D7 ${label} behind a GET`, requirement: "R-D7", template: request(first) + second, fate: forwarded() },
    {
      id: `R-D7 ${label} behind a body`,
      requirement: "R-D7",
      template: request(withBody) + second,
      fate: forwarded("/x", "POST", "hello"),
    },
    {
      id: `R-D7 ${label} behind chunks`,
      requirement: "R-D7",
      template: request(inChunks) + second,
      fate: forwarded("/x", "POST", "hello"),
    },
  ]);
}

/** Every request that is odd in what it makes of its connection. */
export const CONNECTIONS: readonly CorpusRequest[] = [...upgrades(), ...earlyBytes(), ...expectations(), ...behindAnother()];
