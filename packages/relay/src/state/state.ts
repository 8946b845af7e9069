// Opens the state of a relay: one folder, one database, one writer. What the request path reads is in memory.
// The interfaces beside this file are the seam behind which several relays could share their state.

import { systemClock, type Clock, type Timer } from "@sallyport/shared/clock";
import { type ApplicationLogouts, createApplicationLogouts } from "./application-logouts.ts";
import { type CredentialStore, createCredentialStore } from "./credentials.ts";
import { removeStaleCopies } from "./copies.ts";
import { type Database, openDatabase } from "./database.ts";
import { createEventIndex, type EventIndex } from "./events.ts";
import { readFact, writeFact } from "./facts.ts";
import { createKeyStore, type KeyStore } from "./keys.ts";
import { createServiceTokenStore, type ServiceTokenStore } from "./service-tokens.ts";
import type { SessionStore } from "../authn/session.ts";
import { createSessionStore, type SessionMaintenance } from "./sessions.ts";

/** How often "last seen" and "last used" are stored, and sessions that are over are cleared away. */
export const FLUSH_INTERVAL_MS = 60_000;
/** How often keys and the event index are looked after. */
export const MAINTENANCE_INTERVAL_MS = 3_600_000;
/** How long events stay in the index. */
export const EVENT_RETENTION_MS: number = 400 * 86_400_000;

export interface StateOptions {
  /** Absolute path; created with mode 0700 when it is not there. */
  readonly folder: string;
  readonly clock?: Clock;
  /** How long to wait for another process to let go of the folder. Default 1.5 s. */
  readonly lockWaitMs?: number;
  /** Told of what fails in the background (a full disk); the work is tried again at the next interval. */
  readonly onError?: (error: unknown) => void;
}

export interface State {
  readonly folder: string;
  readonly credentials: CredentialStore;
  readonly serviceTokens: ServiceTokenStore;
  readonly keys: KeyStore;
  readonly sessions: SessionStore & SessionMaintenance;
  readonly logouts: ApplicationLogouts;
  readonly events: EventIndex;
  /** The newest sealed batch of the record (observe/record.ts), kept apart from the files it vouches for. */
  readonly recordHead: { read(): string | undefined; write(head: string): void };
  /** A consistent copy of the database, private keys included: state/backup.ts decides what leaves the machine. */
  copyTo(path: string): void;
  /** Stores what is pending and lets go of the folder; idempotent. */
  close(): void;
}

/** @throws ERR_STATE_LOCKED | ERR_STATE_VERSION | ERR_STATE_CORRUPT | ERR_STATE_FOLDER | ERR_STATE_WRITE */
export function openState(options: StateOptions): State {
  const { folder, clock = systemClock, onError = () => {} } = options;
  const db: Database = openDatabase(folder, options.lockWaitMs);
  try {
    removeStaleCopies(folder);
    return assemble(db, folder, clock, onError);
  } catch (error) {
    db.close();
    throw error;
  }
}

function assemble(db: Database, folder: string, clock: Clock, onError: (error: unknown) => void): State {
  const credentials = createCredentialStore(db, clock);
  const serviceTokens = createServiceTokenStore(db, clock);
  const keys = createKeyStore(db, clock);
  const sessions = createSessionStore({ db, clock, sealingKey: keys.secret("session-refresh-token"), onError });
  const logouts = createApplicationLogouts(db, clock);
  sessions.onChanged(({ id }, end) => {
    if (end !== undefined) logouts.forget(id);
  });
  const events = createEventIndex(db);

  const flush = (): void => {
    credentials.flush();
    serviceTokens.flush();
    sessions.flush();
  };
  const stopFlushing = every(clock, FLUSH_INTERVAL_MS, flush, onError);
  const stopSweeping = every(clock, FLUSH_INTERVAL_MS, () => sessions.sweep(), onError);
  const stopMaintenance = every(
    clock,
    MAINTENANCE_INTERVAL_MS,
    () => {
      keys.maintain();
      events.prune(clock.now() - EVENT_RETENTION_MS);
    },
    onError,
  );
  let open = true;

  return {
    folder,
    credentials,
    serviceTokens,
    keys,
    sessions,
    logouts,
    events,
    recordHead: {
      read: () => {
        const head = readFact(db, "record-head");
        return head === undefined ? undefined : Buffer.from(head).toString("utf8");
      },
      write: (head) => db.write(() => writeFact(db, "record-head", Buffer.from(head, "utf8"))),
    },
    copyTo: (path) => db.copyTo(path),
    close() {
      if (!open) return;
      open = false;
      stopFlushing();
      stopSweeping();
      stopMaintenance();
      try {
        flush();
      } catch (error) {
        onError(error);
      }
      db.close();
    },
  };
}

function every(clock: Clock, intervalMs: number, task: () => void, onError: (error: unknown) => void): () => void {
  let timer: Timer;
  const run = (): void => {
    timer = clock.after(intervalMs, run);
    try {
      task();
    } catch (error) {
      onError(error);
    }
  };
  timer = clock.after(intervalMs, run);
  return () => timer.cancel();
}
