// Puts an outcome of the refusal table on the wire, in the form its reader can use: a page for people, JSON for
// programs, a grpc-status for gRPC callers (I6, A14). Every answer that Sallyport itself gives goes through here, so
// that none lacks its request id, code, hop, no-store and policy headers. Must not decide anything.

import { SallyportError } from "@sallyport/shared/errors";
import { firstValue, type Fields } from "@sallyport/shared/http/fields";
import { type RefusalPage, refusalPage, UNKNOWN_HOST_PAGE } from "../pages/refusal-page.ts";
import { framingHeaders, type Look, type PageHost } from "../pages/look.ts";
import type { IngressExchange, IngressRequest } from "./exchange.ts";
import { locationOf, type OwnLocation } from "./location.ts";
import { REFUSALS, type Refusal, type RefusalCode } from "./refusals.ts";

export { refusalOfReset, REFUSALS, type Hop, type Refusal, type RefusalCode } from "./refusals.ts";

export interface RefusalContext {
  readonly requestId: string;
  /** Shown on the page and as realm; leave out where the visitor may not know that the application exists. */
  readonly applicationName?: string | undefined;
  /** Short reason for the visitor, without internals of the policy (R-M6). */
  readonly detail?: string | undefined;
  /** Absolute URL from configuration (R-B7) where the visitor can sign in. */
  readonly loginUrl?: string | undefined;
  /** Email or name of the signed-in person. */
  readonly signedInAs?: string | undefined;
  /** mailto: or https: address to ask for access. */
  readonly contact?: string | undefined;
  /** Replaces the default WWW-Authenticate of a 401. */
  readonly challenge?: string | undefined;
  /** Further response fields (CORS, cookies to clear), already checked by their owner. */
  readonly fields?: Fields | undefined;
  /** Replaces the table's Retry-After, in seconds. */
  readonly retryAfterS?: number | undefined;
  /** How the page looks. Default: as everywhere. */
  readonly look?: Look | undefined;
  /** Default: not the auth host. */
  readonly pageHost?: PageHost | undefined;
  /** Time shown on the page, milliseconds since the Unix epoch. Default: now. */
  readonly atMs?: number | undefined;
}

const ALLOWED_METHODS: Fields = ["Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"];

export interface AnsweredRefusal {
  readonly status: number;
  /** Bytes of the body that were handed to the engine. */
  readonly bodyBytes: number;
}

/** Answers `exchange` with the refusal; its head must not have been sent. */
export function respondWith(exchange: IngressExchange, code: RefusalCode, context: RefusalContext): AnsweredRefusal {
  const refusal: Refusal = REFUSALS[code];
  if (isGrpc(exchange.request)) return respondGrpc(exchange, code, refusal, context);
  const page = isNavigation(exchange.request);
  const body = Buffer.from(page ? htmlBody(code, refusal, context) : jsonBody(code, refusal, context), "utf8");
  const fields = commonFields(code, refusal, context);
  fields.push("Content-Type", page ? "text/html; charset=utf-8" : "application/json; charset=utf-8", "Content-Length", String(body.length));
  if (refusal.status === 401) fields.push("WWW-Authenticate", context.challenge ?? defaultChallenge(code, context));
  const retryAfterS = context.retryAfterS ?? refusal.retryAfterS;
  if (retryAfterS !== undefined) fields.push("Retry-After", String(Math.max(1, Math.ceil(retryAfterS))));
  // RFC 9110 section 15.5.6: a 405 names what is allowed; TRACE, TRACK and CONNECT are refused for every target.
  if (refusal.status === 405) fields.push(...ALLOWED_METHODS);
  if (refusal.status === 426) fields.push("Upgrade", "websocket", "Sec-WebSocket-Version", "13");
  if (context.fields !== undefined) fields.push(...context.fields);
  if (refusal.closes === true) exchange.closeConnectionAfter();
  return send(exchange, refusal.status, fields, body);
}

/**
 * A redirect of the relay's own (sign-in, https). 302 for GET and HEAD, 303 for other methods unless `status` says otherwise.
 * @param to a place on one of our hosts, whose path is checked here (R-E1), or an absolute https or http URL or absolute
 *        path, built from configuration, never from the request's host (R-B7).
 * @throws SallyportError ERR_INGRESS_LOCATION_INVALID before anything is written (R-D10).
 */
export function respondRedirect(
  exchange: IngressExchange,
  to: string | OwnLocation,
  options: { readonly requestId: string; readonly status?: 302 | 303 | 307 | 308; readonly fields?: Fields | undefined },
): AnsweredRefusal {
  const location = typeof to === "string" ? to : locationOf(to);
  if (!/^(?:https?:\/\/[^/]|\/(?![/\\]))[\x21-\x7e]*$/i.test(location)) {
    throw new SallyportError(
      "ERR_INGRESS_LOCATION_INVALID",
      "A redirect needs an absolute URL or path of visible ASCII; nothing was sent.",
    );
  }
  const { method } = exchange.request;
  const status = options.status ?? (method === "GET" || method === "HEAD" ? 302 : 303);
  const fields = ["Location", location, ...ownFields(options.requestId), "Content-Length", "0", ...(options.fields ?? [])];
  return send(exchange, status, fields, Buffer.alloc(0));
}

/** A person is looking (R-H7): no Sec-Fetch-Mode other than navigate, text/html acceptable, no upgrade. */
export function isNavigation(request: IngressRequest): boolean {
  if (request.upgrade) return false;
  const mode = firstValue(request.fields, "sec-fetch-mode");
  if (mode !== undefined && mode !== "navigate") return false;
  return firstValue(request.fields, "accept")?.toLowerCase().includes("text/html") ?? false;
}

/** Request id and the fields of every answer that the relay writes itself. */
export function ownFields(requestId: string, cacheControl = "no-store"): string[] {
  return [
    "Sallyport-Request-Id",
    requestId,
    "Cache-Control",
    cacheControl,
    "X-Content-Type-Options",
    "nosniff",
    "Referrer-Policy",
    "no-referrer",
  ];
}

/**
 * A whole HTTP/1.1 response for a connection whose message could not be parsed: there is no exchange to answer.
 * @param nowMs wall clock, for Date.
 */
export function rawRefusal(code: RefusalCode, requestId: string, nowMs: number): Buffer {
  const refusal: Refusal = REFUSALS[code];
  const body = jsonBody(code, refusal, { requestId });
  const fields = [...commonFields(code, refusal, { requestId }), "Content-Type", "application/json; charset=utf-8"];
  if (refusal.status === 405) fields.push(...ALLOWED_METHODS);
  fields.push("Content-Length", String(Buffer.byteLength(body)), "Date", new Date(nowMs).toUTCString(), "Connection", "close");
  let head = `HTTP/1.1 ${refusal.status} ${refusal.title}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return Buffer.from(`${head}\r\n${body}`, "utf8");
}

function send(exchange: IngressExchange, status: number, fields: Fields, body: Buffer): AnsweredRefusal {
  const bare = exchange.request.method === "HEAD" || body.length === 0;
  exchange.sendHead(status, fields, bare);
  if (bare) return { status, bodyBytes: 0 };
  exchange.write(body);
  exchange.end();
  return { status, bodyBytes: body.length };
}

function commonFields(code: RefusalCode, refusal: Refusal, context: RefusalContext): string[] {
  const fields = ownFields(context.requestId);
  fields.push("Sallyport-Error", code, "Sallyport-Answered-By", answeredBy(refusal));
  fields.push(...framingHeaders(showing(code, context)), "Vary", "Accept, Sec-Fetch-Mode");
  return fields;
}

/** The page for hosts that are not ours is constant (R-B6): it looks like nobody's. */
function showing(
  code: RefusalCode,
  { look, pageHost = "elsewhere" }: RefusalContext,
): { readonly look?: Look | undefined; readonly host: PageHost } {
  return code === "ERR_HOST_UNKNOWN" ? { host: "elsewhere" } : { look, host: pageHost };
}

/** What failed at the origin is reported by the connector; what failed in the tunnel, by the relay. */
function answeredBy(refusal: Refusal): "relay" | "connector" {
  return refusal.hop === "connector" || refusal.hop === "origin" ? "connector" : "relay";
}

function defaultChallenge(code: RefusalCode, context: RefusalContext): string {
  const realm = (context.applicationName ?? "sallyport").replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "?");
  return `Bearer realm="${realm}"${code === "ERR_CREDENTIAL_INVALID" ? ', error="invalid_token"' : ""}`;
}

function jsonBody(code: RefusalCode, refusal: Refusal, context: RefusalContext): string {
  // The answer to a host that is not ours is constant (R-B6); its request id is in the header only.
  const requestId = code === "ERR_HOST_UNKNOWN" ? undefined : context.requestId;
  const body = {
    error: code,
    message: refusal.meaning,
    hop: refusal.hop,
    request_id: requestId,
    remedy: refusal.visitorRemedy,
    detail: context.detail,
    login_url: context.loginUrl,
  };
  return `${JSON.stringify(body)}\n`;
}

function htmlBody(code: RefusalCode, refusal: Refusal, context: RefusalContext): string {
  if (code === "ERR_HOST_UNKNOWN") return UNKNOWN_HOST_PAGE;
  const model: RefusalPage = {
    title: refusal.title,
    meaning: refusal.meaning,
    remedy: refusal.visitorRemedy,
    hop: refusal.hop,
    showPath: refusal.status >= 500 && refusal.status !== 501,
    code,
    requestId: context.requestId,
    at: new Date(context.atMs ?? Date.now()),
    applicationName: context.applicationName,
    detail: context.detail,
    signedInAs: context.signedInAs,
    loginUrl: context.loginUrl,
    contact: context.contact,
    retry: refusal.status === 502 || refusal.status === 503 || refusal.status === 504,
  };
  return refusalPage(model, context.look, context.pageHost);
}

function isGrpc(request: IngressRequest): boolean {
  return request.method === "POST" && /^application\/grpc(?:$|[+;])/i.test(firstValue(request.fields, "content-type") ?? "");
}

/** HTTP status to gRPC status, as gRPC's own document http-grpc-status-mapping.md has it. */
const GRPC_STATUS: Readonly<Record<number, number>> = { 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14 };
const GRPC_UNKNOWN = 2;

/**
 * gRPC callers get the trailers-only form: HTTP 200 with grpc-status in the one header block. A plain 4xx or 5xx would
 * reach them too, but with its text lost; and a proxy's retry rules look at grpc-status.
 */
function respondGrpc(exchange: IngressExchange, code: RefusalCode, refusal: Refusal, context: RefusalContext): AnsweredRefusal {
  const message = `${code}: ${refusal.meaning} ${refusal.visitorRemedy} (request ${context.requestId})`;
  const fields = commonFields(code, refusal, context);
  fields.push("Content-Type", "application/grpc", "grpc-status", grpcStatus(refusal.status), "grpc-message", percentEncode(message));
  if (context.fields !== undefined) fields.push(...context.fields);
  if (refusal.closes === true) exchange.closeConnectionAfter();
  exchange.sendHead(200, fields, true);
  return { status: 200, bodyBytes: 0 };
}

/** How an answer to a gRPC caller that is under way ends with a reason; undefined where there is no such caller. */
export function grpcTrailers(request: IngressRequest, code: RefusalCode, message: string): Fields | undefined {
  if (request.httpVersion !== "2.0" || !isGrpc(request)) return undefined;
  return ["grpc-status", grpcStatus(REFUSALS[code].status), "grpc-message", percentEncode(`${code}: ${message}`)];
}

function grpcStatus(httpStatus: number): string {
  return String(GRPC_STATUS[httpStatus] ?? GRPC_UNKNOWN);
}

/** Percent-encoding of grpc-message: visible ASCII and space stay, less the percent sign (PROTOCOL-HTTP2.md). */
function percentEncode(text: string): string {
  let out = "";
  for (const byte of Buffer.from(text, "utf8")) {
    out +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}
