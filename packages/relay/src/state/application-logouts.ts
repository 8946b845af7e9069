// Logouts of one application: a session goes on, but what it was given for that application before is worth nothing any
// more (A8). A row per session and application, gone with the session. Must not know tokens or cookies.

import type { Clock } from "@sallyport/shared/clock";
import type { Database, Row } from "./database.ts";
import { createListeners, type Unsubscribe } from "./listeners.ts";

export interface ApplicationLogout {
  readonly sessionId: string;
  /** Audience of the application's tokens. */
  readonly audience: string;
}

export interface ApplicationLogouts {
  /** When this session last left the application, milliseconds since the epoch; undefined: never. */
  at(sessionId: string, audience: string): number | undefined;
  /** In effect at once, then stored. @throws ERR_STATE_WRITE: it holds until the relay ends */
  add(logout: ApplicationLogout): void;
  /** The session is over, and everything about it. */
  forget(sessionId: string): void;
  /** Told of each logout before {@link add} returns. */
  onAdded(listener: (logout: ApplicationLogout) => void): Unsubscribe;
}

export function createApplicationLogouts(db: Database, clock: Clock): ApplicationLogouts {
  db.write(() => db.prepare("DELETE FROM application_logouts WHERE session_id NOT IN (SELECT id FROM sessions)").run());
  const bySession = load(db);
  const added = createListeners<ApplicationLogout>();
  const save = db.prepare(
    "INSERT INTO application_logouts (session_id, audience, at) VALUES (?, ?, ?) ON CONFLICT (session_id, audience) DO UPDATE SET at = excluded.at",
  );
  const remove = db.prepare("DELETE FROM application_logouts WHERE session_id = ?");
  return {
    at: (sessionId, audience) => bySession.get(sessionId)?.get(audience),
    add(logout) {
      const at = clock.now();
      remember(bySession, logout, at);
      added.notify(logout);
      db.write(() => save.run(logout.sessionId, logout.audience, at));
    },
    forget(sessionId) {
      if (bySession.delete(sessionId)) db.write(() => remove.run(sessionId));
    },
    onAdded: (listener) => added.add(listener),
  };
}

type BySession = Map<string, Map<string, number>>;

function load(db: Database): BySession {
  const bySession: BySession = new Map();
  for (const row of db.prepare("SELECT session_id, audience, at FROM application_logouts").all() as Row[]) {
    remember(bySession, { sessionId: String(row["session_id"]), audience: String(row["audience"]) }, Number(row["at"]));
  }
  return bySession;
}

/** Bounded by the live sessions times the applications. */
function remember(bySession: BySession, { sessionId, audience }: ApplicationLogout, at: number): void {
  const logouts = bySession.get(sessionId) ?? new Map<string, number>();
  logouts.set(audience, at);
  bySession.set(sessionId, logouts);
}
