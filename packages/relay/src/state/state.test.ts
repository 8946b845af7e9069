import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ManualClock } from "@sallyport/shared/clock";
import { generateTunnelKeyPair } from "@sallyport/shared/credential-file";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MIGRATIONS } from "./schema.ts";
import { openState, type State } from "./state.ts";

let folder: string;
let clock: ManualClock;
const open: State[] = [];

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "sallyport-state-")), "data");
  clock = new ManualClock();
});
afterEach(() => {
  for (const state of open.splice(0)) state.close();
  rmSync(join(folder, ".."), { recursive: true });
});

function opened(): State {
  const state = openState({ folder, clock, lockWaitMs: 0 });
  open.push(state);
  return state;
}

function code(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "nothing thrown";
}

const newCredential = (tunnel: string) => ({ tunnel, publicKey: generateTunnelKeyPair().publicKey, label: "" });

describe("the state folder", () => {
  test("is created private, with every file in it private (R-G6, R-J4)", () => {
    const state = opened();
    state.credentials.create(newCredential("office"));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const names = readdirSync(folder);
    expect(names).toContain("state.db");
    for (const name of names) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
  });

  test("takes one relay: a second one is refused, and gets it once the first has closed", () => {
    const first = opened();
    expect(code(opened)).toBe("ERR_STATE_LOCKED");
    first.close();
    expect(opened().credentials.list()).toEqual([]);
  });

  test.skipIf(process.platform !== "linux")("where no folder can ever be made is refused instead of waited for", () => {
    expect(code(() => openState({ folder: "/proc/sallyport-test" }))).toBe("ERR_STATE_FOLDER");
  });

  test("that others can read is refused (R-J4)", () => {
    opened().close();
    rmSync(folder, { recursive: true });
    const { mkdirSync } = process.getBuiltinModule("node:fs");
    mkdirSync(folder, { mode: 0o750 });
    expect(code(opened)).toBe("ERR_STATE_FOLDER");
  });

  test("that holds something else than a database is refused as damaged", () => {
    opened().close();
    rmSync(folder, { recursive: true });
    const { mkdirSync } = process.getBuiltinModule("node:fs");
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(join(folder, "state.db"), "x".repeat(5000), { mode: 0o600 });
    expect(code(opened)).toBe("ERR_STATE_CORRUPT");
  });

  test("written by a newer version is refused and left as it is", () => {
    opened().close();
    const db = new DatabaseSync(join(folder, "state.db"));
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    db.close();
    expect(code(opened)).toBe("ERR_STATE_VERSION");
  });

  test("loses the copies that a killed backup left, and nothing else", () => {
    opened().close();
    for (const name of ["backup-0123456789abcdef.db", "backup-mine.db"]) writeFileSync(join(folder, name), "x", { mode: 0o600 });
    opened();
    expect(readdirSync(folder).filter((name) => name.startsWith("backup"))).toEqual(["backup-mine.db"]);
  });

  test("leaves no timer behind when it closes", () => {
    opened().close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("credentials", () => {
  test("survive closing, with every field", () => {
    const state = opened();
    const created = state.credentials.create({ ...newCredential("office"), label: "rack 3" });
    state.credentials.create(newCredential("home"));
    clock.advance(5);
    state.credentials.seen(created.id);
    state.credentials.revoke(created.id);
    const before = state.credentials.list();
    expect(before).toHaveLength(2);
    state.close();
    expect(opened().credentials.list()).toEqual(before);
    expect(before[0]).toMatchObject({ label: "rack 3", revokedAt: clock.now(), lastSeenAt: clock.now() });
  });

  test("are listed by tunnel", () => {
    const { credentials } = opened();
    const created = credentials.create(newCredential("office"));
    credentials.create(newCredential("home"));
    expect(credentials.list("office")).toEqual([created]);
    expect(credentials.list("other")).toEqual([]);
  });

  test("tell each subscriber once when they are revoked, and not after it unsubscribed", () => {
    const { credentials } = opened();
    const [a, b] = [credentials.create(newCredential("office")), credentials.create(newCredential("office"))];
    const heard: string[] = [];
    const unsubscribe = credentials.onRevoked((record) => heard.push(record.id));
    credentials.revoke(a.id);
    credentials.revoke(a.id);
    unsubscribe();
    credentials.revoke(b.id);
    expect(heard).toEqual([a.id]);
    expect(credentials.revoke("cred_unknown")).toBeUndefined();
  });

  test("keep the time of their first revocation", () => {
    const { credentials } = opened();
    const { id } = credentials.create(newCredential("office"));
    const first = credentials.revoke(id)?.revokedAt;
    clock.advance(1000);
    expect(credentials.revoke(id)?.revokedAt).toBe(first);
  });

  test("with one public key twice, a bad tunnel name or a wrong key size are refused", () => {
    const { credentials } = opened();
    const credential = newCredential("office");
    credentials.create(credential);
    expect(code(() => credentials.create(credential))).toBe("ERR_CREDENTIAL_EXISTS");
    expect(code(() => credentials.create(newCredential("Office/../x")))).toBe("ERR_CREDENTIAL_INPUT");
    expect(code(() => credentials.create({ ...credential, publicKey: new Uint8Array(31) }))).toBe("ERR_CREDENTIAL_INPUT");
  });

  test("store when they were last seen once a minute, not at each sight", () => {
    const state = opened();
    const { id } = state.credentials.create(newCredential("office"));
    state.credentials.seen(id);
    const seenAt = clock.now();
    clock.advance(60_000);
    clock.advance(10);
    // Not closed in order, as after a kill: only what the minute's flush wrote is there.
    state.copyTo(join(folder, "copy.db"));
    const copy = new DatabaseSync(join(folder, "copy.db"), { readOnly: true });
    expect(copy.prepare("SELECT last_seen_at FROM credentials").get()?.["last_seen_at"]).toBe(seenAt);
    copy.close();
  });
});

describe("service tokens", () => {
  const token = (name: string, n: number) => ({
    clientId: `st_${String(n).padStart(22, "0")}`,
    name,
    secretHash: new Uint8Array(32).fill(n),
    expiresAt: clock.now() + 1000,
  });

  test("survive closing, with rotation, disabling and last use", () => {
    const state = opened();
    const { serviceTokens } = state;
    const { clientId } = serviceTokens.create(token("ci", 1));
    serviceTokens.rotate(clientId, { secretHash: new Uint8Array(32).fill(9), graceMs: 500, expiresAt: undefined });
    serviceTokens.disable(clientId);
    serviceTokens.used(clientId);
    const before = serviceTokens.list();
    state.close();
    const after = opened().serviceTokens.list();
    expect(after).toEqual(before);
    expect(after[0]).toMatchObject({
      previousHash: new Uint8Array(32).fill(1),
      previousExpiresAt: clock.now() + 500,
      lastUsedAt: clock.now(),
    });
  });

  test("have a name that only one usable token has", () => {
    const { serviceTokens } = opened();
    const { clientId } = serviceTokens.create(token("ci", 1));
    expect(code(() => serviceTokens.create(token("ci", 2)))).toBe("ERR_SERVICE_TOKEN_EXISTS");
    serviceTokens.revoke(clientId);
    expect(serviceTokens.create(token("ci", 2)).name).toBe("ci");
  });

  test("are revoked for good: they are neither rotated nor usable again", () => {
    const { serviceTokens } = opened();
    const { clientId } = serviceTokens.create(token("ci", 1));
    serviceTokens.revoke(clientId);
    expect(serviceTokens.rotate(clientId, { secretHash: new Uint8Array(32), graceMs: 0, expiresAt: undefined })).toBeUndefined();
    expect(serviceTokens.enable(clientId)?.revokedAt).toBeDefined();
  });

  test("are refused with a past expiry, a short digest, or a name that is none", () => {
    const { serviceTokens } = opened();
    expect(code(() => serviceTokens.create({ ...token("ci", 1), expiresAt: clock.now() }))).toBe("ERR_SERVICE_TOKEN_INPUT");
    expect(code(() => serviceTokens.create({ ...token("ci", 1), secretHash: new Uint8Array(31) }))).toBe("ERR_SERVICE_TOKEN_INPUT");
    expect(code(() => serviceTokens.create(token("a b", 1)))).toBe("ERR_SERVICE_TOKEN_INPUT");
    expect(serviceTokens.list()).toEqual([]);
  });
});

describe("the event index", () => {
  const event = (seq: number, type: string) => ({ seq, at: seq * 10, type, actor: "command", ids: { credentialId: `c${seq}` } });

  test("finds events by exact type, by prefix and by time, newest first", () => {
    const { events } = opened();
    events.add([event(1, "credential.created"), event(2, "credential.revoked"), event(3, "config.changed")]);
    expect(events.query({ type: "credential." }).map((found) => found.seq)).toEqual([2, 1]);
    expect(events.query({ type: "credential.created" }).map((found) => found.seq)).toEqual([1]);
    expect(events.query({ type: "credential.create" })).toEqual([]);
    expect(events.query({ sinceMs: 20 }).map((found) => found.seq)).toEqual([3, 2]);
    expect(events.query({ limit: 1 })).toEqual([event(3, "config.changed")]);
  });

  test("forgets what is too old", () => {
    const { events } = opened();
    events.add([event(1, "a"), event(2, "a")]);
    events.prune(20);
    expect(events.query({}).map((found) => found.seq)).toEqual([2]);
  });
});
