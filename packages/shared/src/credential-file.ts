// The credential file of a connector: who it is (Ed25519 private key and credential id), where it belongs
// (relay URL, tunnel) and whom it believes (the relay's root key). Written once by `credential create`, read
// by the connector. JSON, mode 0600. Pure: text in, text out; must not know the file system or the tunnel.

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";

/** Format version this code reads and writes; any other is refused. */
export const CREDENTIAL_FILE_VERSION = 1;

/** A credential file is about 350 bytes; more than this is something else and is not parsed. */
export const MAX_CREDENTIAL_FILE_BYTES = 8192;

/** `cred_` and 128 random bits in base64url. */
export const CREDENTIAL_ID_PATTERN: RegExp = /^cred_[A-Za-z0-9_-]{22}$/;

/** Names of tunnels and services: what a configuration may call them. */
export const TUNNEL_NAME_PATTERN: RegExp = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

/** Everything a connector needs to be admitted to one tunnel. */
export interface TunnelCredential {
  /** Origin of the relay's auth host, without path: https, or http to loopback only (R-K3). */
  readonly relayUrl: string;
  readonly tunnel: string;
  readonly credentialId: string;
  /** Ed25519. A KeyObject, because it prints as nothing and cannot be serialised by accident. */
  readonly privateKey: KeyObject;
  /** Raw 32-byte Ed25519 public key that signs the manifest of assertion keys (R-K5). */
  readonly rootKey: Uint8Array;
}

export type CredentialFileResult =
  | { readonly kind: "valid"; readonly credential: TunnelCredential }
  /** `problem` is a sentence for a person: what is wrong and what to do. It never holds file content. */
  | { readonly kind: "invalid"; readonly problem: string };

// DER of PKCS #8 and SubjectPublicKeyInfo around a raw Ed25519 key (RFC 8410 sections 4 and 7): fixed prefixes.
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const KEY_BYTES = 32;
const KEYS = ["version", "relay", "tunnel", "credentialId", "privateKey", "rootKey"] as const;
const RECREATE = "create a new credential with `sallyport-relay credential create`";

/** Reads the text of a credential file. Unknown, missing and ill-typed members are all refused. */
export function parseCredentialFile(text: string): CredentialFileResult {
  if (text.length > MAX_CREDENTIAL_FILE_BYTES)
    return invalid(`it is larger than ${MAX_CREDENTIAL_FILE_BYTES} bytes; this is not a credential file`);
  const members = parseObject(text);
  if (members === undefined) return invalid(`it is not a JSON object; ${RECREATE}`);
  if (members["version"] !== CREDENTIAL_FILE_VERSION) {
    return invalid(`its version is not ${CREDENTIAL_FILE_VERSION}; upgrade the connector, or ${RECREATE}`);
  }
  const unknown = Object.keys(members).find((name) => !(KEYS as readonly string[]).includes(name));
  // The name comes from the file; JSON.stringify keeps control characters out of the terminal.
  if (unknown !== undefined) return invalid(`it has an unknown member ${JSON.stringify(unknown.slice(0, 40))}; remove it`);
  const { relay, tunnel, credentialId, privateKey, rootKey } = members;
  const relayUrl = typeof relay === "string" ? relayOrigin(relay) : undefined;
  if (relayUrl === undefined) return invalid('"relay" is not an https:// URL without path (http:// is for loopback only)');
  if (typeof tunnel !== "string" || !TUNNEL_NAME_PATTERN.test(tunnel)) return invalid('"tunnel" is not a tunnel name');
  if (typeof credentialId !== "string" || !CREDENTIAL_ID_PATTERN.test(credentialId))
    return invalid(`"credentialId" is not a credential id; ${RECREATE}`);
  const seed = rawKey(privateKey);
  if (seed === undefined) return invalid(`"privateKey" is not 32 bytes in base64url; ${RECREATE}`);
  const root = rawKey(rootKey);
  if (root === undefined) return invalid(`"rootKey" is not 32 bytes in base64url; ${RECREATE}`);
  return {
    kind: "valid",
    credential: { relayUrl, tunnel, credentialId, privateKey: ed25519PrivateKey(seed), rootKey: root },
  };
}

/** Writes the text of a credential file. It holds the private key: mode 0600, never a log. */
export function serializeCredentialFile(credential: TunnelCredential): string {
  const seed = ed25519Seed(credential.privateKey);
  const members: Record<(typeof KEYS)[number], string | number> = {
    version: CREDENTIAL_FILE_VERSION,
    relay: credential.relayUrl,
    tunnel: credential.tunnel,
    credentialId: credential.credentialId,
    privateKey: seed.toString("base64url"),
    rootKey: Buffer.from(credential.rootKey).toString("base64url"),
  };
  return `${JSON.stringify(members, null, 2)}\n`;
}

/** A new Ed25519 key pair; the public half as the raw 32 bytes that the relay stores. */
export function generateTunnelKeyPair(): { readonly privateKey: KeyObject; readonly publicKey: Uint8Array } {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { privateKey, publicKey: rawPublicKey(privateKey) };
}

/** Raw 32 bytes of the public half of an Ed25519 key (private or public). */
export function rawPublicKey(key: KeyObject): Uint8Array {
  const publicKey = key.type === "public" ? key : createPublicKey(key);
  return new Uint8Array(publicKey.export({ format: "der", type: "spki" }).subarray(SPKI_PREFIX.length));
}

/** An Ed25519 public key from its raw 32 bytes (RFC 8032). @throws TypeError on any other length. */
export function ed25519PublicKey(raw: Uint8Array): KeyObject {
  if (raw.length !== KEY_BYTES) throw new TypeError("an Ed25519 public key has 32 bytes");
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
}

/** An Ed25519 private key from its raw 32-byte seed (RFC 8032). @throws TypeError on any other length. */
export function ed25519PrivateKey(seed: Uint8Array): KeyObject {
  if (seed.length !== KEY_BYTES) throw new TypeError("an Ed25519 private key has 32 bytes");
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
}

/**
 * The origin (scheme, host, port) of a relay URL, canonical; undefined when it has a path, query, user info or
 * another scheme, or is http to anything but loopback (R-K3).
 */
export function relayOrigin(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || url.pathname !== "/" || url.search !== "" || url.hash !== "") return undefined;
  if (url.protocol === "https:") return url.origin;
  return url.protocol === "http:" && isLoopbackHost(url.hostname) ? url.origin : undefined;
}

// Names under .localhost are loopback by definition (RFC 6761 section 6.3).
function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function ed25519Seed(privateKey: KeyObject): Buffer {
  if (privateKey.type !== "private" || privateKey.asymmetricKeyType !== "ed25519") throw new TypeError("not an Ed25519 private key");
  return privateKey.export({ format: "der", type: "pkcs8" }).subarray(PKCS8_PREFIX.length);
}

function rawKey(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string" || !/^[A-Za-z0-9_-]{43}$/.test(value)) return undefined;
  const bytes = Buffer.from(value, "base64url");
  // 43 characters carry 258 bits: the two spare ones must be zero, or one key has several spellings.
  return bytes.toString("base64url") === value ? new Uint8Array(bytes) : undefined;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function invalid(problem: string): CredentialFileResult {
  return { kind: "invalid", problem };
}
