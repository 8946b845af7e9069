// Single values of the state by name. Other stores own their meaning; nothing here interprets them.

import { bytes, type Database, type Row } from "./database.ts";

export type FactName = "master-secret" | "manifest" | "record-head";

export function readFact(db: Database, name: FactName): Uint8Array | undefined {
  const row = db.prepare("SELECT value FROM facts WHERE name = ?").get(name) as Row | undefined;
  return row === undefined ? undefined : bytes(row["value"]);
}

/** Call it inside a transaction, or alone: one statement is one transaction. */
export function writeFact(db: Database, name: FactName, value: Uint8Array): void {
  db.prepare("INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value").run(name, value);
}
