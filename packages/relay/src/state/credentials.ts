// Tunnel credentials: which public keys may serve which tunnel. The relay holds no private key of a connector, so
// neither this database nor a backup of it admits anybody. Read from memory by the tunnel acceptor.

import { randomBytes } from "node:crypto";
import { CREDENTIAL_ID_PATTERN, TUNNEL_NAME_PATTERN } from "@sallyport/shared/credential-file";
import { SallyportError } from "@sallyport/shared/errors";
import type { Clock } from "@sallyport/shared/clock";
import { bytes, type Database, optionalNumber, type Row } from "./database.ts";
import { createListeners, type Unsubscribe } from "./listeners.ts";

/** Most credentials in one state, revoked ones included. */
export const MAX_CREDENTIALS = 100_000;
export const MAX_LABEL_LENGTH = 200;

export interface CredentialRecord {
  /** `cred_` and 128 random bits. */
  readonly id: string;
  readonly tunnel: string;
  /** Raw 32-byte Ed25519 public key. */
  readonly publicKey: Uint8Array;
  /** What a person calls it; may be empty. */
  readonly label: string;
  readonly createdAt: number;
  readonly revokedAt: number | undefined;
  /** Last time a connector was connected with it; written about once a minute, so it may lag after a crash. */
  readonly lastSeenAt: number | undefined;
}

export interface NewCredential {
  readonly tunnel: string;
  readonly publicKey: Uint8Array;
  readonly label: string;
}

export interface CredentialStore {
  /** Revoked ones too: the caller looks at `revokedAt`. */
  get(id: string): CredentialRecord | undefined;
  /** In order of creation. */
  list(tunnel?: string): readonly CredentialRecord[];
  /** @throws ERR_CREDENTIAL_INPUT | ERR_CREDENTIAL_EXISTS (same public key) | ERR_STATE_WRITE */
  create(credential: NewCredential): CredentialRecord;
  /**
   * Revokes for good and tells the subscribers before it returns; idempotent. Undefined when there is no such id.
   * @throws ERR_STATE_WRITE when it could not be stored: it is in effect until the relay ends, and must be repeated.
   */
  revoke(id: string): CredentialRecord | undefined;
  onRevoked(listener: (credential: CredentialRecord) => void): Unsubscribe;
  /** Notes that a connector is connected; stored by {@link flush}. */
  seen(id: string): void;
  /** Stores what {@link seen} noted. */
  flush(): void;
}

export function createCredentialStore(db: Database, clock: Clock): CredentialStore {
  const insert = db.prepare("INSERT INTO credentials (id, tunnel, public_key, label, created_at) VALUES (?, ?, ?, ?, ?)");
  const setRevoked = db.prepare("UPDATE credentials SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL");
  const setSeen = db.prepare("UPDATE credentials SET last_seen_at = ? WHERE id = ?");
  const byId = new Map<string, CredentialRecord>();
  for (const row of db.prepare("SELECT * FROM credentials ORDER BY created_at, rowid").all() as Row[]) {
    const record = readRow(row);
    byId.set(record.id, record);
  }
  const revoked = createListeners<CredentialRecord>();
  const unsaved = new Set<string>();

  return {
    get: (id) => byId.get(id),
    list: (tunnel) => [...byId.values()].filter((record) => tunnel === undefined || record.tunnel === tunnel),

    create(credential) {
      checkNew(credential, byId);
      const record: CredentialRecord = {
        id: newCredentialId(),
        tunnel: credential.tunnel,
        publicKey: Uint8Array.from(credential.publicKey),
        label: credential.label,
        createdAt: clock.now(),
        revokedAt: undefined,
        lastSeenAt: undefined,
      };
      db.write(() => insert.run(record.id, record.tunnel, record.publicKey, record.label, record.createdAt));
      byId.set(record.id, record);
      return record;
    },

    revoke(id) {
      const current = byId.get(id);
      if (current === undefined) return undefined;
      const record = { ...current, revokedAt: current.revokedAt ?? clock.now() };
      try {
        db.write(() => setRevoked.run(record.revokedAt, id));
      } finally {
        // In memory even when it could not be stored: a full disk must not keep a stolen key alive (R-I5).
        byId.set(id, record);
        if (current.revokedAt === undefined) revoked.notify(record);
      }
      return record;
    },

    onRevoked: (listener) => revoked.add(listener),

    seen(id) {
      const record = byId.get(id);
      if (record === undefined) return;
      byId.set(id, { ...record, lastSeenAt: clock.now() });
      unsaved.add(id);
    },

    flush() {
      if (unsaved.size === 0) return;
      db.write(() => {
        for (const id of unsaved) setSeen.run(byId.get(id)?.lastSeenAt ?? null, id);
      });
      unsaved.clear();
    },
  };
}

function newCredentialId(): string {
  const id = `cred_${randomBytes(16).toString("base64url")}`;
  if (!CREDENTIAL_ID_PATTERN.test(id)) throw new TypeError("credential id and its pattern disagree");
  return id;
}

function checkNew(credential: NewCredential, known: ReadonlyMap<string, CredentialRecord>): void {
  if (!TUNNEL_NAME_PATTERN.test(credential.tunnel)) {
    throw new SallyportError("ERR_CREDENTIAL_INPUT", "The tunnel name must be 1 to 64 of a-z, 0-9, '-', '_' and '.'.");
  }
  if (credential.publicKey.length !== 32) throw new SallyportError("ERR_CREDENTIAL_INPUT", "The public key must have 32 bytes.");
  if (credential.label.length > MAX_LABEL_LENGTH) {
    throw new SallyportError("ERR_CREDENTIAL_INPUT", `The label must have at most ${MAX_LABEL_LENGTH} characters.`);
  }
  if (known.size >= MAX_CREDENTIALS) throw new SallyportError("ERR_CREDENTIAL_INPUT", `There are ${MAX_CREDENTIALS} credentials already.`);
  const key = Buffer.from(credential.publicKey);
  for (const other of known.values()) {
    // One key in two credentials would survive the revocation of either.
    if (key.equals(other.publicKey)) throw new SallyportError("ERR_CREDENTIAL_EXISTS", `This public key belongs to ${other.id} already.`);
  }
}

function readRow(row: Row): CredentialRecord {
  return {
    id: String(row["id"]),
    tunnel: String(row["tunnel"]),
    publicKey: bytes(row["public_key"]),
    label: String(row["label"]),
    createdAt: Number(row["created_at"]),
    revokedAt: optionalNumber(row["revoked_at"]),
    lastSeenAt: optionalNumber(row["last_seen_at"]),
  };
}
