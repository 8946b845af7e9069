// One HTTP/1.1 request head (RFC 9112 sections 3 and 5), read in the one way that every server reads it, or refused
// (R-D1). Strict where the RFC lets a recipient be lenient: a single space between the parts of the request line, CRLF
// only. Must not know sockets, routes, or what a target means.

import type { Fields } from "../http/fields.ts";
import { readFraming, type Framing, type FramingRefusalCode } from "../http/framing.ts";
import { readConnection } from "./connection.ts";
import { readFieldLines, skipToken } from "./field-lines.ts";

export interface RequestHead {
  readonly httpVersion: "1.0" | "1.1";
  /** A token, as received. */
  readonly method: string;
  /** Visible ASCII, as received; not yet judged. */
  readonly target: string;
  readonly fields: Fields;
  readonly framing: Exclude<Framing, { readonly kind: "refused" }>;
  /** The client lets the connection be used again (RFC 9112 section 9.3). */
  readonly keepAlive: boolean;
  /** A switch to WebSocket is asked for: HTTP/1.1, one Upgrade field that says so, and Connection names it (R-D5). */
  readonly upgrade: boolean;
  /** Value of the Expect field; undefined without one. Several are joined with a comma. */
  readonly expect: string | undefined;
}

export type RequestHeadFault = "ERR_REQUEST_MALFORMED" | FramingRefusalCode;

export type RequestHeadResult = { readonly ok: true; readonly head: RequestHead } | { readonly ok: false; readonly code: RequestHeadFault };

const MALFORMED: RequestHeadResult = Object.freeze({ ok: false, code: "ERR_REQUEST_MALFORMED" });
const NO_FRAMING: RequestHead["framing"] = Object.freeze({ kind: "none" });

const SPACE = 0x20;
/** SP, "HTTP/1.x", CRLF. */
const VERSION_LENGTH = 11;
/** Visible ASCII, as RFC 3986 has it. Which of it a target may hold is judged with the path (R-A7). */
const NOT_TARGET = /[^\x21-\x7e]/g;

/** @param text as {@link HeadBuffer.push} gives it; an empty line before the request line is allowed (RFC 9112 section 2.2). */
export function parseRequestHead(text: string): RequestHeadResult {
  const start = text.startsWith("\r\n") ? 2 : 0;
  const methodEnd = skipToken(text, start);
  if (methodEnd === start || text.charCodeAt(methodEnd) !== SPACE) return MALFORMED;
  const targetEnd = endOfTarget(text, methodEnd + 1);
  const httpVersion = versionAt(text, targetEnd);
  if (targetEnd === methodEnd + 1 || httpVersion === undefined) return MALFORMED;
  const fields: string[] = [];
  if (!readFieldLines(text, targetEnd + VERSION_LENGTH, fields)) return MALFORMED;
  return withMeaning(httpVersion, text.slice(start, methodEnd), text.slice(methodEnd + 1, targetEnd), fields);
}

function endOfTarget(text: string, from: number): number {
  NOT_TARGET.lastIndex = from;
  return NOT_TARGET.test(text) ? NOT_TARGET.lastIndex - 1 : text.length;
}

function versionAt(text: string, at: number): "1.0" | "1.1" | undefined {
  if (text.startsWith(" HTTP/1.1\r\n", at)) return "1.1";
  return text.startsWith(" HTTP/1.0\r\n", at) ? "1.0" : undefined;
}

/** One pass for the fields on which the rest of the connection depends. */
function withMeaning(httpVersion: "1.0" | "1.1", method: string, target: string, fields: Fields): RequestHeadResult {
  let framed = false;
  let connection: string | undefined;
  let expect: string | undefined;
  let upgrade: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    switch (name.length) {
      case 6:
        if (name.toLowerCase() === "expect") expect = joined(expect, fields[i + 1] as string);
        break;
      case 7:
        if (name.toLowerCase() === "upgrade") upgrade = joined(upgrade, fields[i + 1] as string);
        break;
      case 10:
        if (name.toLowerCase() === "connection") connection = joined(connection, fields[i + 1] as string);
        break;
      case 14:
        framed ||= name.toLowerCase() === "content-length";
        break;
      case 17:
        framed ||= name.toLowerCase() === "transfer-encoding";
        break;
      default:
    }
  }
  const framing = framed ? readFraming(fields, httpVersion) : NO_FRAMING;
  if (framing.kind === "refused") return { ok: false, code: framing.code };
  const { keepAlive, namesUpgrade } = readConnection(httpVersion, connection);
  const switches = upgrade !== undefined && namesUpgrade && httpVersion === "1.1" && upgrade.toLowerCase() === "websocket";
  return { ok: true, head: { httpVersion, method, target, fields, framing, keepAlive, upgrade: switches, expect } };
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}
