// R-M5: when the disk takes no records any more, they wait in memory up to a bound; beyond it protected applications close,
// public ones go on, and everything opens by itself when there is space again. What was lost is itself on record.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { ask, expectDenied, expectForwarded, http2Exchange, http2Session, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();
const writeToDisk = fs.write;

/** Of every asynchronous write of this process; the state's database does not go through here. */
function setDisk(full: boolean): void {
  const refuse = (...args: unknown[]): void => {
    const done = args.at(-1) as (error: Error) => void;
    setImmediate(() => done(Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })));
  };
  fs.write = full ? (refuse as unknown as typeof fs.write) : writeToDisk;
  syncBuiltinESMExports();
}

afterEach(() => setDisk(false));

test("R-M5: a full disk closes protected applications once the buffer is full, and recovery is automatic", async () => {
  const staff = write("/admin/x", { fields: bed().token.fields });
  setDisk(true);
  // What is lost only after 16 MiB waits first: nobody is turned away meanwhile.
  await expectForwarded(bed(), staff, bed().admin);

  await using session = await http2Session(bed());
  const long = "x".repeat(2_000);
  const closed = async (): Promise<boolean> => (await ask(bed(), "/admin/x", { fields: bed().token.fields })).status === 503;
  let sent = 0;
  while (!(await closed())) {
    await Promise.all(Array.from({ length: 100 }, () => http2Exchange(session, [...pseudo(`/${long}`), "user-agent", long])));
    sent += 100;
    expect(sent).toBeLessThan(20_000);
  }
  await expectDenied(bed(), staff, { status: 503, code: "ERR_RECORD_UNAVAILABLE" });
  await expectForwarded(bed(), write("/public"));

  setDisk(false);
  await eventually(async () => !(await closed()), { what: "protected applications to open again" });
  const folder = join(bed().folder, "state", "records");
  const records = (): string =>
    fs
      .readdirSync(folder)
      .map((file) => fs.readFileSync(join(folder, file), "utf8"))
      .join("");
  await eventually(() => /"type":"record\.dropped"/.test(records()), { what: "the record of the loss" });
});
