// What the pipeline decides by, made from one configuration and swapped as a whole on reload: a request sees either the old
// configuration or the new one, never a mix (R-N4). Must not know sockets.

import { normaliseApplicationPath } from "@sallyport/shared/http/path-prefix";
import type { FieldLimits } from "@sallyport/shared/http/field-limits";
import { REQUEST_FIELD_LIMITS } from "@sallyport/shared/http/field-limits";
import { formatAuthority } from "@sallyport/shared/http/authority";
import { normaliseFieldName } from "@sallyport/shared/http/field-names";
import type { Grant } from "@sallyport/shared/protocol/hello";
import type { Secret } from "@sallyport/shared/secret";
import { SallyportError } from "@sallyport/shared/errors";
import type { CredentialOptions } from "../authn/authenticate.ts";
import { applicationCookieName, type ApplicationCookie } from "../authn/cookies.ts";
import { IdentityHeaders } from "../authn/identity-fields.ts";
import { type AccessAudience, accessTag } from "../authz/access-assertion.ts";
import type { AssertionAudience } from "../authz/assertion.ts";
import { compileApplications } from "../authz/compile.ts";
import { DecisionCache } from "../authz/decision-cache.ts";
import { noCountry, type CountryLookup } from "../authz/facts.ts";
import type { CompiledApplication } from "../authz/policy.ts";
import type { ApplicationConfig, RelayConfig } from "../config/types.ts";
import { createLook, type Look } from "../pages/look.ts";
import { ClientAuthorities } from "./client-authorities.ts";
import { createClientAddressReader, type ClientAddressReader } from "./client-address.ts";
import { basicAuthorization } from "./origin-identity.ts";
import { RouteTable, type Routable } from "./route.ts";

const NO_NAMES: ReadonlySet<string> = new Set();

/** One published application, ready for requests. */
export interface Application extends Routable, AssertionAudience {
  readonly name: string;
  readonly config: ApplicationConfig;
  readonly policies: CompiledApplication;
  readonly credentials: CredentialOptions;
  /** Normalised names of fields that hold credentials of ours here, or that we set: never a visitor's to send on (R-C1, R-C7). */
  readonly ownFields: ReadonlySet<string>;
  readonly identityHeaders: IdentityHeaders;
  /** Authorization that the origin gets from us; undefined: the visitor's. */
  readonly originAuthorization: Secret | undefined;
  /** Where the Cloudflare Access contract holds. */
  readonly access: AccessAudience | undefined;
  /** Where browsers keep its token. */
  readonly cookie: ApplicationCookie;
  /** Public URL without trailing slash; also the audience of tokens. */
  readonly url: string;
}

export interface Runtime {
  readonly config: RelayConfig;
  readonly routes: RouteTable<Application>;
  readonly applications: ReadonlyMap<string, Application>;
  readonly decisions: DecisionCache;
  readonly countryOf: CountryLookup;
  readonly clientAuthorities: ClientAuthorities;
  readonly clientAddress: ClientAddressReader;
  readonly fieldLimits: FieldLimits;
  /** What each tunnel may publish; a tunnel without applications has an empty list. */
  readonly grants: ReadonlyMap<string, readonly Grant[]>;
  /** How its pages look. */
  readonly look: Look;
  /** An identity-independent fact of the whole configuration: the port every Host must name (R-B4). */
  readonly publicPort: number;
}

/** @throws SallyportError when the configuration cannot be compiled; the old runtime stays */
export function createRuntime(config: RelayConfig): Runtime {
  const compiled = compileApplications(config);
  const applications = config.applications.map((application) => createApplication(config, application, compiled.get(application.name)));
  return {
    config,
    routes: new RouteTable(applications),
    applications: new Map(applications.map((application) => [application.name, application])),
    decisions: new DecisionCache(),
    countryOf: config.geoip?.countryOf ?? noCountry,
    clientAuthorities: new ClientAuthorities(config),
    clientAddress: createClientAddressReader(config.trustedProxies),
    fieldLimits: { ...REQUEST_FIELD_LIMITS, maxFields: config.limits.maxHeaderFields, maxBytes: config.limits.maxHeaderBytes },
    grants: grantsOf(config, applications),
    look: createLook(config.pages, config.authUrl.origin),
    publicPort: config.authUrl.port,
  };
}

function createApplication(config: RelayConfig, application: ApplicationConfig, policies: CompiledApplication | undefined): Application {
  const path = normaliseApplicationPath(application.path);
  if (policies === undefined || path === undefined)
    throw new SallyportError("ERR_CONFIG_APPLICATION", `application ${application.name} cannot be compiled`);
  const { scheme, port } = config.authUrl;
  const origin = `${scheme}://${formatAuthority(application.hostname, port, scheme)}`;
  const url = application.path === "/" ? origin : origin + application.path;
  const { name, hostname, tunnel, service } = application;
  const cookie: ApplicationCookie = {
    scheme,
    name: applicationCookieName(scheme, application.path),
    sameSite: application.sameSite === "none" ? "None" : "Lax",
  };
  const { compatibility, originBasicAuth } = application;
  const credentials: CredentialOptions = {
    ...application.serviceTokens,
    audience: url,
    cookieName: cookie.name,
    cloudflareAccess: compatibility === "cloudflare-access",
  };
  const identityHeaders = new IdentityHeaders(application.identityHeaders);
  return {
    ...{
      name,
      hostname,
      path,
      tunnel,
      service,
      compatibility,
      aud: url,
      url,
      config: application,
      policies,
      credentials,
      cookie,
      identityHeaders,
    },
    ownFields: new Set([...identityHeaders.names, ...credentialFieldsOf(credentials)]),
    originAuthorization: originBasicAuth === undefined ? undefined : basicAuthorization(originBasicAuth),
    access: compatibility === undefined ? undefined : { tag: application.accessAudience ?? accessTag(url) },
  };
}

/** Authorization is judged by request: it may as well hold what belongs to the origin. */
function credentialFieldsOf({ jsonHeader }: CredentialOptions): ReadonlySet<string> {
  return jsonHeader === undefined || jsonHeader === "authorization" ? NO_NAMES : new Set([normaliseFieldName(jsonHeader)]);
}

function grantsOf(config: RelayConfig, applications: readonly Application[]): ReadonlyMap<string, readonly Grant[]> {
  const grants = new Map<string, Grant[]>(config.tunnels.map((tunnel) => [tunnel.name, []]));
  for (const { name, hostname, config: application, service, tunnel, url } of applications) {
    grants.get(tunnel)?.push({ application: name, hostname, path: application.path, service, url });
  }
  return grants;
}
