// The key document of the Cloudflare Access contract (A22): the keys as a JWK set and, for verifiers that read nothing
// else, as certificates. Must not know requests.

import type { KeyObject } from "node:crypto";
import { selfSignedCertificate } from "./self-signed.ts";

/** A key that verifiers are told about. */
export interface AccessKeyRecord {
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** Undefined in a state that was restored without keys: then there is no certificate of it. */
  readonly privateKey: KeyObject | undefined;
  readonly createdAt: number;
  /** From when it signs. */
  readonly activeAt: number;
}

interface AccessCertificate {
  readonly kid: string;
  readonly cert: string;
}

export interface AccessCerts {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
  /** Of the key that signs. */
  readonly public_cert: AccessCertificate | undefined;
  readonly public_certs: readonly AccessCertificate[];
}

/** Longer than any key is published; who reads the document again gets what is published then. */
const CERTIFICATE_LIFETIME_MS = 365 * 86_400_000;

export interface AccessKeySource {
  published(purpose: "access"): readonly AccessKeyRecord[];
  signingKey(purpose: "access"): { readonly kid: string };
}

/** The document as it is now, made anew only when keys changed. @param commonName host of the authUrl. @returns undefined from it while there is no key */
export function createAccessCerts(keys: AccessKeySource, commonName: string): () => AccessCerts | undefined {
  let known: { readonly kids: string; readonly document: AccessCerts } | undefined;
  return () => {
    const published = keys.published("access");
    if (published.length === 0) return undefined;
    const signing = keys.signingKey("access").kid;
    const kids = [signing, ...published.map(({ kid }) => kid)].join(" ");
    if (known?.kids !== kids) known = { kids, document: describe(published, signing, commonName) };
    return known.document;
  };
}

function describe(published: readonly AccessKeyRecord[], signingKid: string, commonName: string): AccessCerts {
  const certificates = published.flatMap((key) => certificateOf(key, commonName));
  return {
    keys: published.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" })),
    public_cert: certificates.find(({ kid }) => kid === signingKid),
    public_certs: certificates,
  };
}

function certificateOf({ kid, publicKey, privateKey, createdAt }: AccessKeyRecord, commonName: string): AccessCertificate[] {
  if (privateKey === undefined) return [];
  const validity = { notBeforeMs: createdAt, notAfterMs: createdAt + CERTIFICATE_LIFETIME_MS };
  return [{ kid, cert: selfSignedCertificate({ privateKey, publicKey, commonName: commonName.slice(0, 64), ...validity }) }];
}
