// Response heads on their way out of an engine: the last check before bytes are written, and the framing fields
// that are the engine's business and not the caller's (R-D9, R-D10, RFC 9112 section 6, RFC 9113 section 8.2).
// Must not know sockets.

import { SallyportError } from "@sallyport/shared/errors";
import type { Fields } from "@sallyport/shared/http/fields";
import { readContentLength } from "@sallyport/shared/http/framing";

export interface OutgoingHead {
  readonly fields: string[];
  /** Content-Length as declared; undefined when the body's length is open. */
  readonly declaredLength: number | undefined;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Fields that describe one connection; the engine that owns the connection writes its own (RFC 9110 section 7.6.1). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

export function hasNoBody(status: number): boolean {
  return status === 204 || status === 304 || (status >= 100 && status < 200);
}

/**
 * Copies `fields` without connection fields, and without Content-Length where the status has none.
 * @param lowerCase names as HTTP/2 wants them.
 * @throws SallyportError ERR_INGRESS_FIELD_INVALID for a name or value that HTTP cannot carry, or lengths that contradict.
 */
export function prepareHead(status: number, fields: Fields, lowerCase: boolean): OutgoingHead {
  const out: string[] = [];
  let declaredLength: number | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    checkField(name, value);
    const lower = name.toLowerCase();
    // 426 must name the protocol to upgrade to (RFC 9110 section 15.5.22).
    if (CONNECTION_FIELDS.has(lower) && (status !== 426 || lower !== "upgrade" || lowerCase)) continue;
    if (lower === "content-length") {
      if (status === 204 || status < 200) continue;
      const length = readContentLength(value);
      if (length === undefined || (declaredLength !== undefined && declaredLength !== length)) throw invalid("content-length");
      if (declaredLength !== undefined) continue;
      declaredLength = length;
    }
    out.push(lowerCase ? lower : name, value);
  }
  return { fields: out, declaredLength };
}

/** Trailers that may go out: no framing, no connection fields, no pseudo-fields (RFC 9110 section 6.5.1). */
export function prepareTrailers(fields: Fields, lowerCase: boolean): string[] {
  const out: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    checkField(name, value);
    const lower = name.toLowerCase();
    if (CONNECTION_FIELDS.has(lower) || lower === "content-length" || lower === "host") continue;
    out.push(lowerCase ? lower : name, value);
  }
  return out;
}

function checkField(name: string, value: string): void {
  if (!TOKEN.test(name) || !VALUE.test(value)) throw invalid(name);
}

function invalid(name: string): SallyportError {
  const shown = TOKEN.test(name) ? name.slice(0, 64) : "(not a token)";
  return new SallyportError("ERR_INGRESS_FIELD_INVALID", `The response field ${shown} cannot be written; nothing was sent.`);
}
