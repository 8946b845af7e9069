// A person's login, and the store of logins as the rest of authn sees it. Reads come from memory; what ends a session takes
// effect in memory even where it cannot be stored. Must not know cookies, tokens or providers' protocols.

import type { PersonIdentity } from "./identity.ts";

/** Why a session ended: told to those who hold streams of it open, and recorded. */
export type SessionEnd = "logout" | "logout-everywhere" | "revoked" | "expired" | "idle" | "ended-by-provider" | "replaced";

export interface Session {
  /** Public id, 128 random bits in base64url: `sid` of tokens. Records hold its hash only (R-M5). */
  readonly id: string;
  /** The same object until claims change; decisions and assertions are remembered by it. `identity.sessionId` equals `id`. */
  readonly identity: PersonIdentity;
  /** Milliseconds since the epoch, also below. */
  readonly createdAt: number;
  /** Absolute end. */
  readonly expiresAt: number;
  /** When the provider last confirmed the claims. */
  readonly claimsAt: number;
  /** The provider's own session id (`sid` of the ID token), for back-channel logout. */
  readonly providerSessionId: string | undefined;
}

export interface NewSession {
  /** Without `sessionId`, which the store chooses. */
  readonly identity: Omit<PersonIdentity, "sessionId">;
  readonly expiresAt: number;
  readonly providerSessionId: string | undefined;
  /** Kept AEAD-encrypted; undefined when the provider gave none. */
  readonly refreshToken: string | undefined;
}

export interface SessionFilter {
  readonly email?: string;
  readonly provider?: string;
  readonly subject?: string;
  readonly providerSessionId?: string;
}

export interface SessionStore {
  /** A session that is live now: expiry and idle time are checked here, never by clean-up alone (R-I4). */
  get(id: string): Session | undefined;
  /** By the secret in the auth host's cookie; constant work for unknown ones. */
  bySecret(secret: string): Session | undefined;
  /** Stores it first. @returns the session, and the secret for the auth host's cookie, kept as SHA-256 only. @throws ERR_STATE_WRITE */
  create(session: NewSession): { readonly session: Session; readonly secret: string };
  /** Replaces claims; the identity object changes only when its content does. */
  updateClaims(id: string, identity: Omit<PersonIdentity, "sessionId">, refreshToken: string | undefined): Session | undefined;
  /** The refresh token, decrypted; undefined when there is none. */
  refreshToken(id: string): string | undefined;
  /** Notes a use for the idle limit; stored in batches. */
  seen(id: string): void;
  /** Ends matching sessions for good; idempotent. @returns those that were live. @throws ERR_STATE_WRITE after ending them in memory */
  end(id: string, why: SessionEnd): Session | undefined;
  endWhere(filter: SessionFilter, why: SessionEnd): readonly Session[];
  /** Live sessions, newest first, at most `limit` (default 1,000). */
  list(filter?: SessionFilter, limit?: number): readonly Session[];
  /** Told of every session that ends, before end() returns, and of changed claims. */
  onChanged(listener: (session: Session, end: SessionEnd | undefined) => void): () => void;
  flush(): void;
}
