// The tables of the state database, as a list of migrations: entry n brings a database from user_version n to n + 1.
// An entry that was released is never changed; a change is a new entry. Times are milliseconds since the epoch.

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    tunnel TEXT NOT NULL,
    public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    last_seen_at INTEGER
  ) STRICT;

  CREATE TABLE service_tokens (
    client_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
    previous_hash BLOB CHECK (previous_hash IS NULL OR length(previous_hash) = 32),
    previous_expires_at INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    disabled_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
  ) STRICT;
  -- Policies name tokens: among those that can still be used a name stands for one token.
  CREATE UNIQUE INDEX service_tokens_name ON service_tokens (name) WHERE revoked_at IS NULL;

  -- Keys are PKCS #8 and SubjectPublicKeyInfo DER. private_key is NULL for a root that is kept offline.
  CREATE TABLE keys (
    kid TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    private_key BLOB,
    public_key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    active_at INTEGER NOT NULL,
    retire_at INTEGER,
    revoked_at INTEGER
  ) STRICT;

  -- Single values: master secret, manifest, manifest version, head of the record chain.
  CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;

  -- An index only: the records themselves are files (observe/record.ts).
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    ids TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_at ON events (at);
  CREATE INDEX events_type ON events (type, at);
  `,
  `
  -- One row per login that is live; ending a session deletes its row, so that nothing can bring it back (R-I1).
  -- identity is JSON; refresh_token is sealed with a key derived from the master secret (state/session-rows.ts).
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    identity TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    claims_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    provider_session_id TEXT,
    refresh_token BLOB
  ) STRICT;
  `,
  `
  CREATE TABLE application_logouts (
    session_id TEXT NOT NULL,
    audience TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (session_id, audience)
  ) STRICT;
  `,
];
