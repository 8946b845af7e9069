// What the auth host answers: the tunnel endpoint for connectors, key material for origins, sign-in and the files of its
// pages. Must not know applications.

import { firstValue } from "@sallyport/shared/http/fields";
import { TUNNEL_PATH } from "@sallyport/shared/protocol/frame";
import type { TunnelAcceptor } from "../tunnel/acceptor.ts";
import type { CanonicalRequest } from "./canonicalise.ts";
import type { InFlight } from "./in-flight.ts";

/** How long origins may keep the key set, in seconds. */
const JWKS_MAX_AGE_SECONDS = 300;

export interface AuthHostOptions {
  readonly acceptor: TunnelAcceptor;
  readonly authUrl: string;
  jwks(): { readonly keys: readonly unknown[] };
  /** Answers a path of sign-in. @returns false when it is none */
  serveLogin(request: InFlight, canonical: CanonicalRequest): boolean;
  /** Answers a path of the Cloudflare Access contract. @returns false when it is none */
  serveAccess(request: InFlight, canonical: CanonicalRequest): boolean;
}

/** The relay's own paths on an application's host: the key set for its origin, and sign-in. */
export function serveReserved(
  options: Pick<AuthHostOptions, "jwks" | "serveLogin" | "serveAccess">,
  request: InFlight,
  canonical: CanonicalRequest,
): void {
  const readable = canonical.method === "GET" || canonical.method === "HEAD";
  if (canonical.target.pathname === "/.sallyport/certs" && readable) return serveJson(request, options.jwks());
  if (!options.serveLogin(request, canonical) && !options.serveAccess(request, canonical))
    request.answerRefusal("own", "ERR_AUTH_PAGE_UNKNOWN");
}

/** Answers one request to the auth host. */
export function serveAuthHost(options: AuthHostOptions, request: InFlight, canonical: CanonicalRequest): void {
  const { pathname } = canonical.target;
  if (pathname === TUNNEL_PATH) return serveTunnel(options.acceptor, request, canonical);
  const readable = canonical.method === "GET" || canonical.method === "HEAD";
  const asset = readable ? request.runtime.look.assets.get(pathname) : undefined;
  if (asset !== undefined) return request.answerOwn(200, asset.headers, asset.body, asset.cacheControl);
  if (pathname === "/.well-known/jwks.json" && readable) return serveJson(request, options.jwks());
  if (pathname === "/.well-known/sallyport" && readable) return serveJson(request, describe(options.authUrl));
  if (!options.serveLogin(request, canonical) && !options.serveAccess(request, canonical))
    request.answerRefusal("own", "ERR_AUTH_PAGE_UNKNOWN");
}

function serveTunnel(acceptor: TunnelAcceptor, request: InFlight, canonical: CanonicalRequest): void {
  if (canonical.upgradeKey === undefined) return request.answerRefusal("own", "ERR_TUNNEL_UPGRADE_NEEDED");
  const { address } = request.client;
  const refusal = acceptor.judge(address, firstValue(request.exchange.request.fields, "sec-websocket-protocol"));
  if (refusal?.status === 400) return request.answerRefusal("own", "ERR_PROTOCOL_VERSION", "protocol-version", { detail: refusal.detail });
  if (refusal?.status === 503)
    return request.answerRefusal("own", "ERR_OVERLOADED", "handshake-rate", { retryAfterS: refusal.retryAfterS });
  const taken = request.exchange.takeUpgrade?.();
  if (taken === undefined) return request.answerRefusal("own", "ERR_TUNNEL_UPGRADE_NEEDED");
  request.tookSocket(101);
  acceptor.upgrade(request.exchange.request, taken.socket, address);
}

/** Public documents: any page may read them (R-G7). */
function serveJson(request: InFlight, document: unknown): void {
  const body = Buffer.from(JSON.stringify(document));
  request.answerOwn(
    200,
    ["Content-Type", "application/json", "Access-Control-Allow-Origin", "*"],
    body,
    `public, max-age=${JWKS_MAX_AGE_SECONDS}`,
  );
}

/** Discovery for connectors, command lines and origins. */
function describe(authUrl: string): unknown {
  return {
    issuer: authUrl,
    jwks_uri: `${authUrl}/.well-known/jwks.json`,
    tunnel_endpoint: `${authUrl.replace(/^http/, "ws")}${TUNNEL_PATH}`,
  };
}
