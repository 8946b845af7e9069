// People's logins: every live session in memory, its row in the database. Reads are map look-ups; what ends a session is
// in effect at once, and stored again and again until it is (R-I5). Must not know cookies, tokens or providers.

import { hash, randomBytes } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import type { PersonIdentity } from "../authn/identity.ts";
import type { NewSession, Session, SessionEnd, SessionFilter, SessionStore } from "../authn/session.ts";
import type { Database } from "./database.ts";
import { createListeners, type Unsubscribe } from "./listeners.ts";
import { createSessionRows, openToken, sealToken, type SessionRow, type SessionRows, writeIdentity } from "./session-rows.ts";

/** Most live sessions of one relay. */
export const MAX_SESSIONS = 500_000;
/** Most live sessions of one person; the one that was not used for longest ends when there is another login. */
export const MAX_SESSIONS_PER_PERSON = 100;
/** Prefix by which secret scanners know a leaked session secret. */
export const SESSION_SECRET_PREFIX = "sss_";
const SECRET_BYTES = 32;
const ID_BYTES = 16;
const DEFAULT_LIST = 1_000;

interface Change {
  readonly session: Session;
  readonly end: SessionEnd | undefined;
}

export interface SessionStoreOptions {
  readonly db: Database;
  readonly clock: Clock;
  /** 32 bytes that seal refresh tokens. */
  readonly sealingKey: Uint8Array;
  /** Told when an end that nobody waits for (expiry) could not be stored; it is stored with the next flush. */
  readonly onError: (error: unknown) => void;
}

/** @throws ERR_STATE_CORRUPT when a stored session cannot be read */
export function createSessionStore(options: SessionStoreOptions): SessionStore & SessionMaintenance {
  return new Sessions(options);
}

/** What the state and the relay's composition root need beside {@link SessionStore}. */
export interface SessionMaintenance {
  /** Milliseconds without a request after which a session is over; undefined: no such limit. Holds from the next look on. */
  idleTimeoutMs: number | undefined;
  readonly size: number;
  /** Ends what is expired or idle, used again or not. */
  sweep(): void;
  /** When the session was last used, milliseconds since the epoch. */
  lastSeenAt(id: string): number | undefined;
}

/** A session in memory; `session` is replaced when claims change. */
interface Entry {
  session: Session;
  readonly secretHash: Uint8Array;
  refreshToken: Uint8Array | undefined;
  seenAt: number;
}

class Sessions implements SessionStore, SessionMaintenance {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #rows: SessionRows;
  readonly #sealingKey: Uint8Array;
  readonly #onError: (error: unknown) => void;
  readonly #byId = new Map<string, Entry>();
  /** By SHA-256 of the secret, so that looking one up tells nothing about those that exist. */
  readonly #bySecret = new Map<string, Entry>();
  readonly #byPerson = new Map<string, Set<Entry>>();
  readonly #changed = createListeners<Change>();
  /** Uses that are not stored yet, and changed claims or ends that could not be stored. */
  readonly #seen = new Set<Entry>();
  readonly #unsaved = new Set<Entry>();
  readonly #unremoved = new Set<string>();
  idleTimeoutMs: number | undefined;

  constructor({ db, clock, sealingKey, onError }: SessionStoreOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#rows = createSessionRows(db);
    this.#sealingKey = sealingKey;
    this.#onError = onError;
    for (const { session, secretHash, seenAt, refreshToken } of this.#rows.load()) this.#add({ session, secretHash, seenAt, refreshToken });
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Session | undefined {
    return this.#live(this.#byId.get(id));
  }

  bySecret(secret: string): Session | undefined {
    return this.#live(this.#bySecret.get(digest(secret).toString("base64")));
  }

  create(input: NewSession): { readonly session: Session; readonly secret: string } {
    const now = this.#clock.now();
    if (!Number.isSafeInteger(input.expiresAt) || input.expiresAt <= now)
      throw new SallyportError("ERR_SESSION_INPUT", "A session must end in the future.");
    this.#makeRoom(input.identity);
    // `session revoke` takes it: one that began with a dash would be read as an option.
    const id = randomBytes(ID_BYTES).toString("base64url").replace(/^-/, "_");
    const secret = SESSION_SECRET_PREFIX + randomBytes(SECRET_BYTES).toString("base64url");
    const identity: PersonIdentity = { ...input.identity, sessionId: id };
    const session: Session = {
      id,
      identity,
      createdAt: now,
      expiresAt: input.expiresAt,
      claimsAt: now,
      providerSessionId: input.providerSessionId,
    };
    const refreshToken = input.refreshToken === undefined ? undefined : sealToken(this.#sealingKey, id, input.refreshToken);
    const entry: Entry = { session, secretHash: digest(secret), refreshToken, seenAt: now };
    // What opens a door is stored before it opens.
    this.#db.write(() => this.#rows.save(toRow(entry)));
    this.#add(entry);
    return { session, secret };
  }

  updateClaims(id: string, identity: Omit<PersonIdentity, "sessionId">, refreshToken: string | undefined): Session | undefined {
    const entry = this.#byId.get(id);
    if (this.#live(entry) === undefined || entry === undefined) return undefined;
    const changed = writeIdentity(identity) !== writeIdentity(entry.session.identity);
    const known = changed ? { ...identity, sessionId: id } : entry.session.identity;
    entry.session = { ...entry.session, identity: known, claimsAt: this.#clock.now() };
    if (refreshToken !== undefined) entry.refreshToken = sealToken(this.#sealingKey, id, refreshToken);
    this.#unsaved.add(entry);
    // New claims may take rights away: they count from here on, whether or not they could be stored.
    try {
      this.#flushChanges();
    } finally {
      if (changed) this.#changed.notify({ session: entry.session, end: undefined });
    }
    return entry.session;
  }

  refreshToken(id: string): string | undefined {
    const sealed = this.#byId.get(id)?.refreshToken;
    return sealed === undefined ? undefined : openToken(this.#sealingKey, id, sealed);
  }

  seen(id: string): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    entry.seenAt = this.#clock.now();
    this.#seen.add(entry);
  }

  lastSeenAt(id: string): number | undefined {
    return this.#byId.get(id)?.seenAt;
  }

  end(id: string, why: SessionEnd): Session | undefined {
    const entry = this.#byId.get(id);
    if (entry === undefined) return undefined;
    return this.#endAll([entry], why)[0];
  }

  endWhere(filter: SessionFilter, why: SessionEnd): readonly Session[] {
    return this.#endAll(this.#matching(filter), why);
  }

  list(filter: SessionFilter = {}, limit: number = DEFAULT_LIST): readonly Session[] {
    const now = this.#clock.now();
    const found: Session[] = [];
    const entries = isEmpty(filter) ? [...this.#byId.values()] : this.#matching(filter);
    for (let i = entries.length - 1; i >= 0 && found.length < limit; i--) {
      const entry = entries[i] as Entry;
      if (this.#endOf(entry, now) === undefined) found.push(entry.session);
    }
    return found;
  }

  onChanged(listener: (session: Session, end: SessionEnd | undefined) => void): Unsubscribe {
    return this.#changed.add(({ session, end }) => listener(session, end));
  }

  sweep(): void {
    const now = this.#clock.now();
    const over = new Map<SessionEnd, Entry[]>();
    for (const entry of this.#byId.values()) {
      const why = this.#endOf(entry, now);
      if (why !== undefined) over.set(why, [...(over.get(why) ?? []), entry]);
    }
    for (const [why, entries] of over) this.#endAll(entries, why);
  }

  flush(): void {
    const seen = [...this.#seen];
    this.#flushChanges(seen);
  }

  /** Stores what is pending, all or nothing; what could not be stored stays pending. */
  #flushChanges(seen: readonly Entry[] = []): void {
    if (seen.length === 0 && this.#unsaved.size === 0 && this.#unremoved.size === 0) return;
    this.#db.write(() => {
      for (const entry of seen) this.#rows.seen(entry.session.id, entry.seenAt);
      for (const entry of this.#unsaved) this.#rows.save(toRow(entry));
      for (const id of this.#unremoved) this.#rows.remove(id);
    });
    for (const entry of seen) this.#seen.delete(entry);
    this.#unsaved.clear();
    this.#unremoved.clear();
  }

  #live(entry: Entry | undefined): Session | undefined {
    if (entry === undefined) return undefined;
    const why = this.#endOf(entry, this.#clock.now());
    if (why === undefined) return entry.session;
    // Seen to be over, it is over: a clock that is set back later does not bring it back (R-I4).
    try {
      this.#endAll([entry], why);
    } catch (error) {
      this.#onError(error);
    }
    return undefined;
  }

  #endOf(entry: Entry, now: number): SessionEnd | undefined {
    if (entry.session.expiresAt <= now) return "expired";
    return this.idleTimeoutMs !== undefined && entry.seenAt + this.idleTimeoutMs <= now ? "idle" : undefined;
  }

  #endAll(entries: readonly Entry[], why: SessionEnd): readonly Session[] {
    for (const entry of entries) this.#remove(entry);
    try {
      this.#flushChanges();
    } finally {
      for (const { session } of entries) this.#changed.notify({ session, end: why });
    }
    return entries.map(({ session }) => session);
  }

  #makeRoom(person: { readonly provider: string; readonly subject: string }): void {
    if (this.#byId.size >= MAX_SESSIONS) this.sweep();
    if (this.#byId.size >= MAX_SESSIONS) throw new SallyportError("ERR_SESSION_LIMIT", `There are ${MAX_SESSIONS} live sessions already.`);
    const own = [...(this.#byPerson.get(personKey(person)) ?? [])];
    if (own.length < MAX_SESSIONS_PER_PERSON) return;
    const stalest = own.reduce((a, b) => (b.seenAt < a.seenAt ? b : a));
    this.#endAll([stalest], "replaced");
  }

  #matching(filter: SessionFilter): Entry[] {
    // A filter without a condition would match everybody; that is never what somebody who filters means.
    return isEmpty(filter) ? [] : [...this.#byId.values()].filter(({ session }) => matches(session, filter));
  }

  #add(entry: Entry): void {
    const key = personKey(entry.session.identity);
    this.#byId.set(entry.session.id, entry);
    this.#bySecret.set(Buffer.from(entry.secretHash).toString("base64"), entry);
    let own = this.#byPerson.get(key);
    if (own === undefined) this.#byPerson.set(key, (own = new Set()));
    own.add(entry);
  }

  #remove(entry: Entry): void {
    const { id, identity } = entry.session;
    const key = personKey(identity);
    this.#byId.delete(id);
    this.#bySecret.delete(Buffer.from(entry.secretHash).toString("base64"));
    this.#seen.delete(entry);
    this.#unsaved.delete(entry);
    this.#unremoved.add(id);
    const own = this.#byPerson.get(key);
    own?.delete(entry);
    if (own?.size === 0) this.#byPerson.delete(key);
  }
}

function toRow({ session, secretHash, seenAt, refreshToken }: Entry): SessionRow {
  return { session, secretHash, seenAt, refreshToken };
}

function digest(secret: string): Buffer {
  return hash("sha256", secret, "buffer");
}

// A provider's name has no space in it.
function personKey({ provider, subject }: { readonly provider: string; readonly subject: string }): string {
  return `${provider} ${subject}`;
}

function isEmpty(filter: SessionFilter): boolean {
  return Object.values(filter).every((value) => value === undefined);
}

function matches({ identity, providerSessionId }: Session, filter: SessionFilter): boolean {
  return (
    (filter.email === undefined || identity.email === filter.email) &&
    (filter.provider === undefined || identity.provider === filter.provider) &&
    (filter.subject === undefined || identity.subject === filter.subject) &&
    (filter.providerSessionId === undefined || providerSessionId === filter.providerSessionId)
  );
}
