// The paths of the Cloudflare Access contract (A22): /cdn-cgi/access/ on the hosts of applications with that option, and on
// the auth host. Keys for origins, who is signed in for scripts, and the way to the logout page: what /.sallyport/ answers
// too, under the names that existing origins and pages know. Must not know how keys and sessions are kept.

import { ACCESS_COOKIE } from "@sallyport/shared/access-contract";
import { readCookie } from "@sallyport/shared/http/cookies";
import type { Authenticator } from "../authn/authenticate.ts";
import type { Identity, PersonIdentity } from "../authn/identity.ts";
import type { Session } from "../authn/session.ts";
import type { AccessCerts } from "../authz/access-certs.ts";
import { type AccessAssertionIssuer, personUuid } from "../authz/access-assertion.ts";
import { parseIp } from "../authz/ip.ts";
import type { CanonicalRequest } from "./canonicalise.ts";
import type { InFlight } from "./in-flight.ts";
import { originOf } from "./browser-guard.ts";
import { ACCESS_PREFIX } from "./route.ts";
import type { Runtime } from "./runtime.ts";

export interface AccessContractOptions {
  runtime(): Runtime;
  readonly authenticator: Authenticator;
  readonly assertions: Pick<AccessAssertionIssuer, "identityIn">;
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
      request.answerRedirect(
        "own",
        "logout",
        { origin: ownOrigin(runtime, canonical), path: onAuthHost ? "/logout" : "/.sallyport/logout" },
        [],
      );
      return true;
    case "/get-identity":
      if (onAuthHost) serveIdentity(request, subjectOf(options, request), {});
      else serveIdentity(request, visitorAt(options, request, canonical), placeOf(request, runtime));
      return true;
    default:
      return false;
  }
}

function ownOrigin({ config }: Runtime, { hostname, port }: CanonicalRequest): string {
  return originOf(config.authUrl.scheme, hostname, port);
}

function serveCerts(request: InFlight, certs: AccessCerts): void {
  request.answerOwn(
    200,
    ["Content-Type", "application/json", "Access-Control-Allow-Origin", "*"],
    json(certs),
    `public, max-age=${CERTS_MAX_AGE_SECONDS}`,
  );
}

type Known = { readonly identity: Identity; readonly session: Session | undefined };

/** Who is signed in here, without anything that could be used elsewhere (R-H8); on the auth host, whom an origin's assertion is about. */
function serveIdentity(request: InFlight, known: Known | undefined, place: Readonly<Record<string, unknown>>): void {
  if (known === undefined) return request.answerOwn(401, ["Content-Type", "application/json"], json({ err: "no app token set" }));
  request.identity = known.identity;
  request.answerOwn(200, ["Content-Type", "application/json"], json({ ...identityOf(known), ...place }));
}

/** By the credentials of a visitor at the application at `path` of the query (default `/`). */
function visitorAt(
  { authenticator, runtime }: AccessContractOptions,
  request: InFlight,
  { hostname, target }: CanonicalRequest,
): Known | undefined {
  const path = new URLSearchParams(target.query).get("path") ?? "/";
  const route = runtime().routes.find(hostname, [path.startsWith("/") ? path : "/"]);
  if (route.kind !== "application") return undefined;
  const authentication = authenticator.authenticate(request.exchange.request.fields, route.application.credentials);
  return authentication.kind === "identified" ? { identity: authentication.identity, session: authentication.person?.session } : undefined;
}

/** By the assertion that an origin got and sends as the cookie CF_Authorization, as middleware for Access does. */
function subjectOf({ authenticator, assertions }: AccessContractOptions, request: InFlight): Known | undefined {
  const cookie = readCookie(request.exchange.request.fields, ACCESS_COOKIE);
  const identity = cookie.kind === "value" ? assertions.identityIn(cookie.value) : undefined;
  return identity === undefined ? undefined : authenticator.current(identity);
}

/** Where the visitor is; not asked on the auth host, where an origin asks. */
function placeOf(request: InFlight, { countryOf }: Runtime): Readonly<Record<string, unknown>> {
  const country = countryOf(parseIp(request.client.address));
  return { ip: request.client.address, geo: country === undefined ? {} : { country } };
}

const NO_DEVICE = { auth_status: "NONE", is_warp: false, is_gateway: false };

function identityOf({ identity, session }: Known): Readonly<Record<string, unknown>> {
  if (identity.kind === "service")
    return { ...NO_DEVICE, common_name: identity.tokenId, service_token_id: identity.tokenId, service_token_status: true };
  return {
    ...personOf(identity),
    ...NO_DEVICE,
    iat: Math.floor((session?.createdAt ?? 0) / 1000),
    common_name: "",
    service_token_id: "",
    service_token_status: false,
  };
}

function personOf(person: PersonIdentity): Readonly<Record<string, unknown>> {
  const { provider, email, name, groups, authMethods: amr } = person;
  const uuid = personUuid(person);
  return { id: uuid, user_uuid: uuid, email, name, groups, amr, idp: { id: provider, type: provider } };
}

function json(document: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(document)}\n`);
}
