// The configuration as the relay runs on it: checked, references and files resolved, durations in milliseconds,
// sizes in bytes, secrets as Secret. The YAML that people write is described in schema.ts, which is checked
// against these types by the compiler. Must not know YAML, zod or the file system.

import type { Secret } from "@sallyport/shared/secret";
import type { CountryLookup } from "../authz/facts.ts";
import type { PagesConfig } from "./pages-types.ts";
import type { GroupConfig, PolicyConfig, PolicyTestConfig } from "./policy-types.ts";

/** A public origin, built from configuration alone, never from a request (R-B7). */
export interface PublicOrigin {
  readonly scheme: "http" | "https";
  /** Canonical: lower case, A-labels, no trailing dot. */
  readonly hostname: string;
  /** 1 to 65535; the scheme's default where none is written. */
  readonly port: number;
  /** `https://auth.example.com`, with the port only where it is not the scheme's default. */
  readonly origin: string;
}

/** A TCP address to listen on. */
export interface SocketAddress {
  /** IPv4 or IPv6 literal without brackets, or a name that the system resolves (`localhost`). */
  readonly host: string;
  /** 0 to 65535; 0 lets the system choose. */
  readonly port: number;
}

/** A certificate chain and its key, read and proved to belong together. */
export interface CertificateConfig {
  /** PEM, leaf first. */
  readonly certPem: string;
  /** PEM. */
  readonly keyPem: Secret;
  /** DNS names of the leaf, lower case, wildcards included: what SNI is matched with. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** SHA-256 of the leaf, hex with colons: names the certificate in logs and diffs. */
  readonly fingerprint: string;
  /** Absolute paths, for messages. */
  readonly certificateFile: string;
  readonly privateKeyFile: string;
}

export interface ListenConfig {
  readonly address: SocketAddress;
  /** Undefined: plain HTTP. Otherwise at least one; the first answers clients whose SNI matches none. */
  readonly certificates: readonly CertificateConfig[] | undefined;
  /** Plain port that answers everything with 308 to the same URL under https. */
  readonly redirectToHttps: boolean;
  /** A PROXY protocol header (v1 or v2) is required first on each connection. */
  readonly proxyProtocol: boolean;
}

/** Providers whose documented habits are built in: where they are found, what they call groups, how groups overflow. */
export type OidcPreset = "google" | "entra" | "okta" | "keycloak" | "gitlab" | "auth0";

/** Signature algorithms of ID tokens and logout tokens; never symmetric ones, never `none` (R-F5). */
export type OidcAlgorithm = "RS256" | "PS256" | "ES256" | "EdDSA";

export interface OidcProviderConfig {
  readonly type: "oidc";
  readonly name: string;
  /** What the chooser of the sign-in page says. */
  readonly label: string;
  readonly preset: OidcPreset | undefined;
  /** Exact issuer, as in its discovery document. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly scopes: readonly string[];
  readonly groupsClaim: string;
  readonly algorithms: readonly OidcAlgorithm[];
  /** `assumed`: an email counts although the provider does not call it verified. */
  readonly emailVerified: "required" | "assumed";
  /** Further parameters of the authorization request. */
  readonly authorizationParameters: Readonly<Record<string, string>>;
  /** Whether the provider may have addresses that are not public. */
  readonly allowPrivateNetwork: boolean;
}

export interface GithubProviderConfig {
  readonly type: "github";
  readonly name: string;
  readonly label: string;
  /** Origin of GitHub, or of a GitHub Enterprise Server; no trailing slash. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly allowPrivateNetwork: boolean;
}

export interface SmtpConfig {
  readonly url: Secret;
  readonly from: string;
  /** `if-offered`: the code may cross the network in the clear. */
  readonly tls: "required" | "if-offered";
}

export interface OneTimePinProviderConfig {
  readonly type: "one-time-pin";
  readonly name: string;
  readonly label: string;
  /** `terminal`: codes are printed where the relay runs, for trying things out on one machine. */
  readonly delivery: "mail" | "terminal";
  /** Present with delivery mail. */
  readonly smtp: SmtpConfig | undefined;
  /** Mail addresses and mail domains that codes are sent to, normalised; undefined: every address. */
  readonly recipients: readonly string[] | undefined;
}

export type IdentityProviderConfig = OidcProviderConfig | GithubProviderConfig | OneTimePinProviderConfig;

export interface TunnelConfig {
  readonly name: string;
}

export interface ApplicationLimits {
  /** Bytes; undefined: no limit. */
  readonly maxRequestBodyBytes: number | undefined;
}

/** Where programs may present a service token, beside its two headers. */
export interface ServiceTokenOptions {
  /** `Authorization: Basic` (A30): all Basic is then a service token, never the origin's own login. */
  readonly basic: boolean;
  /** Lower-case name of a header that holds id and secret as one JSON object (A13). */
  readonly jsonHeader: string | undefined;
}

/** Lengths in milliseconds. */
export interface SessionsConfig {
  /** Where neither policy nor application says otherwise. */
  readonly durationMs: number;
  /** Undefined: no such limit. */
  readonly idleTimeoutMs: number | undefined;
  readonly claimsMaxAgeMs: number;
}

/** Preflight requests of other origins (A15). */
export interface CorsConfig {
  readonly preflight: "answer" | "forward";
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly maxAgeMs: number;
}

/** What an identity header can hold. `user`: a person's verified email, or the name of a service token. */
export type IdentityValue = "user" | "email" | "name" | "subject" | "provider" | "groups" | "serviceToken";

/** One header that tells an origin who is asking, in the clear (A21). */
export interface IdentityHeader {
  /** As it is written to the origin. */
  readonly name: string;
  readonly value: IdentityValue;
}

/** The origin's own login (RFC 7617), which visitors never see. */
export interface BasicAuthConfig {
  /** Without colon. */
  readonly user: string;
  readonly password: Secret;
}

/** Whose client certificates are believed on a host, read and taken apart (A23). */
export interface ClientAuthorityConfig {
  /** PEM, one certificate each; at least one. Each is an anchor of trust. */
  readonly ca: readonly string[];
  /** PEM, one revocation list each. Empty: nothing is known to be revoked. Else every authority of a chain needs one. */
  readonly crl: readonly string[];
  /** SHA-256 of both, hex: equal for equal rules. */
  readonly id: string;
}

export interface ApplicationConfig {
  readonly name: string;
  /** Canonical; `*.` in front stands for exactly one label. */
  readonly hostname: string;
  /** From normaliseApplicationPath: starts with `/`, plain segments, no trailing slash except for `/` itself. */
  readonly path: string;
  readonly tunnel: string;
  /** The connector-side name; never a host or URL (R-K4). */
  readonly service: string;
  /** Names of policies; empty: everybody is denied. */
  readonly policies: readonly string[];
  readonly serviceTokens: ServiceTokenOptions;
  readonly keepUnderscoreHeaders: boolean;
  readonly limits: ApplicationLimits;
  /** Undefined: the relay's. */
  readonly sessionDurationMs: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  /** Other origins whose pages may use a visitor's login here, as browsers write them in Origin. */
  readonly allowedOrigins: readonly string[];
  /** Undefined: preflights are requests like any other. */
  readonly cors: CorsConfig | undefined;
  /** Of the cookie that holds the login. */
  readonly sameSite: "lax" | "none";
  /** Origins whose pages may frame the application; undefined: whatever the origin says. */
  readonly frameAncestors: readonly string[] | undefined;
  /** Empty: the origin learns who is asking from the assertion alone. */
  readonly identityHeaders: readonly IdentityHeader[];
  /** Undefined: Authorization is the visitor's. */
  readonly originBasicAuth: BasicAuthConfig | undefined;
  /** Undefined: visitors are not asked for a certificate on behalf of this application. */
  readonly clientCertificates: ClientAuthorityConfig | undefined;
  /** Whose contract with origins holds as well (A22). */
  readonly compatibility: "cloudflare-access" | undefined;
  /** AUD tag of that contract; undefined: the SHA-256 of the application's URL. */
  readonly accessAudience: string | undefined;
}

/** Row I7 of the feature contract. */
export interface LimitsConfig {
  readonly maxUrlBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaderFields: number;
  readonly headerTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** A request body that is awaited and silent this long ends the exchange (R-D8). */
  readonly requestBodyIdleMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxStreamsPerConnection: number;
  readonly maxStreamsPerTunnel: number;
  readonly maxStreamsPerIdentity: number;
}

/** The record of requests and events: access log and audit in one (A18, R-M5). */
export interface RecordsConfig {
  /** Absolute path of the folder that holds the record files. */
  readonly folder: string;
  /** A file that reaches this size is closed and the next one started. */
  readonly maxFileBytes: number;
  /** All record files together; the oldest go first. */
  readonly maxTotalBytes: number;
  readonly maxAgeMs: number;
  /** What protected applications do while records cannot be written. */
  readonly onWriteFailure: "deny" | "allow";
}

/** A MaxMind database with countries that could be opened. */
export interface GeoipConfig {
  /** Absolute path. */
  readonly file: string;
  /** SHA-256 of its content, hex: tells that the file was replaced. */
  readonly hash: string;
  /** Looks addresses up in the content that was checked, whatever happens to the file. */
  readonly countryOf: CountryLookup;
}

/** Where a configuration came from. Holds no secret. */
export interface ConfigSource {
  /** Absolute path of the YAML file. */
  readonly file: string;
  /** SHA-256 of the YAML text, hex. */
  readonly hash: string;
  /** Absolute paths of every file whose change means a reload: the YAML, certificates, keys, geo database, secrets. */
  readonly watchedFiles: readonly string[];
}

export interface RelayConfig {
  readonly authUrl: PublicOrigin;
  readonly listen: readonly ListenConfig[];
  readonly admin: SocketAddress;
  /** Absolute path of the state folder. */
  readonly state: string;
  /** Canonical CIDRs whose X-Forwarded-For and X-Forwarded-Proto are believed; empty: nobody's. */
  readonly trustedProxies: readonly string[];
  /** Undefined: every country is unknown. */
  readonly geoip: GeoipConfig | undefined;
  readonly identityProviders: readonly IdentityProviderConfig[];
  readonly tunnels: readonly TunnelConfig[];
  readonly groups: readonly GroupConfig[];
  readonly policies: readonly PolicyConfig[];
  readonly applications: readonly ApplicationConfig[];
  readonly tests: readonly PolicyTestConfig[];
  readonly limits: LimitsConfig;
  readonly sessions: SessionsConfig;
  readonly pages: PagesConfig;
  readonly records: RecordsConfig;
  readonly source: ConfigSource;
}
