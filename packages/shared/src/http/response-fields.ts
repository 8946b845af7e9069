// Which fields and trailers of an origin's response the visitor gets (R-C4, R-C5, R-C8, R-D9). Used by the
// connector on what the origin sends, and again by the relay on what the connector sends.
// Must not know applications or sessions.

import { withoutConnectionOptions } from "./connection-options.ts";
import { isReservedCookie } from "./cookies.ts";
import { classifyField, FieldClass } from "./field-names.ts";
import type { Fields } from "./fields.ts";
import { isFieldValue, isToken, trimOws } from "./grammar.ts";
import type { FieldsResult } from "./request-fields.ts";

export interface ResponseFieldOptions {
  /**
   * `own-host` (default): the Domain attribute is taken out of Set-Cookie, so that a cookie never reaches the
   * hosts of other applications. `keep`: forwarded byte-exact, for products spread over several hosts (R-C8).
   */
  readonly cookieDomain?: "own-host" | "keep";
}

const NO_NAMES: ReadonlySet<string> = new Set();
const BAD_VALUE: FieldsResult = Object.freeze({ ok: false, code: "ERR_FIELD_VALUE" });
const BAD_NAME: FieldsResult = Object.freeze({ ok: false, code: "ERR_FIELD_NAME" });
const BAD_CONNECTION: FieldsResult = Object.freeze({ ok: false, code: "ERR_CONNECTION_OPTION" });
const DOMAIN_ATTRIBUTE = /^[ \t]*domain[ \t]*(?:=|$)/i;

/**
 * The response fields to forward, in order, byte-exact, duplicates kept, Content-Length included. Left out:
 * hop-by-hop fields, what Connection names, `Sallyport-*`, Set-Cookie of reserved cookies.
 */
export function responseFieldsToForward(fields: Fields, options: ResponseFieldOptions = {}): FieldsResult {
  const kept: string[] = [];
  let connection = "";
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    let value = fields[i + 1] as string;
    // Judged before anything is dropped: a value that could split the head is an attack wherever it stands.
    if (!isFieldValue(value)) return BAD_VALUE;
    switch (classifyField(name)) {
      case FieldClass.INVALID:
        return BAD_NAME;
      case FieldClass.HOP_BY_HOP:
      case FieldClass.TE:
      case FieldClass.RESERVED:
      case FieldClass.IMITATION:
        continue;
      case FieldClass.CONNECTION:
        connection = connection === "" ? value : `${connection},${value}`;
        continue;
      case FieldClass.SET_COOKIE:
        if (isReservedCookie(value)) continue;
        if (options.cookieDomain !== "keep") value = withoutDomain(value);
        break;
      default:
        break;
    }
    kept.push(name, value);
  }
  const forwarded = withoutConnectionOptions(kept, connection, NO_NAMES);
  return forwarded === undefined ? BAD_CONNECTION : { ok: true, fields: forwarded };
}

/**
 * The trailers to forward: those of class PLAIN only, since a trailer may not carry framing, routing,
 * authentication, cookies or content fields (RFC 9110 section 6.5.1). Malformed ones are dropped (R-C5).
 */
export function trailersToForward(trailers: Fields): Fields {
  const kept: string[] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] as string;
    const value = trailers[i + 1] as string;
    const kind = classifyField(name);
    if ((kind === FieldClass.PLAIN || kind === FieldClass.UNUSUAL) && isFieldValue(value)) kept.push(name, value);
  }
  return kept;
}

/** Whether every name is a token and every value clean: the connector asks before it writes what the relay sent (R-D3). */
export function areFieldsWellFormed(fields: Fields): boolean {
  if (fields.length % 2 !== 0) return false;
  for (let i = 0; i < fields.length; i += 2) {
    if (!isToken(fields[i] as string) || !isFieldValue(fields[i + 1] as string)) return false;
  }
  return true;
}

function withoutDomain(setCookie: string): string {
  if (!/domain/i.test(setCookie)) return setCookie;
  const parts = setCookie.split(";");
  const kept = parts.filter((part, index) => index === 0 || !DOMAIN_ATTRIBUTE.test(part));
  return kept.length === parts.length ? setCookie : trimOws(kept.join(";"));
}
