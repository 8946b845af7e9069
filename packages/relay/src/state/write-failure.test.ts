// What the stores do when the disk refuses: SQLite's own limit on the number of pages stands in for a full disk
// and reports it by the same result code.

import { ManualClock } from "@sallyport/shared/clock";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createCredentialStore } from "./credentials.ts";
import { type Database, openDatabase } from "./database.ts";

let folder: string;
let db: Database;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-full-"));
  db = openDatabase(folder);
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const key = (n: number): Uint8Array => new Uint8Array(32).fill(n);

function fill(): void {
  const pages = Number(db.prepare("PRAGMA page_count").get()?.["page_count"]);
  db.prepare(`PRAGMA max_page_count = ${pages}`).get();
}

test("a credential that could not be stored does not exist, and the store works again when there is space", () => {
  const credentials = createCredentialStore(db, new ManualClock());
  fill();
  const created: string[] = [];
  let error: unknown;
  for (let n = 0; n < 200 && error === undefined; n += 1) {
    try {
      created.push(credentials.create({ tunnel: "office", publicKey: key(n), label: "x".repeat(200) }).id);
    } catch (thrown) {
      error = thrown;
    }
  }
  expect(error).toMatchObject({ code: "ERR_STATE_WRITE", retryable: true });
  expect(credentials.list().map((record) => record.id)).toEqual(created);
  db.prepare("PRAGMA max_page_count = 1000000").get();
  const after = credentials.create({ tunnel: "office", publicKey: key(201), label: "" });
  expect(createCredentialStore(db, new ManualClock()).get(after.id)).toEqual(after);
});

test("a revocation that cannot be stored is in effect all the same, says so, and is stored when repeated (R-I5)", () => {
  const credentials = createCredentialStore(db, new ManualClock());
  const { id } = credentials.create({ tunnel: "office", publicKey: key(1), label: "" });
  const heard: string[] = [];
  credentials.onRevoked((record) => heard.push(record.id));
  db.prepare("PRAGMA query_only = ON").get();
  expect(() => credentials.revoke(id)).toThrow(expect.objectContaining({ code: "ERR_STATE_WRITE" }));
  expect(credentials.get(id)?.revokedAt).toBeDefined();
  expect(heard).toEqual([id]);
  db.prepare("PRAGMA query_only = OFF").get();
  expect(createCredentialStore(db, new ManualClock()).get(id)?.revokedAt).toBeUndefined();
  credentials.revoke(id);
  expect(createCredentialStore(db, new ManualClock()).get(id)?.revokedAt).toBeDefined();
});
