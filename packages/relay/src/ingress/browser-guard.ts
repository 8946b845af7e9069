// Guards what browsers send by themselves: a page of another site must not be able to use a visitor's login here (R-H5),
// unless the application lists its origin. Also what other origins may read and send (R-H6, A15). Pure. Asked after
// authentication, and only about requests whose credential was a cookie.

import { allValues, type Fields } from "@sallyport/shared/http/fields";
import { formatAuthority } from "@sallyport/shared/http/authority";
import type { CorsConfig } from "../config/types.ts";

/** What is known of a request and its application. */
export interface GuardedRequest {
  readonly fields: Fields;
  readonly method: string;
  /** A WebSocket handshake. */
  readonly upgrade: boolean;
  /** The origin that the request was sent to, by configuration: `https://app.example.com`. */
  readonly ownOrigin: string;
  /** Others whose pages may use the login, exact. */
  readonly allowedOrigins: readonly string[];
}

/** The origin of a public host, as browsers write it in Origin. */
export function originOf(scheme: "http" | "https", hostname: string, port: number): string {
  return `${scheme}://${formatAuthority(hostname, port, scheme)}`;
}

/** True when a page that may not do so makes this request with the visitor's cookie. */
export function isForeign(request: GuardedRequest): boolean {
  const origins = allValues(request.fields, "origin");
  // Every browser sends Origin with a WebSocket handshake (RFC 6455 section 4.1); what does not is no browser, and has
  // no business with a cookie.
  if (request.upgrade) return origins.length !== 1 || !isAllowed(origins[0] as string, request);
  const sites = allValues(request.fields, "sec-fetch-site");
  if (sites.length === 0) return false;
  if (sites.length === 1 && (sites[0] === "same-origin" || sites[0] === "none")) return false;
  if (isSafeNavigation(request)) return false;
  return origins.length !== 1 || !isAllowed(origins[0] as string, request);
}

// A link, a bookmark, the return from the provider. Fetch Metadata: only top-level navigations and frames have this mode.
function isSafeNavigation({ fields, method }: GuardedRequest): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const modes = allValues(fields, "sec-fetch-mode");
  return modes.length === 1 && modes[0] === "navigate";
}

function isAllowed(origin: string, { ownOrigin, allowedOrigins }: GuardedRequest): boolean {
  return origin === ownOrigin || allowedOrigins.includes(origin);
}

/** The allowed origin that asks, from the list itself: what is written back is never the visitor's text. */
function listedOrigin(fields: Fields, allowedOrigins: readonly string[]): string | undefined {
  const [origin, ...more] = allValues(fields, "origin");
  return more.length > 0 ? undefined : allowedOrigins.find((allowed) => allowed === origin);
}

/** Fields that let a page of an allowed origin read an answer of the relay itself (A14); none for anybody else. */
export function readableBy(fields: Fields, allowedOrigins: readonly string[]): Fields {
  if (allowedOrigins.length === 0) return [];
  const origin = listedOrigin(fields, allowedOrigins);
  if (origin === undefined) return ["Vary", "Origin"];
  return [
    "Vary",
    "Origin",
    "Access-Control-Allow-Origin",
    origin,
    "Access-Control-Allow-Credentials",
    "true",
    "Access-Control-Expose-Headers",
    "Sallyport-Error, Sallyport-Request-Id, WWW-Authenticate, Retry-After",
  ];
}

/** A preflight: OPTIONS with exactly one origin and requested method (Fetch standard, CORS protocol). Anything else is a request. */
export function isPreflight(method: string, fields: Fields): boolean {
  return (
    method === "OPTIONS" && allValues(fields, "origin").length === 1 && allValues(fields, "access-control-request-method").length === 1
  );
}

/** The relay's answer to a preflight. Without Access-Control-Allow-Origin, browsers refuse the request themselves. */
export function preflightAnswer(fields: Fields, allowedOrigins: readonly string[], cors: CorsConfig): Fields {
  const origin = listedOrigin(fields, allowedOrigins);
  const vary = ["Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"];
  if (origin === undefined) return vary;
  return [
    ...vary,
    "Access-Control-Allow-Origin",
    origin,
    "Access-Control-Allow-Credentials",
    "true",
    "Access-Control-Allow-Methods",
    cors.methods.join(", "),
    ...(cors.headers.length === 0 ? [] : ["Access-Control-Allow-Headers", cors.headers.join(", ")]),
    "Access-Control-Max-Age",
    String(Math.floor(cors.maxAgeMs / 1000)),
  ];
}
