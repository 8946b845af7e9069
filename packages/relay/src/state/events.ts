// The index of security events, for questions such as "who revoked this credential". The full records are files
// (observe/record.ts); this table finds them. Written in batches by the recorder, bounded by age and by count.

import { type Database, type Row } from "./database.ts";

/** Most events in the index; the oldest go first. */
export const MAX_EVENTS = 1_000_000;
/** How many rows a query gives at most. */
export const MAX_EVENT_ROWS = 1_000;

export interface SecurityEvent {
  /** Sequence number of its record. */
  readonly seq: number;
  readonly at: number;
  /** For example `credential.revoked`. */
  readonly type: string;
  /** Who did it: `command`, `relay`, or the key of a person. */
  readonly actor: string;
  /** What it is about, by kind: `{ credentialId: "cred_..." }`. */
  readonly ids: Readonly<Record<string, string>>;
}

export interface EventQuery {
  /** Exact type, or a prefix that ends in a dot (`credential.`). */
  readonly type?: string;
  readonly sinceMs?: number;
  /** 1 to {@link MAX_EVENT_ROWS}, default 100. */
  readonly limit?: number;
}

export interface EventIndex {
  /** Stores all or none. @throws ERR_STATE_WRITE */
  add(events: readonly SecurityEvent[]): void;
  /** Newest first. */
  query(query: EventQuery): readonly SecurityEvent[];
  /** Deletes what is older than `beforeMs`, and the oldest above {@link MAX_EVENTS}. */
  prune(beforeMs: number): void;
}

export function createEventIndex(db: Database): EventIndex {
  // A sequence number that is there already is a record that was indexed before a crash: the same event.
  const insert = db.prepare("INSERT OR REPLACE INTO events (seq, at, type, actor, ids) VALUES (?, ?, ?, ?, ?)");
  const select = db.prepare("SELECT * FROM events WHERE at >= ? AND type >= ? AND type < ? ORDER BY seq DESC LIMIT ?");
  const deleteOld = db.prepare("DELETE FROM events WHERE at < ? OR seq <= (SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?)");
  return {
    add(events) {
      if (events.length === 0) return;
      db.write(() => {
        for (const event of events) insert.run(event.seq, event.at, event.type, event.actor, JSON.stringify(event.ids));
      });
    },
    query({ type = "", sinceMs = 0, limit = 100 }) {
      // "~" sorts after every character of a type; an exact type is a range of one.
      const prefix = type === "" || type.endsWith(".");
      const rows = select.all(sinceMs, type, prefix ? `${type}~` : `${type}\u0000`, Math.min(Math.max(1, limit), MAX_EVENT_ROWS));
      return (rows as Row[]).map(readRow);
    },
    prune: (beforeMs) => void db.write(() => deleteOld.run(beforeMs, MAX_EVENTS)),
  };
}

function readRow(row: Row): SecurityEvent {
  return {
    seq: Number(row["seq"]),
    at: Number(row["at"]),
    type: String(row["type"]),
    actor: String(row["actor"]),
    ids: JSON.parse(String(row["ids"])) as Record<string, string>,
  };
}
