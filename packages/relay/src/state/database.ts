// The one SQLite database of a relay: opening, the one-writer lock, migrations and transactions. The stores beside
// this file hold the statements. Nothing here runs on the request path.

import { join } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { SallyportError } from "@sallyport/shared/errors";
import { ensurePrivateFile, ensurePrivateFolder } from "./files.ts";
import { MIGRATIONS } from "./schema.ts";

export const DATABASE_FILE = "state.db";

/** Result codes of SQLite that this code tells apart (sqlite.org/rescode.html). */
const BUSY = 5;
const FULL = 13;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/** How long opening waits for a relay that is just ending. */
const LOCK_WAIT_MS = 1_500;

export interface Database {
  /** Absolute path of the database file. */
  readonly file: string;
  prepare(sql: string): StatementSync;
  /** Runs `work` in one transaction, durable when this returns. @throws ERR_STATE_WRITE when nothing was written */
  write<T>(work: () => T): T;
  /** Moves the write-ahead log into the database and empties it: what was overwritten is then gone from both. */
  scrub(): void;
  /** Writes a consistent, compact copy (mode 0600) to a path that must not exist. */
  copyTo(path: string): void;
  close(): void;
}

/**
 * Opens or creates the database in a private folder and locks it for this process until it closes or dies: the
 * kernel drops the lock with the process, so a kill leaves nothing to clean up. The folder must be on a local disk.
 *
 * @throws ERR_STATE_LOCKED another process has it; ERR_STATE_VERSION written by a newer version;
 * ERR_STATE_CORRUPT not a database or damaged; ERR_STATE_FOLDER modes or owner
 */
export function openDatabase(folder: string, lockWaitMs: number = LOCK_WAIT_MS): Database {
  ensurePrivateFolder(folder);
  const file = join(folder, DATABASE_FILE);
  ensurePrivateFile(file);
  const db = new DatabaseSync(file, { timeout: lockWaitMs, enableForeignKeyConstraints: true, allowExtension: false });
  try {
    lock(db);
    migrate(db);
  } catch (error) {
    db.close();
    throw explainOpening(error, folder);
  }
  return wrap(db, file);
}

// EXCLUSIVE locking keeps the lock of the first transaction for the life of the connection, and needs no
// shared-memory file. FULL: a commit that was acknowledged survives the loss of power, not only of the process.
function lock(db: DatabaseSync): void {
  db.exec("PRAGMA locking_mode = EXCLUSIVE");
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA synchronous = FULL");
  db.exec("PRAGMA secure_delete = ON");
  db.exec("BEGIN EXCLUSIVE; COMMIT");
}

function migrate(db: DatabaseSync): void {
  const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > MIGRATIONS.length) {
    throw new SallyportError(
      "ERR_STATE_VERSION",
      `The state was written by a newer version (schema ${version}, this one knows ${MIGRATIONS.length}). Run that version, or restore a backup made before the upgrade.`,
    );
  }
  for (let next = version; next < MIGRATIONS.length; next += 1) {
    transact(db, () => db.exec(`${MIGRATIONS[next]}; PRAGMA user_version = ${next + 1}`));
  }
}

function wrap(db: DatabaseSync, file: string): Database {
  return {
    file,
    prepare: (sql) => db.prepare(sql),
    write: (work) => {
      try {
        return transact(db, work);
      } catch (error) {
        throw explainWriting(error, file);
      }
    },
    scrub: () => void db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get(),
    copyTo: (path) => {
      ensurePrivateFile(path);
      // An empty file counts as a new database, so that the copy gets the mode of the file made above.
      db.prepare("VACUUM INTO ?").run(path);
    },
    close: () => {
      if (db.isOpen) db.close();
    },
  };
}

function transact<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk rolls back by itself, and then ROLLBACK would throw and hide the reason.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function explainOpening(error: unknown, folder: string): unknown {
  switch (resultCode(error)) {
    case BUSY:
      return new SallyportError(
        "ERR_STATE_LOCKED",
        `Another process uses the state folder ${folder}. One relay per state folder: stop the other one, or give this one its own folder.`,
        { cause: error, retryable: true },
      );
    case CORRUPT:
    case NOT_A_DATABASE:
      return new SallyportError(
        "ERR_STATE_CORRUPT",
        `The state database in ${folder} is damaged. Move it away and run: sallyport-relay restore FILE`,
        { cause: error },
      );
    default:
      return error;
  }
}

function explainWriting(error: unknown, file: string): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const what = code === FULL ? "the disk is full" : "the database refused it";
  return new SallyportError("ERR_STATE_WRITE", `Nothing was stored in ${file}: ${what}. See the cause, then repeat the command.`, {
    cause: error,
    retryable: code === FULL || code === BUSY,
  });
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== "ERR_SQLITE_ERROR") return undefined;
  // The low byte is the primary code, the rest details it.
  return Number((error as Error & { errcode?: number }).errcode) & 0xff;
}

/** The row type of the stores: what SQLite gives back, before it is read. */
export type Row = Record<string, SQLInputValue>;

/** Unix milliseconds or undefined, from a nullable INTEGER column. */
export function optionalNumber(value: SQLInputValue | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

/** A BLOB column. */
export function bytes(value: SQLInputValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new SallyportError("ERR_STATE_CORRUPT", "A column of the state database has the wrong type.");
  return value;
}
