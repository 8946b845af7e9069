// The cookies of sign-in: their names, and the one place where a Set-Cookie value is built (R-D10, R-H1). Reading them is
// shared/http/cookies.ts. Must not know what is in a cookie.

import { hash } from "node:crypto";
import { SallyportError } from "@sallyport/shared/errors";

/** Scheme of the authUrl. With http (loopback only) browsers would drop what is Secure or has the __Host- prefix. */
export type CookieScheme = "http" | "https";

export interface CookieNames {
  /** Application token, on an application's host, of the application at `/`. */
  readonly application: string;
  /** Session secret, on the auth host. */
  readonly session: string;
  /** What a login in progress is bound to, on both kinds of host. */
  readonly login: string;
}

const NAMES: Readonly<Record<CookieScheme, CookieNames>> = {
  https: { application: "__Host-Sallyport_Authorization", session: "__Host-Sallyport_Session", login: "__Host-Sallyport_Login" },
  http: { application: "Sallyport_Authorization", session: "Sallyport_Session", login: "Sallyport_Login" },
};

export function cookieNames(scheme: CookieScheme): CookieNames {
  return NAMES[scheme];
}

/**
 * The cookie that holds an application's token. Applications that share a host have a name each, since a cookie with the
 * __Host- prefix must have Path=/ (RFC 6265bis section 4.1.3.2) and they would overwrite each other's.
 */
export function applicationCookieName(scheme: CookieScheme, applicationPath: string): string {
  const { application } = NAMES[scheme];
  return applicationPath === "/" ? application : `${application}_${hash("sha256", applicationPath, "hex").slice(0, 8)}`;
}

export type SameSite = "Lax" | "None";

/** Where an application keeps its token in browsers. */
export interface ApplicationCookie {
  readonly scheme: CookieScheme;
  readonly name: string;
  readonly sameSite: SameSite;
}

/** The Set-Cookie value for a token that is good until `expiresAt`, in milliseconds since the epoch. */
export function setApplicationCookie(
  { scheme, name, sameSite }: ApplicationCookie,
  token: string,
  expiresAt: number,
  nowMs: number,
): string {
  return setCookie({ scheme, name, value: token, sameSite, maxAgeS: Math.max(1, Math.floor((expiresAt - nowMs) / 1000)) });
}

export interface NewCookie {
  readonly scheme: CookieScheme;
  readonly name: string;
  /** Visible ASCII without quote, comma, semicolon and backslash (RFC 6265 section 4.1.1). */
  readonly value: string;
  /** Seconds, at least 1; undefined: until the browser closes. */
  readonly maxAgeS?: number | undefined;
  /** Default Lax. None lets other sites embed the application; over http it stays Lax, which needs no Secure. */
  readonly sameSite?: SameSite | undefined;
}

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
/** Browsers drop cookies above 4,096 bytes of name and value. */
const MAX_COOKIE_LENGTH = 4_096;

/** The value of a Set-Cookie field. @throws ERR_COOKIE_INVALID before anything is written (R-D10); the message holds no value */
export function setCookie({ scheme, name, value, maxAgeS, sameSite = "Lax" }: NewCookie): string {
  if (!NAME.test(name) || !VALUE.test(value) || name.length + value.length > MAX_COOKIE_LENGTH) throw invalid(name);
  if (maxAgeS !== undefined && (!Number.isSafeInteger(maxAgeS) || maxAgeS < 1)) throw invalid(name);
  return write(scheme, name, value, maxAgeS, sameSite);
}

/** The value of a Set-Cookie field that removes a cookie; attributes as it was set, or browsers would not match it. */
export function clearCookie(scheme: CookieScheme, name: string, sameSite: SameSite = "Lax"): string {
  if (!NAME.test(name)) throw invalid(name);
  return write(scheme, name, "", 0, sameSite);
}

function write(scheme: CookieScheme, name: string, value: string, maxAgeS: number | undefined, sameSite: SameSite): string {
  const secure = scheme === "https";
  const age = maxAgeS === undefined ? "" : `; Max-Age=${maxAgeS}`;
  return `${name}=${value}; Path=/${age}; HttpOnly${secure ? "; Secure" : ""}; SameSite=${secure ? sameSite : "Lax"}`;
}

function invalid(name: string): SallyportError {
  return new SallyportError(
    "ERR_COOKIE_INVALID",
    `The cookie ${NAME.test(name) ? name : "(invalid name)"} cannot be written; nothing was sent.`,
  );
}
