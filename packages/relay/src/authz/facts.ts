// What a decision may look at: one plain object per request, built by the pipeline between authentication and
// authorization. Policies see nothing else of a request; paths and hostnames choose the application before.

import type { Identity } from "../authn/identity.ts";
import type { IpAddress } from "./ip.ts";

/** A client certificate whose chain was verified at the ingress, with a key that the visitor proved to hold. */
export interface ClientCertificate {
  readonly kind: "verified";
  /** Subject CN, exact; undefined when there is none. */
  readonly commonName: string | undefined;
  /** Type and value, type in lower case: `dns:ci.example.com`, `email:...`, `uri:spiffe://...`, `ip:...`. */
  readonly subjectAlternativeNames: readonly string[];
  /** SHA-256 of the certificate, 64 lower-case hex digits. */
  readonly fingerprint: string;
}

/** What a TLS handshake that asks for a client certificate can end with. An unverified certificate is no certificate. */
export type CertificateFact =
  | ClientCertificate
  | { readonly kind: "none" }
  /** One was sent and did not verify; `problem` is OpenSSL's code, such as CERT_REVOKED. */
  | { readonly kind: "refused"; readonly problem: string }
  /** The connection to the application's own host will tell: sign-in asks before there is one. */
  | { readonly kind: "pending" };

/** ISO 3166-1 alpha-2 code in upper case; undefined when the address is not known or the database does not hold it. */
export type CountryLookup = (ip: IpAddress | undefined) => string | undefined;

/**
 * Answer of an external evaluator for this visitor, fetched before; undefined: none, late or not verified. Pending: it was
 * not asked yet, and the first request to the application asks.
 */
export type ExternalLookup = (url: string) => boolean | "pending" | undefined;

export interface RequestFacts {
  /** undefined: nobody signed in, and no service token presented. */
  readonly identity: Identity | undefined;
  /** The visitor's address, see {@link parseIp}; undefined: not known. */
  readonly ip: IpAddress | undefined;
  /** Called only when a policy looks at the country; see {@link rememberCountries}. */
  readonly countryOf: CountryLookup;
  /** Upper-case request method. HEAD counts as GET in every rule (R-A13): the engine sees to it. */
  readonly method: string;
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly nowMs: number;
  /** undefined: not known, since TLS ended in front of the relay. */
  readonly clientCertificate: CertificateFact | undefined;
  readonly external: ExternalLookup;
}

/** The kinds of fact, for {@link DependsOn}. */
export const FACT_KINDS = ["identity", "ip", "country", "clientCertificate", "method", "time", "external"] as const;
export type FactKind = (typeof FACT_KINDS)[number];

/** Which facts the policies of an application look at: what a cached decision must be keyed by. */
export type DependsOn = Readonly<Record<FactKind, boolean>>;

export function dependsOnAny(kinds: ReadonlySet<FactKind>): DependsOn {
  return Object.fromEntries(FACT_KINDS.map((kind) => [kind, kinds.has(kind)])) as DependsOn;
}

/** For relays without a geo database: every country is unknown. */
export const noCountry: CountryLookup = () => undefined;

/** For relays without external evaluators: every answer is unknown. */
export const noExternal: ExternalLookup = () => undefined;

/**
 * A look-up in a geo database that remembers the country of each address object, of which there is one per socket, for
 * as long as it lives. Make a new one when the database is replaced.
 */
export function rememberCountries(lookup: (ip: IpAddress) => string | undefined): CountryLookup {
  const known = new WeakMap<IpAddress, { readonly country: string | undefined }>();
  return (ip) => {
    if (ip === undefined) return undefined;
    let entry = known.get(ip);
    if (entry === undefined) known.set(ip, (entry = { country: lookup(ip) }));
    return entry.country;
  };
}

/** The method as rules see it: HEAD is GET (R-A13). */
export function ruleMethod(method: string): string {
  return method === "HEAD" ? "GET" : method;
}
