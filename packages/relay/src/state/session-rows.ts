// Sessions as rows, and the sealing of the refresh tokens in them. What a session means over time is sessions.ts.
//
//   refresh_token: nonce (12) · AES-256-GCM(token) · tag (16), the session id as additional data

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { SallyportError } from "@sallyport/shared/errors";
import type { PersonIdentity } from "../authn/identity.ts";
import type { Session } from "../authn/session.ts";
import { bytes, type Database, type Row } from "./database.ts";

/** Longest identity that is stored, as JSON: some 500 groups. */
export const MAX_IDENTITY_LENGTH = 65_536;
/** Longest refresh token that is stored. */
export const MAX_REFRESH_TOKEN_LENGTH = 16_384;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A session with what only the store needs. */
export interface SessionRow {
  readonly session: Session;
  /** SHA-256 of the secret in the auth host's cookie. */
  readonly secretHash: Uint8Array;
  readonly seenAt: number;
  /** Sealed by {@link sealToken}. */
  readonly refreshToken: Uint8Array | undefined;
}

export interface SessionRows {
  load(): readonly SessionRow[];
  /** Inserts or replaces. Call these three inside Database.write. */
  save(row: SessionRow): void;
  remove(id: string): void;
  seen(id: string, atMs: number): void;
}

export function createSessionRows(db: Database): SessionRows {
  const select = db.prepare("SELECT * FROM sessions ORDER BY created_at, rowid");
  const upsert = db.prepare(
    `INSERT INTO sessions (id, secret_hash, identity, created_at, expires_at, claims_at, seen_at, provider_session_id, refresh_token)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, claims_at = excluded.claims_at, seen_at = excluded.seen_at,
       refresh_token = excluded.refresh_token`,
  );
  const remove = db.prepare("DELETE FROM sessions WHERE id = ?");
  const setSeen = db.prepare("UPDATE sessions SET seen_at = ? WHERE id = ?");
  return {
    load: () => (select.all() as Row[]).map(readRow),
    save({ session, secretHash, seenAt, refreshToken }) {
      const { id, identity, createdAt, expiresAt, claimsAt, providerSessionId } = session;
      upsert.run(
        id,
        secretHash,
        writeIdentity(identity),
        createdAt,
        expiresAt,
        claimsAt,
        seenAt,
        providerSessionId ?? null,
        refreshToken ?? null,
      );
    },
    remove: (id) => void remove.run(id),
    seen: (id, atMs) => void setSeen.run(atMs, id),
  };
}

/** The stored form of an identity; two that are written alike are the same. @throws ERR_SESSION_INPUT when it is too large */
export function writeIdentity(identity: Omit<PersonIdentity, "sessionId">): string {
  const { provider, subject, email, name, groups, authMethods, claims } = identity;
  const text = JSON.stringify({ provider, subject, email, name, groups, authMethods, claims });
  if (text.length > MAX_IDENTITY_LENGTH)
    throw new SallyportError("ERR_SESSION_INPUT", "The claims of this person are larger than a session may hold.");
  return text;
}

/** @param key 32 bytes that nothing else uses */
export function sealToken(key: Uint8Array, sessionId: string, token: string): Uint8Array {
  if (token.length > MAX_REFRESH_TOKEN_LENGTH)
    throw new SallyportError("ERR_SESSION_INPUT", "The provider's refresh token is longer than a session may hold.");
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(sessionId, "utf8"));
  return Buffer.concat([nonce, cipher.update(token, "utf8"), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined when it was sealed with another key (a state restored without its keys) or altered. */
export function openToken(key: Uint8Array, sessionId: string, sealed: Uint8Array): string | undefined {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(sessionId, "utf8")).setAuthTag(sealed.subarray(end));
  try {
    return decipher.update(sealed.subarray(NONCE_BYTES, end), undefined, "utf8") + decipher.final("utf8");
  } catch {
    return undefined;
  }
}

function readRow(row: Row): SessionRow {
  const id = String(row["id"]);
  const sealed = row["refresh_token"];
  const providerSessionId = row["provider_session_id"];
  return {
    session: {
      id,
      identity: readIdentity(id, String(row["identity"])),
      createdAt: Number(row["created_at"]),
      expiresAt: Number(row["expires_at"]),
      claimsAt: Number(row["claims_at"]),
      providerSessionId: typeof providerSessionId === "string" ? providerSessionId : undefined,
    },
    secretHash: bytes(row["secret_hash"]),
    seenAt: Number(row["seen_at"]),
    refreshToken: sealed === null || sealed === undefined ? undefined : bytes(sealed),
  };
}

/** @throws ERR_STATE_CORRUPT: a session that cannot be read is not guessed at, the relay does not start (R-I5) */
function readIdentity(sessionId: string, text: string): PersonIdentity {
  try {
    const { provider, subject, email, name, groups, authMethods, claims } = JSON.parse(text) as Omit<PersonIdentity, "kind" | "sessionId">;
    if (typeof provider !== "string" || typeof subject !== "string" || typeof claims !== "object" || claims === null)
      throw new TypeError("identity");
    return { kind: "person", provider, subject, email, name, groups, authMethods, claims, sessionId };
  } catch (cause) {
    throw new SallyportError("ERR_STATE_CORRUPT", "A session in the state database cannot be read; restore a backup.", { cause });
  }
}
