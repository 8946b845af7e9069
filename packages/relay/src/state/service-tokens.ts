// Service tokens: the credentials of programs. Only SHA-256 digests of their 256-bit secrets are stored, so reading
// this database yields no token (R-J1). Read from memory by authn/service-token.ts on each request that carries one.

import type { Clock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import { bytes, type Database, optionalNumber, type Row } from "./database.ts";
import { createListeners, type Unsubscribe } from "./listeners.ts";

/** Most service tokens in one state, revoked ones included. */
export const MAX_SERVICE_TOKENS = 100_000;
/** How policies call a token. */
export const SERVICE_TOKEN_NAME_PATTERN: RegExp = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const DIGEST_BYTES = 32;

export interface ServiceTokenRecord {
  /** Public id: `st_` and 22 base64url characters. */
  readonly clientId: string;
  /** Name in policies; unique among tokens that are not revoked. */
  readonly name: string;
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array;
  /** The secret before the last rotation, and until when it still works. */
  readonly previousHash: Uint8Array | undefined;
  readonly previousExpiresAt: number | undefined;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly disabledAt: number | undefined;
  readonly revokedAt: number | undefined;
  /** Written about once a minute, so it may lag after a crash. */
  readonly lastUsedAt: number | undefined;
}

export interface NewServiceToken {
  readonly clientId: string;
  readonly name: string;
  readonly secretHash: Uint8Array;
  /** Milliseconds since the epoch; must be in the future. */
  readonly expiresAt: number;
}

export interface Rotation {
  readonly secretHash: Uint8Array;
  /** How long the old secret keeps working; 0 ends it at once. */
  readonly graceMs: number;
  /** New end of the token; undefined leaves it. */
  readonly expiresAt: number | undefined;
}

export interface ServiceTokenStore {
  get(clientId: string): ServiceTokenRecord | undefined;
  /** In order of creation. */
  list(): readonly ServiceTokenRecord[];
  /** @throws ERR_SERVICE_TOKEN_INPUT | ERR_SERVICE_TOKEN_EXISTS | ERR_STATE_WRITE */
  create(token: NewServiceToken): ServiceTokenRecord;
  /** Replaces the secret. Undefined when there is no such token that could still be used. */
  rotate(clientId: string, rotation: Rotation): ServiceTokenRecord | undefined;
  /** Reversible refusal; idempotent. */
  disable(clientId: string): ServiceTokenRecord | undefined;
  enable(clientId: string): ServiceTokenRecord | undefined;
  /** For good; idempotent. In effect even when storing it fails with ERR_STATE_WRITE. */
  revoke(clientId: string): ServiceTokenRecord | undefined;
  /** Called with every token that was created, rotated, disabled, enabled or revoked, before the call returns. */
  onChanged(listener: (token: ServiceTokenRecord) => void): Unsubscribe;
  /** Notes a use; stored by {@link flush}. Cheap enough for each request. */
  used(clientId: string): void;
  flush(): void;
}

export function createServiceTokenStore(db: Database, clock: Clock): ServiceTokenStore {
  const insert = db.prepare("INSERT INTO service_tokens (client_id, name, secret_hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?)");
  const update = db.prepare(
    "UPDATE service_tokens SET secret_hash = ?, previous_hash = ?, previous_expires_at = ?, expires_at = ?, disabled_at = ?, revoked_at = ? WHERE client_id = ?",
  );
  const setUsed = db.prepare("UPDATE service_tokens SET last_used_at = ? WHERE client_id = ?");
  const byId = new Map<string, ServiceTokenRecord>();
  for (const row of db.prepare("SELECT * FROM service_tokens ORDER BY created_at, rowid").all() as Row[]) {
    const token = readRow(row);
    byId.set(token.clientId, token);
  }
  const changed = createListeners<ServiceTokenRecord>();
  const usedAt = new Map<string, number>();

  function store(token: ServiceTokenRecord): void {
    db.write(() =>
      update.run(
        token.secretHash,
        token.previousHash ?? null,
        token.previousExpiresAt ?? null,
        token.expiresAt,
        token.disabledAt ?? null,
        token.revokedAt ?? null,
        token.clientId,
      ),
    );
  }

  function apply(token: ServiceTokenRecord): ServiceTokenRecord {
    byId.set(token.clientId, token);
    changed.notify(token);
    return token;
  }

  /** What widens access takes effect after it is stored; what narrows it (R-I5), whether or not it could be stored. */
  function widen(token: ServiceTokenRecord): ServiceTokenRecord {
    store(token);
    return apply(token);
  }

  function narrow(token: ServiceTokenRecord): ServiceTokenRecord {
    try {
      store(token);
    } finally {
      apply(token);
    }
    return token;
  }

  return {
    get: (clientId) => byId.get(clientId),
    list: () => [...byId.values()].map((token) => ({ ...token, lastUsedAt: usedAt.get(token.clientId) ?? token.lastUsedAt })),

    create(token) {
      const now = clock.now();
      checkNew(token, byId, now);
      const record: ServiceTokenRecord = {
        previousHash: undefined,
        previousExpiresAt: undefined,
        disabledAt: undefined,
        revokedAt: undefined,
        lastUsedAt: undefined,
        clientId: token.clientId,
        name: token.name,
        secretHash: Uint8Array.from(token.secretHash),
        createdAt: now,
        expiresAt: token.expiresAt,
      };
      db.write(() => insert.run(record.clientId, record.name, record.secretHash, now, record.expiresAt));
      return apply(record);
    },

    rotate(clientId, rotation) {
      const token = byId.get(clientId);
      if (token === undefined || token.revokedAt !== undefined) return undefined;
      checkDigest(rotation.secretHash);
      const now = clock.now();
      const expiresAt = rotation.expiresAt ?? token.expiresAt;
      checkExpiry(expiresAt, now);
      if (!Number.isSafeInteger(rotation.graceMs) || rotation.graceMs < 0)
        throw inputError("The grace time must be a whole number of milliseconds.");
      const previous = rotation.graceMs === 0 ? undefined : token.secretHash;
      return widen({
        ...token,
        secretHash: Uint8Array.from(rotation.secretHash),
        previousHash: previous,
        previousExpiresAt: previous === undefined ? undefined : now + rotation.graceMs,
        expiresAt,
      });
    },

    disable(clientId) {
      const token = byId.get(clientId);
      return token && narrow({ ...token, disabledAt: token.disabledAt ?? clock.now() });
    },

    enable(clientId) {
      const token = byId.get(clientId);
      return token && widen({ ...token, disabledAt: undefined });
    },

    revoke(clientId) {
      const token = byId.get(clientId);
      return token && narrow({ ...token, revokedAt: token.revokedAt ?? clock.now() });
    },

    onChanged: (listener) => changed.add(listener),
    // Bounded by byId: the caller notes only tokens that it got from here.
    used: (clientId) => void usedAt.set(clientId, clock.now()),

    flush() {
      if (usedAt.size === 0) return;
      db.write(() => {
        for (const [clientId, at] of usedAt) setUsed.run(at, clientId);
      });
      for (const [clientId, at] of usedAt) {
        const token = byId.get(clientId);
        if (token !== undefined) byId.set(clientId, { ...token, lastUsedAt: at });
      }
      usedAt.clear();
    },
  };
}

function checkNew(token: NewServiceToken, known: ReadonlyMap<string, ServiceTokenRecord>, now: number): void {
  if (!/^st_[A-Za-z0-9_-]{22}$/.test(token.clientId)) throw inputError("The client id must be st_ and 22 base64url characters.");
  if (!SERVICE_TOKEN_NAME_PATTERN.test(token.name)) {
    throw inputError("The name must be 1 to 64 letters, digits, '-', '_' and '.', and start with a letter or digit.");
  }
  checkDigest(token.secretHash);
  checkExpiry(token.expiresAt, now);
  if (known.size >= MAX_SERVICE_TOKENS) throw inputError(`There are ${MAX_SERVICE_TOKENS} service tokens already.`);
  for (const other of known.values()) {
    if (other.clientId === token.clientId || (other.name === token.name && other.revokedAt === undefined)) {
      throw new SallyportError(
        "ERR_SERVICE_TOKEN_EXISTS",
        `There is a service token called ${token.name} already; rotate or revoke it, or take another name.`,
      );
    }
  }
}

function checkDigest(digest: Uint8Array): void {
  if (digest.length !== DIGEST_BYTES) throw inputError("The secret's digest must have 32 bytes.");
}

function checkExpiry(expiresAt: number, now: number): void {
  if (!Number.isSafeInteger(expiresAt) || expiresAt <= now) throw inputError("The token must expire in the future.");
}

function inputError(message: string): SallyportError {
  return new SallyportError("ERR_SERVICE_TOKEN_INPUT", message);
}

function readRow(row: Row): ServiceTokenRecord {
  const previous = row["previous_hash"];
  return {
    clientId: String(row["client_id"]),
    name: String(row["name"]),
    secretHash: bytes(row["secret_hash"]),
    previousHash: previous === null || previous === undefined ? undefined : bytes(previous),
    previousExpiresAt: optionalNumber(row["previous_expires_at"]),
    createdAt: Number(row["created_at"]),
    expiresAt: Number(row["expires_at"]),
    disabledAt: optionalNumber(row["disabled_at"]),
    revokedAt: optionalNumber(row["revoked_at"]),
    lastUsedAt: optionalNumber(row["last_used_at"]),
  };
}
