// The paths of the Cloudflare Access contract (A22): /cdn-cgi/access/ on the hosts of applications with that option, and on
// the auth host. Keys for origins, who is signed in for scripts, and the way to the logout page: what /.sallyport/ answers
// too, under the names that existing origins and pages know. Must not know how keys and sessions are kept.

import type { Authenticator } from "../authn/authenticate.ts";
import type { Identity, PersonIdentity } from "../authn/identity.ts";
import type { Session } from "../authn/session.ts";
import type { AccessCerts } from "../authz/access-certs.ts";
import { personUuid } from "../authz/access-assertion.ts";
import { parseIp } from "../authz/ip.ts";
import type { CanonicalRequest } from "./canonicalise.ts";
import type { InFlight } from "./in-flight.ts";
import { originOf } from "./browser-guard.ts";
import { ACCESS_PREFIX } from "./route.ts";
import type { Application, Runtime } from "./runtime.ts";

export interface AccessContractOptions {
  runtime(): Runtime;
  readonly authenticator: Authenticator;
  /** undefined while no application has the option. */
  certs(): AccessCerts | undefined;
}

/** How long origins may keep the keys, in seconds: less than a key is published ahead. */
const CERTS_MAX_AGE_SECONDS = 300;

/** Answers a path of the contract. @returns false when it is none, or nobody asked for the contract */
export function serveAccessContract(options: AccessContractOptions, request: InFlight, canonical: CanonicalRequest): boolean {
  const { pathname } = canonical.target;
  const readable = canonical.method === "GET" || canonical.method === "HEAD";
  if (!pathname.startsWith(`${ACCESS_PREFIX}/`) || !readable) return false;
  const certs = options.certs();
  if (certs === undefined) return false;
  const runtime = options.runtime();
  const onAuthHost = canonical.hostname === runtime.config.authUrl.hostname;
  switch (pathname.slice(ACCESS_PREFIX.length)) {
    case "/certs":
      serveCerts(request, certs);
      return true;
    case "/logout":
      // A GET ends nothing (R-H4): the page behind asks first.
      request.answerRedirect("own", "logout", { origin: ownOrigin(runtime, canonical), path: onAuthHost ? "/logout" : "/.sallyport/logout" }, []);
      return true;
    case "/get-identity":
      if (onAuthHost) return false;
      serveIdentity(options.authenticator, runtime, request, canonical);
      return true;
    default:
      return false;
  }
}

function ownOrigin({ config }: Runtime, { hostname, port }: CanonicalRequest): string {
  return originOf(config.authUrl.scheme, hostname, port);
}

function serveCerts(request: InFlight, certs: AccessCerts): void {
  request.answerOwn(200, ["Content-Type", "application/json", "Access-Control-Allow-Origin", "*"], json(certs), `public, max-age=${CERTS_MAX_AGE_SECONDS}`);
}

/** Who is signed in at the application at `path` of the query (default `/`); nothing that could be used elsewhere (R-H8). */
function serveIdentity(authenticator: Authenticator, runtime: Runtime, request: InFlight, canonical: CanonicalRequest): void {
  const path = new URLSearchParams(canonical.target.query).get("path") ?? "/";
  const application = applicationAt(runtime, canonical.hostname, path);
  const authentication = application === undefined ? undefined : authenticator.authenticate(request.exchange.request.fields, application.credentials);
  if (authentication?.kind !== "identified") return request.answerOwn(401, ["Content-Type", "application/json"], json({ err: "no app token set" }));
  request.identity = authentication.identity;
  const country = runtime.countryOf(parseIp(request.client.address));
  const where = { ip: request.client.address, ...(country === undefined ? {} : { geo: { country } }) };
  request.answerOwn(200, ["Content-Type", "application/json"], json({ ...identityOf(authentication.identity, authentication.person?.session), ...where }));
}

function applicationAt(runtime: Runtime, hostname: string, path: string): Application | undefined {
  const route = runtime.routes.find(hostname, [path.startsWith("/") ? path : "/"]);
  return route.kind === "application" ? route.application : undefined;
}

const NO_DEVICE = { auth_status: "NONE", is_warp: false, is_gateway: false };

function identityOf(identity: Identity, session: Session | undefined): Readonly<Record<string, unknown>> {
  if (identity.kind === "service") return { ...NO_DEVICE, common_name: identity.tokenId, service_token_id: identity.tokenId, service_token_status: true };
  return { ...personOf(identity), ...NO_DEVICE, iat: Math.floor((session?.createdAt ?? 0) / 1000), common_name: "", service_token_id: "", service_token_status: false };
}

function personOf(person: PersonIdentity): Readonly<Record<string, unknown>> {
  const { provider, email, name, groups } = person;
  const uuid = personUuid(person);
  return { id: uuid, user_uuid: uuid, email, name, groups, idp: { id: provider, type: provider } };
}

function json(document: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(document)}\n`);
}
