// Who is asking, as header fields in the clear for origins that cannot verify a signature (A21). Values are written so that
// nothing in them can become a second field, a second group or another person (R-C9). Must not know requests: client copies
// of these names are taken out where requests are forwarded.

import type { Fields } from "@sallyport/shared/http/fields";
import { normaliseFieldName } from "@sallyport/shared/http/field-names";
import type { IdentityHeader, IdentityValue } from "../config/types.ts";
import type { Identity } from "./identity.ts";

/** Longest value of one field: common servers refuse heads above 8 KiB. */
export const MAX_IDENTITY_VALUE_BYTES = 4_096;

/** What a person may lack, and an origin takes for the name of an account: nobody passes as nobody (R-C6). */
const ESSENTIAL: ReadonlySet<IdentityValue> = new Set(["user", "email"]);

/** Outside of printable ASCII; spaces at either end, which parsers cut off; and the escape itself. */
const UNSAFE = /[^\x20-\x7e]|%|^ +| +$/gu;
const UNSAFE_IN_LIST = /[^\x20-\x7e]|[%,]|^ +| +$/gu;

/** The identity headers of one application. */
export class IdentityHeaders {
  /** Normalised names: what no visitor may send. */
  readonly names: ReadonlySet<string>;
  readonly #headers: readonly IdentityHeader[];
  /** By identity object, which stays the same while its content does. */
  readonly #known = new WeakMap<Identity, Fields | "incomplete">();

  constructor(headers: readonly IdentityHeader[]) {
    this.#headers = headers;
    this.names = new Set(headers.map(({ name }) => normaliseFieldName(name)));
  }

  /** The fields for an identity; `incomplete` when it must not pass, because the origin would take it for nobody or for less. */
  fieldsOf(identity: Identity): Fields | "incomplete" {
    let fields = this.#known.get(identity);
    if (fields === undefined) this.#known.set(identity, (fields = write(this.#headers, identity)));
    return fields;
  }
}

function write(headers: readonly IdentityHeader[], identity: Identity): Fields | "incomplete" {
  if (headers.length === 0) return [];
  const fields: string[] = [];
  for (const { name, value } of headers) {
    const text = valueOf(identity, value);
    if (text === undefined && identity.kind === "person" && ESSENTIAL.has(value)) return "incomplete";
    if (text === undefined || text === "") continue;
    // Never cut: a list of groups without its end is another list.
    if (text.length > MAX_IDENTITY_VALUE_BYTES) return "incomplete";
    fields.push(name, text);
  }
  return fields.length === 0 ? "incomplete" : fields;
}

function valueOf(identity: Identity, value: IdentityValue): string | undefined {
  if (identity.kind === "service")
    return escaped(value === "subject" ? identity.tokenId : value === "user" || value === "serviceToken" ? identity.name : undefined);
  switch (value) {
    case "user":
    case "email":
      return escaped(identity.email);
    case "groups":
      return identity.groups?.map((group) => group.replace(UNSAFE_IN_LIST, percentEncode)).join(",");
    case "name":
    case "subject":
    case "provider":
      return escaped(identity[value]);
    case "serviceToken":
      return undefined;
  }
}

/** One claim as a field value: printable ASCII, everything else percent-encoded, `%` too. */
export function escapedText(text: string): string {
  return text.replace(UNSAFE, percentEncode);
}

function escaped(text: string | undefined): string | undefined {
  return text === undefined ? undefined : escapedText(text);
}

/** RFC 3986 section 2.1, octets of UTF-8. */
function percentEncode(text: string): string {
  return [...Buffer.from(text, "utf8")].map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}
