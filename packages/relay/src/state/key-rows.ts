// Signing keys as rows: generating, reading and writing them. When which key signs is key-schedule.ts.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { bytes, type Database, optionalNumber, type Row } from "./database.ts";

/**
 * One key, one purpose (R-G3): `root` signs manifests, `assertion` what origins and connectors verify, `token` the
 * application tokens that only relays verify, `record` the batches of the audit record, `access` what origins written for
 * Cloudflare Access verify.
 */
export type KeyPurpose = "root" | "assertion" | "token" | "record" | "access";
export type KeyAlgorithm = "Ed25519" | "ES256" | "RS256";

const ALGORITHM: Readonly<Record<KeyPurpose, KeyAlgorithm>> = {
  root: "Ed25519",
  assertion: "ES256",
  token: "ES256",
  record: "Ed25519",
  access: "RS256",
};

export interface KeyRecord {
  /** Base64url SHA-256 of the public key's DER, shortened: never chosen by a sender. */
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  /** Undefined for a root that is kept offline. */
  readonly privateKey: KeyObject | undefined;
  readonly publicKey: KeyObject;
  readonly createdAt: number;
  /** From when it signs; published from createdAt on. */
  readonly activeAt: number;
  /** When it is no longer published; undefined while no successor was made. */
  readonly retireAt: number | undefined;
  readonly revokedAt: number | undefined;
}

export function generateKey(purpose: KeyPurpose, createdAt: number, activeAt: number): KeyRecord {
  const algorithm = ALGORITHM[purpose];
  const { privateKey, publicKey } = generatePair(algorithm);
  // Ids are given to commands: one that began with a dash would be read as an option.
  const kid = createHash("sha256").update(spki(publicKey)).digest("base64url").slice(0, 16).replace(/^-/, "_");
  return { kid, purpose, algorithm, privateKey, publicKey, createdAt, activeAt, retireAt: undefined, revokedAt: undefined };
}

function generatePair(algorithm: KeyAlgorithm): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  switch (algorithm) {
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "RS256":
      // Some 0.1 s of this process, once in 6 weeks, and only where an application needs such a key.
      return generateKeyPairSync("rsa", { modulusLength: 2048 });
    case "Ed25519":
      return generateKeyPairSync("ed25519");
  }
}

export function loadKeys(db: Database): KeyRecord[] {
  return (db.prepare("SELECT * FROM keys ORDER BY created_at, rowid").all() as Row[]).map(readRow);
}

/** Inserts or updates; the private key of a row is never changed by an update. Call it inside a transaction. */
export function saveKey(db: Database, key: KeyRecord): void {
  db.prepare(
    `INSERT INTO keys (kid, purpose, algorithm, private_key, public_key, created_at, active_at, retire_at, revoked_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (kid) DO UPDATE SET active_at = excluded.active_at, retire_at = excluded.retire_at, revoked_at = excluded.revoked_at`,
  ).run(
    key.kid,
    key.purpose,
    key.algorithm,
    key.privateKey === undefined ? null : key.privateKey.export({ format: "der", type: "pkcs8" }),
    spki(key.publicKey),
    key.createdAt,
    key.activeAt,
    key.retireAt ?? null,
    key.revokedAt ?? null,
  );
}

export function deleteKey(db: Database, kid: string): void {
  db.prepare("DELETE FROM keys WHERE kid = ?").run(kid);
}

/** Takes the private half out of the state: what makes a root an offline one. */
export function forgetPrivateKey(db: Database, kid: string): void {
  db.prepare("UPDATE keys SET private_key = NULL WHERE kid = ?").run(kid);
}

function readRow(row: Row): KeyRecord {
  const secret = row["private_key"];
  return {
    kid: String(row["kid"]),
    purpose: String(row["purpose"]) as KeyPurpose,
    algorithm: String(row["algorithm"]) as KeyAlgorithm,
    privateKey:
      secret === null || secret === undefined
        ? undefined
        : createPrivateKey({ key: Buffer.from(bytes(secret)), format: "der", type: "pkcs8" }),
    publicKey: createPublicKey({ key: Buffer.from(bytes(row["public_key"])), format: "der", type: "spki" }),
    createdAt: Number(row["created_at"]),
    activeAt: Number(row["active_at"]),
    retireAt: optionalNumber(row["retire_at"]),
    revokedAt: optionalNumber(row["revoked_at"]),
  };
}

function spki(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" });
}
