// A backup is one file: the state database, compressed. With a passphrase it is sealed and holds everything, private
// keys included; without one it holds no private key and no master secret (R-G6). Records are files of their own
// and not part of it; nor are sessions, or a restore would bring back logins that were ended since: after a restore people
// sign in again. Used by commands only; the relay makes the copy, the command seals it.
//
//   "SALLYPORT-BACKUP-1\n" · mode (1 byte) · mode 0: gzip | mode 1: salt (16) · nonce (12) · AES-256-GCM(gzip) · tag (16)

import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync, gzipSync } from "node:zlib";
import { SallyportError } from "@sallyport/shared/errors";
import { DATABASE_FILE, openDatabase } from "./database.ts";
import { ensurePrivateFolder } from "./files.ts";
import { MIGRATIONS } from "./schema.ts";

const MAGIC = Buffer.from("SALLYPORT-BACKUP-1\n", "latin1");
const MODE_WITHOUT_KEYS = 0;
const MODE_SEALED = 1;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** 64 MiB and some 0.2 s for each guess of a passphrase. */
const SCRYPT = { N: 65_536, r: 8, p: 1, maxmem: 134_217_728 } as const;
/** A shorter passphrase is refused: the file may lie around for years. */
export const MIN_PASSPHRASE_LENGTH = 12;
/** Most that a backup may unpack to. */
const MAX_DATABASE_BYTES = 2_000_000_000;

export interface RestoreReport {
  /** False when new keys will be made at the next start, which no existing connector credential trusts. */
  readonly withKeys: boolean;
  readonly credentials: number;
  readonly serviceTokens: number;
}

/** Packs a copy made by State.copyTo. Without passphrase the private keys are removed from the copy first. */
export function packBackup(copyPath: string, passphrase: string | undefined): Buffer {
  forgetSessions(copyPath);
  if (passphrase === undefined) {
    removeSecrets(copyPath);
    return Buffer.concat([MAGIC, Buffer.from([MODE_WITHOUT_KEYS]), gzipSync(readFileSync(copyPath))]);
  }
  checkPassphrase(passphrase);
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const header = Buffer.concat([MAGIC, Buffer.from([MODE_SEALED]), salt, nonce]);
  const cipher = createCipheriv("aes-256-gcm", scryptSync(passphrase.normalize("NFC"), salt, 32, SCRYPT), nonce);
  cipher.setAAD(header);
  const sealed = Buffer.concat([cipher.update(gzipSync(readFileSync(copyPath))), cipher.final()]);
  return Buffer.concat([header, sealed, cipher.getAuthTag()]);
}

/** True when the file needs a passphrase. @throws ERR_BACKUP_FORMAT */
export function isSealed(backup: Buffer): boolean {
  const mode = backup[MAGIC.length];
  if (!backup.subarray(0, MAGIC.length).equals(MAGIC) || (mode !== MODE_WITHOUT_KEYS && mode !== MODE_SEALED)) {
    throw new SallyportError("ERR_BACKUP_FORMAT", "This is not a Sallyport backup, or one of a newer version.");
  }
  return mode === MODE_SEALED;
}

/**
 * Puts a backup in the place of the state in `folder`, all or nothing: the new database is written beside the old one,
 * checked, and renamed over it.
 * @param replace whether a state that is there already may be lost
 * @throws ERR_STATE_LOCKED while a relay runs; ERR_BACKUP_EXISTS; ERR_BACKUP_FORMAT; ERR_BACKUP_PASSPHRASE; ERR_STATE_VERSION
 */
export function restoreBackup(folder: string, backup: Buffer, passphrase: string | undefined, replace: boolean): RestoreReport {
  const database = unpack(backup, passphrase);
  ensurePrivateFolder(folder);
  const place = join(folder, DATABASE_FILE);
  if (existsSync(place) && statSync(place).size > 0) {
    if (!replace)
      throw new SallyportError(
        "ERR_BACKUP_EXISTS",
        `There is a state in ${folder} already. To lose it and take the backup instead, add --replace.`,
      );
    letGo(folder);
  }
  const incoming = `${place}.restoring`;
  rmSync(incoming, { force: true });
  writeFileSync(incoming, database, { mode: 0o600, flush: true });
  try {
    const report = inspect(incoming);
    for (const suffix of ["-wal", "-shm"]) rmSync(place + suffix, { force: true });
    renameSync(incoming, place);
    chmodSync(place, 0o600);
    return report;
  } finally {
    rmSync(incoming, { force: true });
  }
}

/** Proves that no relay uses the state, and leaves no write-ahead log that would be replayed over the new database. */
function letGo(folder: string): void {
  try {
    openDatabase(folder, 0).close();
  } catch (error) {
    // A damaged state, or one of a newer version, is what a restore is for.
    if (!(error instanceof SallyportError) || (error.code !== "ERR_STATE_CORRUPT" && error.code !== "ERR_STATE_VERSION")) throw error;
  }
}

function unpack(backup: Buffer, passphrase: string | undefined): Buffer {
  const body = MAGIC.length + 1;
  if (!isSealed(backup)) return gunzip(backup.subarray(body));
  if (passphrase === undefined)
    throw new SallyportError("ERR_BACKUP_PASSPHRASE", "This backup is sealed: give its passphrase with --passphrase-file.");
  const header = backup.subarray(0, body + SALT_BYTES + NONCE_BYTES);
  const salt = header.subarray(body, body + SALT_BYTES);
  const decipher = createDecipheriv(
    "aes-256-gcm",
    scryptSync(passphrase.normalize("NFC"), salt, 32, SCRYPT),
    header.subarray(body + SALT_BYTES),
    {
      authTagLength: TAG_BYTES,
    },
  );
  decipher.setAAD(header);
  decipher.setAuthTag(backup.subarray(-TAG_BYTES));
  try {
    return gunzip(Buffer.concat([decipher.update(backup.subarray(header.length, -TAG_BYTES)), decipher.final()]));
  } catch (cause) {
    throw new SallyportError("ERR_BACKUP_PASSPHRASE", "The passphrase is not the one of this backup, or the file is damaged.", { cause });
  }
}

function gunzip(packed: Buffer): Buffer {
  try {
    return gunzipSync(packed, { maxOutputLength: MAX_DATABASE_BYTES });
  } catch (cause) {
    throw new SallyportError("ERR_BACKUP_FORMAT", "The backup is damaged.", { cause });
  }
}

function inspect(path: string): RestoreReport {
  const db = openCopy(path);
  try {
    const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version < 1 || version > MIGRATIONS.length)
      throw new SallyportError("ERR_STATE_VERSION", "The backup is of a newer version; restore it with that version.");
    if (db.prepare("PRAGMA integrity_check").get()?.["integrity_check"] !== "ok")
      throw new SallyportError("ERR_BACKUP_FORMAT", "The backup is damaged.");
    const count = (rows: string): number => Number(db.prepare(`SELECT count(*) AS n FROM ${rows}`).get()?.["n"]);
    return {
      withKeys: count("keys WHERE private_key IS NOT NULL") > 0,
      credentials: count("credentials"),
      serviceTokens: count("service_tokens"),
    };
  } finally {
    db.close();
  }
}

function forgetSessions(path: string): void {
  const db = openCopy(path);
  try {
    db.exec("PRAGMA secure_delete = ON; DELETE FROM sessions; VACUUM");
  } finally {
    db.close();
  }
}

// The public record keys stay: records that they signed must be verifiable after a restore.
function removeSecrets(path: string): void {
  const db = openCopy(path);
  try {
    db.exec(
      "PRAGMA secure_delete = ON; DELETE FROM keys WHERE purpose <> 'record'; UPDATE keys SET private_key = NULL; DELETE FROM facts WHERE name <> 'record-head'; VACUUM",
    );
  } finally {
    db.close();
  }
}

function openCopy(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { allowExtension: false });
  // In memory and in one file: a copy that lies in somebody's folder leaves nothing beside it.
  db.exec("PRAGMA journal_mode = MEMORY");
  return db;
}

function checkPassphrase(passphrase: string): void {
  if (passphrase.length < MIN_PASSPHRASE_LENGTH) {
    throw new SallyportError("ERR_BACKUP_PASSPHRASE", `The passphrase must have at least ${MIN_PASSPHRASE_LENGTH} characters.`);
  }
}
