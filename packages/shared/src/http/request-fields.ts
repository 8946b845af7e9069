// Which fields of a visitor's request the origin gets (R-C1 to R-C4, R-C7, R-A12): client copies are cleaned here
// first, what Sallyport adds comes after. One pass over the flat list, on every request.
// Must not know applications, identities or what will be added.

import { withoutConnectionOptions } from "./connection-options.ts";
import { withoutReservedCookies } from "./cookies.ts";
import { classifyField, FieldClass, normaliseFieldName } from "./field-names.ts";
import type { Fields } from "./fields.ts";
import { isFieldValue, trimOws } from "./grammar.ts";

export interface RequestFieldOptions {
  /** The relay consumed Authorization as a credential of its own (R-C7). Default false: it passes untouched. */
  readonly dropAuthorization?: boolean;
  /** Keep names with `_` or `.`, unless they imitate a name with a meaning (R-C2). Default false. */
  readonly keepUnusualNames?: boolean;
  /** Further names that the relay sets for this application, normalised by normaliseFieldName. Default none. */
  readonly identityNames?: ReadonlySet<string>;
}

export type FieldsRefusalCode = "ERR_FIELD_VALUE" | "ERR_FIELD_NAME" | "ERR_CONNECTION_OPTION";

/** `ok: false`: 400 for a request, 502 for a response. */
export type FieldsResult = { readonly ok: true; readonly fields: Fields } | { readonly ok: false; readonly code: FieldsRefusalCode };

const NO_NAMES: ReadonlySet<string> = new Set();
const BAD_VALUE: FieldsResult = Object.freeze({ ok: false, code: "ERR_FIELD_VALUE" });
const BAD_CONNECTION: FieldsResult = Object.freeze({ ok: false, code: "ERR_CONNECTION_OPTION" });

/**
 * The fields to forward, in order, original spelling, duplicates kept; Cookie lines joined with `; ` at the place
 * of the first (RFC 9113 section 8.2.3). Left out: hop-by-hop and framing fields, Host, Expect, everything that
 * claims an identity or an address or another path, Sallyport's credentials and cookies, names no origin reads
 * alike. TE is reduced to `trailers`. Linear in the size of the list.
 */
export function requestFieldsToForward(fields: Fields, options: RequestFieldOptions = {}): FieldsResult {
  const identityNames = options.identityNames ?? NO_NAMES;
  const kept: string[] = [];
  let connection = "";
  let cookieAt = -1;
  let trailersAccepted = false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    let value = fields[i + 1] as string;
    switch (classifyField(name)) {
      case FieldClass.PLAIN:
      case FieldClass.END_TO_END:
      case FieldClass.SET_COOKIE:
        break;
      case FieldClass.UNUSUAL:
        if (options.keepUnusualNames !== true) continue;
        break;
      case FieldClass.AUTHORIZATION:
        if (options.dropAuthorization === true) continue;
        break;
      case FieldClass.COOKIE:
        value = withoutReservedCookies(value);
        if (value === "") continue;
        if (!isFieldValue(value)) return BAD_VALUE;
        if (cookieAt < 0) cookieAt = kept.push(name, value) - 1;
        else kept[cookieAt] += `; ${value}`;
        continue;
      case FieldClass.TE:
        if (trailersAccepted || !listsTrailers(value)) continue;
        trailersAccepted = true;
        value = "trailers";
        break;
      case FieldClass.CONNECTION:
        connection = connection === "" ? value : `${connection},${value}`;
        continue;
      default:
        continue;
    }
    if (identityNames.size > 0 && identityNames.has(normaliseFieldName(name))) continue;
    if (!isFieldValue(value)) return BAD_VALUE;
    kept.push(name, value);
  }
  const forwarded = withoutConnectionOptions(kept, connection, identityNames);
  return forwarded === undefined ? BAD_CONNECTION : { ok: true, fields: forwarded };
}

function listsTrailers(te: string): boolean {
  return te === "trailers" || te.split(",").some((coding) => trimOws(coding).toLowerCase() === "trailers");
}
