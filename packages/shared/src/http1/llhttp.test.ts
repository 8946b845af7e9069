// Our HTTP/1.1 reading held against llhttp, the parser inside node:http, as the oracle (R-D1): what llhttp refuses we
// refuse, and what both take reads the same: method, target, version, every field line, body, and where the next message begins.

import { createServer, METHODS, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pickAuthority } from "../http/authority.ts";
import { readTarget } from "../http/path.ts";
import { BodyDecoder } from "./body-decoder.ts";
import { HeadBuffer } from "./head-buffer.ts";
import { parseRequestHead, type RequestHead } from "./request-head.ts";

interface ReadRequest {
  readonly line: string;
  readonly fields: readonly string[];
  readonly body: string;
}

/** What a reader makes of a connection's bytes: the requests it took whole, and whether it stopped at a fault. */
interface Reading {
  readonly requests: readonly ReadRequest[];
  readonly refused: boolean;
}

function readOurs(bytes: Buffer): Reading {
  const requests: ReadRequest[] = [];
  let at = 0;
  while (at < bytes.length) {
    const buffer = new HeadBuffer({ maxBytes: 65_536, maxFirstLineBytes: 16_384 });
    const text = buffer.push(bytes, at);
    if (text === undefined) return { requests, refused: buffer.fault !== undefined };
    const parsed = parseRequestHead(text);
    if (!parsed.ok) return { requests, refused: true };
    const { head } = parsed;
    // llhttp judges methods and targets, too; here the pipeline does, with the rest of the path (R-A7, R-A11, R-A13).
    if (!METHODS.includes(head.method) || !isTarget(head)) return { requests, refused: true };
    const decoder = new BodyDecoder();
    decoder.begin(head.framing);
    let body = "";
    at = decoder.push(bytes, buffer.next, { bodyBytes: (chunk) => void (body += chunk.toString("latin1")) });
    if (at === -1) return { requests, refused: true };
    if (!decoder.done) return { requests, refused: false };
    requests.push({ line: `${head.method} ${head.target} ${head.httpVersion}`, fields: head.fields, body });
    if (head.upgrade || !head.keepAlive) break;
  }
  return { requests, refused: false };
}

function isTarget({ target, fields, httpVersion }: RequestHead): boolean {
  const read = readTarget(target);
  if (read.kind !== "absolute") return read.kind !== "refused";
  return pickAuthority({ httpVersion, authority: undefined, fields, target: read }, { scheme: read.scheme }).ok;
}

class Oracle {
  readonly #server: Server;
  readonly #readings = new WeakMap<Duplex, { requests: ReadRequest[]; refused: boolean }>();

  constructor() {
    this.#server = createServer({ requireHostHeader: false, insecureHTTPParser: false, maxHeaderSize: 65_536 });
    this.#server.maxHeadersCount = 0;
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => this.#onRequest(request, response);
    this.#server.on("request", onRequest).on("checkContinue", onRequest).on("checkExpectation", onRequest);
    this.#server.on("clientError", (_error, socket) => {
      const reading = this.#readings.get(socket);
      if (reading !== undefined) reading.refused = true;
    });
    for (const event of ["upgrade", "connect"]) {
      this.#server.on(event, (request: IncomingMessage) => this.#took(request, ""));
    }
  }

  /** @param expected stops looking when this many requests are there */
  async read(bytes: Buffer, expected: number): Promise<Reading> {
    const reading: { requests: ReadRequest[]; refused: boolean } = { requests: [], refused: false };
    const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
    this.#readings.set(socket, reading);
    this.#server.emit("connection", socket);
    socket.push(bytes);
    // Parsing runs within the reading of the stream, and its events within a few turns; a refusal may come behind them.
    for (let i = 0; i < 100 && reading.requests.length < expected && !reading.refused; i++) await turn();
    await turn();
    socket.destroy();
    return reading;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
    request.on("error", () => {});
    request.on("end", () => {
      this.#took(request, body);
      response.end();
    });
  }

  #took(request: IncomingMessage, body: string): void {
    const line = `${request.method} ${request.url} ${request.httpVersion}`;
    this.#readings.get(request.socket)?.requests.push({ line, fields: request.rawHeaders, body });
  }

  close(): void {
    this.#server.close();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

let oracle: Oracle;
beforeAll(() => {
  oracle = new Oracle();
});
afterAll(() => oracle.close());

async function compare(bytes: Buffer): Promise<void> {
  const ours = readOurs(bytes);
  const theirs = await oracle.read(bytes, ours.requests.length);
  const shown = JSON.stringify(bytes.toString("latin1"));
  // What we take, the oracle takes: the same requests in the same order. It may take more of them, since we are stricter.
  expect({ bytes: shown, requests: theirs.requests.slice(0, ours.requests.length) }).toEqual({ bytes: shown, requests: ours.requests });
  // Where the oracle refuses, we do not take a request more than it did.
  if (theirs.refused) expect(ours.requests.length, shown).toBeLessThanOrEqual(theirs.requests.length);
}

const VALID: readonly string[] = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /a//b;c?d=%41 HTTP/1.1\r\nHost: a.example:80\r\nX-A:1\r\nx-b: \t2 \t\r\nX-Empty:\r\nX-O: \xe9\xff\r\n\r\n",
  "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /next HTTP/1.1\r\nHost: b\r\n\r\n",
  'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x="y";z\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n',
  "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n",
  "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
  "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=d\r\nCookie: e=f\r\nAccept-Encoding: gzip, br\r\nUser-Agent: x (y; z) w/1.0\r\n\r\n",
];

/** Octets that parsers have been known to disagree about. */
const SHARP = '\r\n\0\t \x0b\x0c\x7f\x80\xa0\xff:;,="\\#%+-_.0123456789aAfFgGxX/@'.split("");
const PIECES = [
  "\r\n",
  "\n",
  "\r",
  "\r\n\r\n",
  "\r\n ",
  " \r\n",
  "\r\r\n",
  "\n\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "content-length: +5\r\n",
  "Content-Length: 5, 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: identity\r\n",
  "Transfer-Encoding:\tchunked \r\n",
  "Transfer-Encoding : chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
  "00000000000000000\r\n\r\n",
  ";ext=1",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/9.9",
  "GET / HTTP/1.1\r\n\r\n",
];

const edit = fc.record({
  at: fc.nat(),
  cut: fc.constantFrom(0, 0, 1, 1, 2, 5, 20),
  add: fc.oneof(fc.constantFrom(...SHARP), fc.constantFrom(...PIECES), fc.constant("")),
});

describe("R-D1: requests as llhttp reads them", () => {
  it.each(VALID)("takes %j alike", async (text) => {
    await compare(Buffer.from(text, "latin1"));
    expect(readOurs(Buffer.from(text, "latin1")).requests.length).toBeGreaterThan(0);
  });

  it(
    "takes nothing that llhttp refuses, and nothing in another way, over thousands of damaged requests",
    { timeout: 120_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...VALID), fc.array(edit, { minLength: 1, maxLength: 4 }), async (valid, edits) => {
          let text = valid;
          for (const { at, cut, add } of edits) {
            const from = at % (text.length + 1);
            text = text.slice(0, from) + add + text.slice(from + cut);
          }
          await compare(Buffer.from(text, "latin1"));
        }),
        { numRuns: Number(process.env["LLHTTP_RUNS"] ?? 4_000) },
      );
    },
  );

  it("takes nothing that llhttp refuses of lines put together at random", { timeout: 120_000 }, async () => {
    const line = fc.array(fc.oneof(fc.constantFrom(...SHARP), fc.constantFrom(...PIECES), fc.constantFrom("GET", "Host", "a", "chunked")), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 5 }), async (lines) => {
        await compare(Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${lines.map((parts) => parts.join("")).join("\r\n")}\r\n\r\n`, "latin1"));
      }),
      { numRuns: Number(process.env["LLHTTP_RUNS"] ?? 4_000) / 2 },
    );
  });
});
