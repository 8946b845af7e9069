// The client certificate of one TLS connection: what the handshake found, as the fact that policies look at (A23). Read
// once when the handshake is over; a request only carries the result. Must not know hosts, routes or policies.

import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { normaliseAlternativeName } from "../authz/alternative-name.ts";
import type { CertificateFact } from "../authz/facts.ts";
import { normaliseName } from "../authz/names.ts";
import type { ClientAuthorityConfig } from "../config/types.ts";
import type { IngressRequest } from "./exchange.ts";

/** A handshake that asked for a client certificate. */
export interface ClientCheck {
  /** The bundle that it was verified with, {@link ClientAuthorityConfig.id}. */
  readonly authorityId: string;
  readonly fact: CertificateFact;
  /** End of the certificate's validity, milliseconds since the epoch; infinite without one. */
  readonly expiresAt: number;
}

const NONE: CertificateFact = { kind: "none" };
const EXPIRED: CertificateFact = { kind: "refused", problem: "CERT_HAS_EXPIRED" };
/** Alternative names that are looked at. */
const MAX_ALTERNATIVE_NAMES = 1_000;

/** @param socket secured by a server that asked for a certificate and verifies with the bundle `authorityId` */
export function clientCheckOf(socket: TLSSocket, authorityId: string): ClientCheck {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { authorityId, fact: NONE, expiresAt: Number.POSITIVE_INFINITY };
  // A resumed session would bring the verdict of another handshake, perhaps of another name (R-B5). The server that asks
  // for certificates issues no tickets; should that ever fail, nobody is let in by it.
  const problem = socket.isSessionReused() ? "SESSION_REUSED" : socket.authorized ? undefined : problemOf(socket.authorizationError);
  const fact: CertificateFact = problem === undefined ? describe(certificate) : { kind: "refused", problem };
  return { authorityId, fact, expiresAt: certificate.validToDate.getTime() };
}

/** The fact now: a connection may live longer than its certificate. */
function certificateAt({ fact, expiresAt }: ClientCheck, nowMs: number): CertificateFact {
  return fact.kind === "verified" && nowMs >= expiresAt ? EXPIRED : fact;
}

/**
 * Whether a request may be on the connection that it came on: for a name with other rules about client certificates the
 * visitor has to open another (R-B5). Where TLS ends in front of the relay there is no connection to be wrong.
 * @param wanted the rules of the host that the request names
 */
export function isRightConnection({ scheme, clientCheck }: IngressRequest, wanted: ClientAuthorityConfig | undefined): boolean {
  return scheme === "http" || clientCheck?.authorityId === wanted?.id;
}

/** What policies are told. undefined: not known. */
export function certificateFactOf(
  { clientCheck }: IngressRequest,
  wanted: ClientAuthorityConfig | undefined,
  nowMs: number,
): CertificateFact | undefined {
  return clientCheck === undefined || clientCheck.authorityId !== wanted?.id ? undefined : certificateAt(clientCheck, nowMs);
}

/** OpenSSL's code, such as CERT_REVOKED; node:tls types it as an error and gives the text. */
function problemOf(error: unknown): string {
  const code = typeof error === "string" ? error : (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" && /^[A-Z0-9_]{1,64}$/.test(code) ? code : "UNVERIFIED";
}

function describe(certificate: X509Certificate): CertificateFact {
  return {
    kind: "verified",
    commonName: commonNameOf(certificate),
    subjectAlternativeNames: readAlternativeNames(certificate.subjectAltName ?? ""),
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

/** The one common name, in the form in which names are compared (R-N6); none where there are several. */
function commonNameOf(certificate: X509Certificate): string | undefined {
  const { subject } = certificate.toLegacyObject();
  const name: unknown = subject?.CN;
  return typeof name === "string" ? normaliseName(name) : undefined;
}

const TYPES: Readonly<Record<string, string>> = { DNS: "dns", email: "email", URI: "uri", "IP Address": "ip" };

/**
 * Alternative names in node:crypto's text form: `DNS:a.example, URI:"x, y"`. A value with a comma, a quote or a control
 * character is a JSON string there, so that no value can look like two.
 * @returns `dns:a.example`, `uri:x, y`; empty when the text cannot be read to its end
 */
export function readAlternativeNames(text: string): readonly string[] {
  const names: string[] = [];
  const entry = /([A-Za-z ]{1,20}):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const match = entry.exec(text);
    if (match === null || names.length >= MAX_ALTERNATIVE_NAMES) return [];
    const [, label = "", value = ""] = match;
    const type = Object.hasOwn(TYPES, label) ? TYPES[label] : undefined;
    const plain = value.startsWith('"') ? unquoted(value) : value;
    const name = type === undefined || plain === undefined ? undefined : normaliseAlternativeName(`${type}:${plain}`);
    if (name !== undefined) names.push(name);
  }
  return names;
}

function unquoted(value: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === "string" ? parsed : undefined;
  } catch {
    return undefined;
  }
}
