// What an origin answered, judged before it goes up the tunnel (R-D9): grammar of every field, one unambiguous
// framing, hop-by-hop fields taken off (R-C4). Pure; must not know sockets.

import { checkFieldLimits, RESPONSE_FIELD_LIMITS } from "@sallyport/shared/http/field-limits";
import { NO_FIELDS } from "@sallyport/shared/http/fields";
import type { Fields } from "@sallyport/shared/http/fields";
import { readFraming } from "@sallyport/shared/http/framing";
import { responseFieldsToForward } from "@sallyport/shared/http/response-fields";

export type CheckedFields =
  | { readonly ok: true; readonly fields: Fields }
  /** A stable code, for the log. */
  | { readonly ok: false; readonly code: string };

/** What node:http2 hands over as `unknown`. */
export function latin1Fields(raw: unknown): Fields {
  if (!Array.isArray(raw)) return NO_FIELDS;
  return raw.map(String);
}

/** The fields of a response head as they go to the relay: Content-Length stays, as far as the status may have one. */
export function checkResponseFields(status: number, fields: Fields): CheckedFields {
  const limit = checkFieldLimits(fields, RESPONSE_FIELD_LIMITS);
  if (limit !== undefined) return { ok: false, code: limit };
  const framing = readFraming(fields, "1.1");
  if (framing.kind === "refused") return { ok: false, code: framing.code };
  // Which hosts a cookie may reach is an option of the application, so the relay decides it.
  const checked = responseFieldsToForward(fields, { cookieDomain: "keep" });
  if (!checked.ok) return checked;
  const mayHaveLength = status >= 200 && status !== 204;
  return mayHaveLength || framing.kind !== "length" ? checked : { ok: true, fields: without(checked.fields, "content-length") };
}

function without(fields: Fields, lowerName: string): Fields {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() !== lowerName) kept.push(fields[i] as string, fields[i + 1] as string);
  }
  return kept;
}
