// Size limits of a received head (I7, I10, R-H3, R-L2), counted on the list itself, since Node's own limits
// truncate or differ between versions. Must not know what happens beyond them.

import type { Fields } from "./fields.ts";

export interface FieldLimits {
  /** Most field lines; all Cookie lines count as one, because HTTP/2 clients split that field into crumbs. */
  readonly maxFields: number;
  /** Most bytes of names and values, with 4 per line for `: ` and CRLF. */
  readonly maxBytes: number;
  /** Most bytes of Cookie values together. */
  readonly maxCookieBytes: number;
}

/** Defaults for requests: 100 fields, 16 KiB, of which Cookie may take all. */
export const REQUEST_FIELD_LIMITS: FieldLimits = Object.freeze({ maxFields: 100, maxBytes: 16_384, maxCookieBytes: 16_384 });
/** Defaults for responses of an origin (I10): 64 KiB. */
export const RESPONSE_FIELD_LIMITS: FieldLimits = Object.freeze({ maxFields: 500, maxBytes: 65_536, maxCookieBytes: 65_536 });

export type FieldLimitCode = "ERR_FIELDS_TOO_MANY" | "ERR_FIELDS_TOO_LARGE" | "ERR_COOKIE_TOO_LARGE";

const BYTES_PER_LINE = 4;

/** The first limit that `fields` break, or undefined: 431 for a request, 502 for a response. */
export function checkFieldLimits(fields: Fields, limits: FieldLimits = REQUEST_FIELD_LIMITS): FieldLimitCode | undefined {
  let lines = fields.length / 2;
  let bytes = 0;
  let cookieBytes = 0;
  let cookieLines = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    bytes += name.length + value.length + BYTES_PER_LINE;
    if (name.length !== 6 || name.toLowerCase() !== "cookie") continue;
    cookieBytes += value.length;
    cookieLines++;
  }
  if (cookieLines > 1) lines -= cookieLines - 1;
  if (lines > limits.maxFields) return "ERR_FIELDS_TOO_MANY";
  if (cookieBytes > limits.maxCookieBytes) return "ERR_COOKIE_TOO_LARGE";
  return bytes > limits.maxBytes ? "ERR_FIELDS_TOO_LARGE" : undefined;
}
