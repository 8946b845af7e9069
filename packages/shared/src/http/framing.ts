// How a message says where its body ends (R-D1, RFC 9112 section 6). Only what every server reads alike is
// accepted; the rest is how requests are smuggled. Must not know bodies or sockets.

import type { Fields } from "./fields.ts";

export type Framing =
  /** Neither Content-Length nor Transfer-Encoding: no body in a request, until close in an HTTP/1 response, until END_STREAM on HTTP/2. */
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  /** 400 for a request, 502 for a response; close the connection. */
  | { readonly kind: "refused"; readonly code: FramingRefusalCode };

export type FramingRefusalCode = "ERR_FRAMING_CONTENT_LENGTH" | "ERR_FRAMING_TRANSFER_ENCODING" | "ERR_FRAMING_CONFLICT";

const NONE: Framing = Object.freeze({ kind: "none" });
const CHUNKED: Framing = Object.freeze({ kind: "chunked" });
const BAD_LENGTH: Framing = Object.freeze({ kind: "refused", code: "ERR_FRAMING_CONTENT_LENGTH" });
const BAD_CODING: Framing = Object.freeze({ kind: "refused", code: "ERR_FRAMING_TRANSFER_ENCODING" });
const CONFLICT: Framing = Object.freeze({ kind: "refused", code: "ERR_FRAMING_CONFLICT" });

/** 2^53 - 1 has 16 digits; more digits are refused even when they are leading zeros. */
const CONTENT_LENGTH = /^[0-9]{1,16}$/;

/** Reads the framing of a message head: at most one Content-Length, or one Transfer-Encoding that is exactly `chunked` on HTTP/1.1. */
export function readFraming(fields: Fields, httpVersion: "1.0" | "1.1" | "2.0"): Framing {
  let length: string | undefined;
  let coding: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.length === 14 && name.toLowerCase() === "content-length") {
      if (length !== undefined) return BAD_LENGTH;
      length = fields[i + 1] as string;
    } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
      if (coding !== undefined) return BAD_CODING;
      coding = fields[i + 1] as string;
    }
  }
  if (length !== undefined && coding !== undefined) return CONFLICT;
  if (coding !== undefined) return httpVersion === "1.1" && coding.toLowerCase() === "chunked" ? CHUNKED : BAD_CODING;
  if (length === undefined) return NONE;
  const parsed = readContentLength(length);
  return parsed === undefined ? BAD_LENGTH : { kind: "length", length: parsed };
}

/** 1*DIGIT below 2^53 as a number; undefined for anything else (`+3`, `3, 3`, `0x2`, empty, padded). */
export function readContentLength(value: string): number | undefined {
  const length = CONTENT_LENGTH.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(length) ? length : undefined;
}
