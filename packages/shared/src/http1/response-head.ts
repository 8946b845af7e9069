// One HTTP/1.1 response head (RFC 9112 sections 4 and 5), read strictly: an origin that answers in two ways at once is
// not believed (R-D9). Must not know sockets or the request that is answered.

import type { Fields } from "../http/fields.ts";
import { readFraming, type Framing, type FramingRefusalCode } from "../http/framing.ts";
import { readConnection } from "./connection.ts";
import { endOfValue, readFieldLines } from "./field-lines.ts";

export interface ResponseHead {
  readonly httpVersion: "1.0" | "1.1";
  /** 100 to 599. */
  readonly status: number;
  readonly fields: Fields;
  /** As declared; what the request's method and the status make of it is the caller's (RFC 9112 section 6.3). */
  readonly framing: Exclude<Framing, { readonly kind: "refused" }>;
  /** The origin lets the connection be used again. */
  readonly keepAlive: boolean;
  /** Seconds of `Keep-Alive: timeout=N`, after which the origin closes an unused connection; undefined when it does not say. */
  readonly keepAliveTimeoutS: number | undefined;
}

export type ResponseHeadFault = "ERR_RESPONSE_MALFORMED" | FramingRefusalCode;

export type ResponseHeadResult =
  | { readonly ok: true; readonly head: ResponseHead }
  | { readonly ok: false; readonly code: ResponseHeadFault };

const MALFORMED: ResponseHeadResult = Object.freeze({ ok: false, code: "ERR_RESPONSE_MALFORMED" });
const NO_FRAMING: ResponseHead["framing"] = Object.freeze({ kind: "none" });

/** Behind it comes a reason phrase, or the end of the line; many origins leave out the space that the RFC wants. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?= |\r\n)/;
const STATUS_LINE_LENGTH = 12;
const TIMEOUT = /(?:^|[,\s])timeout="?([0-9]{1,6})/i;

/** @param text as {@link HeadBuffer.push} gives it */
export function parseResponseHead(text: string): ResponseHeadResult {
  const line = STATUS_LINE.exec(text);
  if (line === null) return MALFORMED;
  const lineEnd = endOfValue(text, STATUS_LINE_LENGTH);
  const fields: string[] = [];
  if (lineEnd === -1 || !readFieldLines(text, lineEnd + 2, fields)) return MALFORMED;
  return withMeaning(line[1] === "1" ? "1.1" : "1.0", Number(line[2]), fields);
}

function withMeaning(httpVersion: "1.0" | "1.1", status: number, fields: Fields): ResponseHeadResult {
  let framed = false;
  let connection: string | undefined;
  let timeout: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.length === 10) {
      const lower = name.toLowerCase();
      const value = fields[i + 1] as string;
      if (lower === "connection") connection = connection === undefined ? value : `${connection}, ${value}`;
      else if (lower === "keep-alive") timeout ??= TIMEOUT.exec(value)?.[1];
    } else if (name.length === 14) framed ||= name.toLowerCase() === "content-length";
    else if (name.length === 17) framed ||= name.toLowerCase() === "transfer-encoding";
  }
  const framing = framed ? readFraming(fields, httpVersion) : NO_FRAMING;
  if (framing.kind === "refused") return { ok: false, code: framing.code };
  const { keepAlive } = readConnection(httpVersion, connection);
  const keepAliveTimeoutS = timeout === undefined ? undefined : Number(timeout);
  return { ok: true, head: { httpVersion, status, fields, framing, keepAlive, keepAliveTimeoutS } };
}
