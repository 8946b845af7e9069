// Whether a form really came from one of our own pages (R-H4): fetch metadata or Origin, and a token that only the page
// could know. Every state-changing endpoint of sign-in asks here. Must not know what the form does.

import { createHmac, timingSafeEqual } from "node:crypto";
import { allValues, type Fields } from "@sallyport/shared/http/fields";

/**
 * True for a form that a page of `origin` submitted. Pages with Referrer-Policy no-referrer submit with `Origin: null`
 * (Fetch standard, "append a request Origin header"), so fetch metadata decides where it is there.
 */
export function isSameOrigin(fields: Fields, origin: string): boolean {
  const site = only(allValues(fields, "sec-fetch-site"));
  const from = only(allValues(fields, "origin"));
  if (from !== undefined && from !== "null" && from !== origin) return false;
  return site === undefined ? from === origin : site === "same-origin";
}

/** Several values of a field are as good as a wrong one. */
function only(values: readonly string[]): string | undefined {
  return values.length > 1 ? "several" : values[0];
}

export class FormTokens {
  readonly #key: Uint8Array;

  /** @param key 32 bytes that nothing else uses */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** @param action what the form does. @param holder whom it may come from: a session id, the hash of a login cookie */
  issue(action: string, holder: string): string {
    return createHmac("sha256", this.#key).update(`${action}\0${holder}`).digest("base64url");
  }

  isValid(token: string | undefined, action: string, holder: string): boolean {
    const expected = Buffer.from(this.issue(action, holder), "latin1");
    const given = Buffer.from(token ?? "", "latin1");
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}
