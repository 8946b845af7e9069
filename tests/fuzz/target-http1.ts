// Fuzz targets of HTTP/1.1: request heads, response heads and bodies. However the bytes are divided, the reading is the same;
// what is accepted can be written again and reads the same; nothing accepted holds a control (R-D1, R-D9).

import { BodyDecoder } from "@sallyport/shared/http1/body-decoder";
import { ChunkedDecoder } from "@sallyport/shared/http1/chunked-decoder";
import { HeadBuffer } from "@sallyport/shared/http1/head-buffer";
import { parseRequestHead } from "@sallyport/shared/http1/request-head";
import { parseResponseHead } from "@sallyport/shared/http1/response-head";
import { isToken } from "@sallyport/shared/http/grammar";
import { fill, type CorpusRequest } from "../conformance/support/corpus/corpus-request.ts";
import { HTTP_CORPUS } from "../conformance/support/corpus/http-corpus.ts";
import { CORPUS as ANSWERS } from "@sallyport/connector/origin/testing/response-corpus";
import { divided, holdsControl, latin1, promise, same, type FuzzTarget } from "./target.ts";

const LIMITS = { maxBytes: 16_384, maxFirstLineBytes: 9_000 };
const WORDS = [
  "\r\n",
  "\r\n\r\n",
  "\n",
  "\r",
  ":",
  " ",
  "\t",
  "HTTP/1.1",
  "HTTP/1.0",
  "GET ",
  "Host: a\r\n",
  "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: close\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
  ";a=b",
  ',"',
  "\0",
];

const bytesOf = ({ template }: CorpusRequest): string => fill(template, { host: "app.example.test", marker: "0" });

interface Read {
  readonly outcome: string;
  readonly head?: unknown;
  readonly body?: string;
  /** Octets of the input behind the message. */
  readonly rest?: number;
}

interface Parsed {
  readonly ok: boolean;
  readonly code?: string;
  readonly head?: {
    readonly framing: { readonly kind: "none" } | { readonly kind: "length"; readonly length: number } | { readonly kind: "chunked" };
  };
}

/** Head and body of the first message. */
function read(chunks: readonly Buffer[], parse: (text: string) => Parsed): Read {
  const head = new HeadBuffer(LIMITS);
  const decoder = new BodyDecoder();
  let parsed: Parsed | undefined;
  let body = "";
  let total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  for (const chunk of chunks) {
    let at = 0;
    if (parsed === undefined) {
      const text = head.push(chunk, 0);
      if (head.fault !== undefined) return { outcome: head.fault };
      if (text === undefined) {
        total -= chunk.length;
        continue;
      }
      parsed = parse(text);
      if (!parsed.ok || parsed.head === undefined) return { outcome: parsed.code ?? "refused" };
      decoder.begin(parsed.head.framing);
      at = head.next;
    }
    const next = decoder.push(chunk, at, { bodyBytes: (bytes) => void (body += bytes.toString("latin1")) });
    if (next === -1) return { outcome: "broken body", head: parsed.head };
    total -= next;
    if (decoder.done) return { outcome: "whole", head: parsed.head, body, rest: total };
  }
  return parsed === undefined ? { outcome: "incomplete" } : { outcome: "incomplete body", head: parsed.head };
}

/** Which of several faults is found first may depend on where the bytes are divided; that there is one may not. */
function comparable(read: Read): unknown {
  return ["whole", "incomplete", "incomplete body", "broken body"].includes(read.outcome) ? read : "refused";
}

function checkFields(fields: readonly string[]): void {
  for (let i = 0; i < fields.length; i += 2) {
    promise(isToken(fields[i] ?? ""), "a name that is no token was accepted", fields[i]);
    promise(!holdsControl(fields[i + 1] ?? ""), "a value with a control was accepted", fields[i + 1]);
  }
}

const lines = (fields: readonly string[]): string => {
  let text = "";
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return text;
};

const requests: FuzzTarget = {
  name: "http1-request",
  seeds: () => latin1(...HTTP_CORPUS.map(bytesOf)),
  words: WORDS,
  run(input, pick) {
    const whole = read([input], parseRequestHead);
    same("divided otherwise, read otherwise", comparable(whole), comparable(read(divided(input, pick), parseRequestHead)));
    const head = whole.head as Extract<ReturnType<typeof parseRequestHead>, { ok: true }>["head"] | undefined;
    if (head === undefined) return whole.outcome;
    promise(isToken(head.method) && /^[\x21-\x7e]+$/.test(head.target), "an odd request line was accepted", head);
    checkFields(head.fields);
    const again = parseRequestHead(`${head.method} ${head.target} HTTP/${head.httpVersion}\r\n${lines(head.fields)}`);
    same("written again, read otherwise", { ok: true, head }, again);
    return `${whole.outcome} ${head.framing.kind} ${head.keepAlive} ${head.upgrade} ${head.expect !== undefined}`;
  },
};

const responses: FuzzTarget = {
  name: "http1-response",
  seeds: () => latin1(...ANSWERS),
  words: [...WORDS, "HTTP/1.1 200 OK\r\n", "HTTP/1.1 101 ", "HTTP/1.1 204 ", "Keep-Alive: timeout=5\r\n"],
  run(input, pick) {
    const whole = read([input], parseResponseHead);
    same("divided otherwise, read otherwise", comparable(whole), comparable(read(divided(input, pick), parseResponseHead)));
    const head = whole.head as Extract<ReturnType<typeof parseResponseHead>, { ok: true }>["head"] | undefined;
    if (head === undefined) return whole.outcome;
    promise(Number.isInteger(head.status) && head.status >= 100 && head.status <= 599, "an odd status was accepted", head);
    checkFields(head.fields);
    return `${whole.outcome} ${head.framing.kind} ${head.keepAlive} ${Math.floor(head.status / 100)}`;
  },
};

function readChunked(chunks: readonly Buffer[]): {
  readonly outcome: string;
  readonly body?: string;
  readonly next?: number;
  readonly trailers?: unknown;
} {
  const decoder = new ChunkedDecoder();
  let body = "";
  let before = 0;
  for (const chunk of chunks) {
    const next = decoder.push(chunk, 0, { bodyBytes: (bytes) => void (body += bytes.toString("latin1")) });
    if (next === -1) return { outcome: "malformed" };
    if (decoder.done) return { outcome: "whole", body, next: before + next, trailers: decoder.trailers };
    before += chunk.length;
  }
  return { outcome: "incomplete", body };
}

const chunked: FuzzTarget = {
  name: "http1-chunked",
  seeds: () =>
    latin1(
      "5\r\nhello\r\n0\r\n\r\n",
      "0\r\n\r\n",
      '2;a=b;c="d"\r\nhe\r\n3\r\nllo\r\n0;x\r\nX: y\r\n\r\nGET',
      ...HTTP_CORPUS.filter(({ template }) => template.includes("chunked")).map((one) =>
        bytesOf(one).split("\r\n\r\n").slice(1).join("\r\n\r\n"),
      ),
    ),
  words: WORDS,
  run(input, pick) {
    const whole = readChunked([input]);
    same("divided otherwise, read otherwise", whole, readChunked(divided(input, pick)));
    promise((whole.body ?? "").length <= input.length, "more came out than went in");
    if (whole.outcome !== "whole") return whole.outcome;
    checkFields(whole.trailers as readonly string[]);
    const body = whole.body ?? "";
    const plain = `${body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`}0\r\n\r\n`;
    promise(readChunked([Buffer.from(plain, "latin1")]).body === body, "written again, read otherwise", body);
    return `whole ${(whole.trailers as readonly string[]).length > 0} ${body === ""}`;
  },
};

export const HTTP1_TARGETS: readonly FuzzTarget[] = [requests, responses, chunked];
