// Which manifest the relay hands to connectors: built from the published keys that sign assertions, ours and those of the
// Cloudflare Access contract, signed by the root key where that is here, else signed elsewhere and brought back.

import type { KeyObject } from "node:crypto";
import { rawPublicKey } from "@sallyport/shared/credential-file";
import { SallyportError } from "@sallyport/shared/errors";
import {
  type KeyManifest,
  MANIFEST_LIFETIME_MS,
  type ManifestJwk,
  manifestSigningInput,
  signManifest,
  verifyManifest,
} from "@sallyport/shared/key-manifest";
import type { KeyRecord } from "./key-rows.ts";

/** A manifest is signed anew at this age, so that connectors always hold one that is good for weeks. */
export const MANIFEST_RENEWAL_MS: number = 7 * 86_400_000;

export interface SignedManifest {
  readonly token: string;
  readonly version: number;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly kids: ReadonlySet<string>;
}

/**
 * The manifest for these keys. Its version is the time in seconds, or one more than the last: it increases even
 * after a restore of an older state, where a counter would start again below what connectors have seen.
 */
export function planManifest(published: readonly KeyRecord[], lastVersion: number, now: number): KeyManifest {
  const issuedAt = Math.floor(now / 1000) * 1000;
  return {
    version: Math.max(lastVersion + 1, issuedAt / 1000),
    issuedAt,
    expiresAt: issuedAt + MANIFEST_LIFETIME_MS,
    keys: published.map(publicJwk),
    nextRoot: undefined,
  };
}

export function signWithRoot(manifest: KeyManifest, rootKey: KeyObject): SignedManifest {
  return describe(signManifest(manifest, rootKey), manifest);
}

/** What an offline root signs. */
export function requestSignature(manifest: KeyManifest, root: KeyRecord): string {
  return manifestSigningInput(manifest, rawPublicKey(root.publicKey));
}

/** Reads a manifest of this root. Undefined when it is not one; an expired one is returned, so that it can be renewed. */
export function readManifest(token: string, root: KeyRecord): SignedManifest | undefined {
  // Time 1 with the longest skew would refuse all: the issue time is taken as now instead, expiry is looked at by the caller.
  const issuedAt = unverifiedIssueTime(token);
  const result = verifyManifest(token, rawPublicKey(root.publicKey), issuedAt, 0);
  return result.kind === "valid" ? describe(token, result.manifest) : undefined;
}

/** @throws ERR_KEYS_MANIFEST when it is not signed by this root, or says less than what is published already. */
export function adoptable(token: string, root: KeyRecord, lowestVersion: number, now: number): SignedManifest {
  const result = verifyManifest(token, rawPublicKey(root.publicKey), now, lowestVersion);
  if (result.kind === "invalid") {
    throw new SallyportError(
      "ERR_KEYS_MANIFEST",
      `The manifest is refused (${result.problem}); sign what \`keys rotate\` printed, with this relay's root key.`,
    );
  }
  return describe(token, result.manifest);
}

/** The public half of an ES256 or RS256 key as JWK (RFC 7517). */
export function publicJwk({ kid, publicKey }: KeyRecord): ManifestJwk {
  const { x, y, n, e } = publicKey.export({ format: "jwk" });
  if (x !== undefined && y !== undefined) return { kty: "EC", crv: "P-256", x, y, kid, alg: "ES256" };
  if (n !== undefined && e !== undefined) return { kty: "RSA", n, e, kid, alg: "RS256" };
  throw new TypeError("only ES256 and RS256 keys are published");
}

function describe(token: string, manifest: KeyManifest): SignedManifest {
  const kids = new Set(manifest.keys.map((key) => key.kid));
  return { token, version: manifest.version, issuedAt: manifest.issuedAt, expiresAt: manifest.expiresAt, kids };
}

function unverifiedIssueTime(token: string): number {
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    return Number((payload as Record<string, unknown>)["iat"]) * 1000;
  } catch {
    return 0;
  }
}
