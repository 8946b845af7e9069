// The login cookie: one random value per browser and host, to which every sign-in under way is bound, so that nobody can
// finish in your browser what they began in theirs (login CSRF, R-F6, R-H2). Must not know sessions.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readCookie } from "@sallyport/shared/http/cookies";
import type { Fields } from "@sallyport/shared/http/fields";
import { setCookie, type CookieScheme, cookieNames } from "../cookies.ts";

const VALUE_BYTES = 32;
const VALUE = /^[A-Za-z0-9_-]{43}$/;
/** Of SHA-256 in base64url: 132 bits. */
const HASH_LENGTH = 22;

export interface Binding {
  /** What sealed values hold instead of the cookie's value. */
  readonly hash: string;
  /** Set-Cookie field to send where the browser had no usable cookie; empty otherwise. */
  readonly fields: Fields;
}

/** The hash of this browser's login cookie; undefined when it has none, a malformed one or several. */
export function readBinding(scheme: CookieScheme, fields: Fields): string | undefined {
  const cookie = readCookie(fields, cookieNames(scheme).login);
  return cookie.kind === "value" && VALUE.test(cookie.value) ? hashOf(cookie.value) : undefined;
}

/** This browser's binding; a new one where there is none. An existing one stays, or parallel tabs would undo each other. */
export function ensureBinding(scheme: CookieScheme, fields: Fields): Binding {
  const hash = readBinding(scheme, fields);
  if (hash !== undefined) return { hash, fields: [] };
  const value = randomBytes(VALUE_BYTES).toString("base64url");
  return { hash: hashOf(value), fields: ["Set-Cookie", setCookie({ scheme, name: cookieNames(scheme).login, value })] };
}

export function isSameBinding(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== HASH_LENGTH || b.length !== HASH_LENGTH) return false;
  return timingSafeEqual(Buffer.from(a, "latin1"), Buffer.from(b, "latin1"));
}

function hashOf(value: string): string {
  return createHash("sha256").update(value).digest("base64url").slice(0, HASH_LENGTH);
}
