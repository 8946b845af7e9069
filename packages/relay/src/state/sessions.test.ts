import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@sallyport/shared/clock";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NewSession, SessionEnd } from "../authn/session.ts";
import { packBackup, restoreBackup } from "./backup.ts";
import { type Database, openDatabase } from "./database.ts";
import { createSessionStore, MAX_SESSIONS_PER_PERSON } from "./sessions.ts";
import { openState, type State } from "./state.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
let folder: string;
let clock: ManualClock;
const cleanups: (() => void)[] = [];

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "sallyport-sessions-")), "data");
  clock = new ManualClock();
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  rmSync(join(folder, ".."), { recursive: true });
});

function opened(): State {
  const state = openState({ folder, clock, lockWaitMs: 0 });
  cleanups.push(() => state.close());
  return state;
}

function login(subject = "u1", changes: Partial<NewSession> = {}): NewSession {
  const identity = {
    kind: "person",
    provider: "corp",
    subject,
    email: `${subject}@example.com`,
    name: undefined,
    groups: ["eng"],
    authMethods: undefined,
    claims: { team: "a" },
  } as const;
  return { identity, expiresAt: clock.now() + DAY, providerSessionId: undefined, refreshToken: undefined, ...changes };
}

describe("a session", () => {
  test("is found by its id and by its secret, and has an identity that names it", () => {
    const { sessions } = opened();
    const { session, secret } = sessions.create(login());
    expect(secret).toMatch(/^sss_[A-Za-z0-9_-]{43}$/);
    expect(sessions.get(session.id)).toBe(session);
    expect(sessions.bySecret(secret)).toBe(session);
    expect(session.identity).toMatchObject({ subject: "u1", sessionId: session.id });
  });

  test("is not found by its id as secret, by a near miss, or by what no secret looks like (R-H3)", () => {
    const { sessions } = opened();
    const { session, secret } = sessions.create(login());
    for (const wrong of [session.id, `${secret}A`, secret.slice(0, -1), "", "__proto__", "x".repeat(100_000)]) {
      expect(sessions.bySecret(wrong)).toBeUndefined();
    }
    expect(sessions.get("__proto__")).toBeUndefined();
  });

  test("survives a restart as it was, its refresh token too; no file holds the secret or the refresh token", () => {
    const first = opened();
    const { session, secret } = first.sessions.create(login("u1", { refreshToken: "refresh-canary-1", providerSessionId: "p1" }));
    first.close();
    for (const name of readdirSync(folder)) {
      const content = readFileSync(join(folder, name)).toString("latin1");
      expect(content).not.toContain("refresh-canary-1");
      expect(content).not.toContain(secret.slice(4));
    }
    const { sessions } = opened();
    expect(sessions.bySecret(secret)).toEqual(session);
    expect(sessions.refreshToken(session.id)).toBe("refresh-canary-1");
  });

  test("ended is gone, also after a restart, and everybody is told why before end() returns (R-I1, R-I5)", () => {
    const first = opened();
    const { session, secret } = first.sessions.create(login());
    const heard: (SessionEnd | undefined)[] = [];
    first.sessions.onChanged((_, end) => heard.push(end));
    expect(first.sessions.end(session.id, "logout")).toEqual(session);
    expect(heard).toEqual(["logout"]);
    expect(first.sessions.end(session.id, "logout")).toBeUndefined();
    expect(first.sessions.get(session.id)).toBeUndefined();
    first.close();
    const { sessions } = opened();
    expect(sessions.bySecret(secret)).toBeUndefined();
    expect(sessions.size).toBe(0);
  });

  test("expires at its time, and a clock that is set back does not revive it (R-I4)", () => {
    const { sessions } = opened();
    const { session } = sessions.create(login("u1", { expiresAt: clock.now() + HOUR }));
    clock.jump(HOUR - 1);
    expect(sessions.get(session.id)).toBeDefined();
    clock.jump(1);
    expect(sessions.get(session.id)).toBeUndefined();
    clock.jump(-HOUR);
    expect(sessions.get(session.id)).toBeUndefined();
  });

  test("ends when it is idle too long, unless it is used", () => {
    const { sessions } = opened();
    sessions.idleTimeoutMs = HOUR;
    const used = sessions.create(login("u1")).session;
    const idle = sessions.create(login("u2")).session;
    clock.jump(HOUR / 2);
    sessions.seen(used.id);
    clock.jump(HOUR / 2);
    expect(sessions.get(used.id)).toBeDefined();
    expect(sessions.get(idle.id)).toBeUndefined();
  });

  test("that is over is cleared away and told of, used again or not", () => {
    const { sessions } = opened();
    const { session } = sessions.create(login("u1", { expiresAt: clock.now() + HOUR }));
    const heard: unknown[] = [];
    sessions.onChanged((ended, end) => heard.push([ended.id, end]));
    clock.advance(HOUR + 60_000);
    expect(heard).toEqual([[session.id, "expired"]]);
    expect(sessions.size).toBe(0);
  });

  test("keeps the time of its last use over a restart, at most a minute behind", () => {
    const first = opened();
    const { session } = first.sessions.create(login());
    clock.advance(10_000);
    first.sessions.seen(session.id);
    clock.advance(60_000);
    first.close();
    const { sessions } = opened();
    expect(sessions.lastSeenAt(session.id)).toBe(session.createdAt + 10_000);
  });
});

describe("changed claims", () => {
  test("make a new identity object only when they differ, and count the time either way", () => {
    const { sessions } = opened();
    const { session } = sessions.create(login());
    const heard: unknown[] = [];
    sessions.onChanged((changed, end) => heard.push([changed.identity.groups, end]));
    clock.jump(HOUR);
    const same = sessions.updateClaims(session.id, login().identity, undefined);
    expect(same?.identity).toBe(session.identity);
    expect(same?.claimsAt).toBe(clock.now());
    expect(heard).toEqual([]);
    const changed = sessions.updateClaims(session.id, { ...login().identity, groups: [] }, undefined);
    expect(changed?.identity).not.toBe(session.identity);
    expect(changed?.identity.sessionId).toBe(session.id);
    expect(heard).toEqual([[[], undefined]]);
  });

  test("survive a restart with the rotated refresh token; without a new one the old one stays", () => {
    const first = opened();
    const { session } = first.sessions.create(login("u1", { refreshToken: "r1" }));
    first.sessions.updateClaims(session.id, { ...login().identity, groups: undefined }, undefined);
    expect(first.sessions.refreshToken(session.id)).toBe("r1");
    first.sessions.updateClaims(session.id, { ...login().identity, groups: undefined }, "r2");
    first.close();
    const { sessions } = opened();
    expect(sessions.get(session.id)?.identity.groups).toBeUndefined();
    expect(sessions.refreshToken(session.id)).toBe("r2");
  });
});

describe("ending by filter", () => {
  test("ends what matches every condition, and nobody without a condition", () => {
    const { sessions } = opened();
    const a = sessions.create(login("u1", { providerSessionId: "p1" })).session;
    const b = sessions.create(login("u1", { providerSessionId: "p2" })).session;
    sessions.create(login("u2"));
    expect(sessions.endWhere({}, "revoked")).toEqual([]);
    expect(sessions.endWhere({ provider: "other", subject: "u1" }, "revoked")).toEqual([]);
    expect(sessions.endWhere({ provider: "corp", providerSessionId: "p2" }, "ended-by-provider")).toEqual([b]);
    expect(sessions.endWhere({ email: "u1@example.com" }, "revoked")).toEqual([a]);
    expect(sessions.list().map(({ identity }) => identity.subject)).toEqual(["u2"]);
  });

  test("lists newest first, bounded", () => {
    const { sessions } = opened();
    for (const subject of ["u1", "u2", "u3"]) sessions.create(login(subject));
    expect(sessions.list({}, 2).map(({ identity }) => identity.subject)).toEqual(["u3", "u2"]);
    expect(sessions.list({ subject: "u1" })).toHaveLength(1);
  });
});

test("one person has at most so many sessions: the one unused for longest makes room", () => {
  const { sessions } = opened();
  const first = sessions.create(login()).session;
  clock.jump(1);
  const second = sessions.create(login()).session;
  for (let n = 2; n < MAX_SESSIONS_PER_PERSON; n++) sessions.create(login());
  clock.jump(1);
  sessions.seen(first.id);
  sessions.create(login());
  expect(sessions.get(first.id)).toBeDefined();
  expect(sessions.get(second.id)).toBeUndefined();
  expect(sessions.size).toBe(MAX_SESSIONS_PER_PERSON);
});

test("a backup holds no session: a restore brings no ended login back", () => {
  const state = opened();
  const { secret } = state.sessions.create(login());
  const copy = join(folder, "copy.db");
  state.copyTo(copy);
  const backup = packBackup(copy, "correct horse battery");
  state.close();
  restoreBackup(folder, backup, "correct horse battery", true);
  const restored = opened();
  expect(restored.sessions.size).toBe(0);
  expect(restored.sessions.bySecret(secret)).toBeUndefined();
});

describe("with a full disk", () => {
  const sealingKey = new Uint8Array(32);
  function full(db: Database): void {
    const pages = Number(db.prepare("PRAGMA page_count").get()?.["page_count"]);
    db.prepare(`PRAGMA max_page_count = ${pages}`).get();
  }

  test("no session begins, and what ends is over at once and stored when there is space again (R-I5)", () => {
    const db = openDatabase(folder);
    cleanups.push(() => db.close());
    const store = createSessionStore({ db, clock, sealingKey, onError: () => {} });
    const { session } = store.create(login("u1"));
    full(db);
    expect(() => {
      for (let n = 0; n < 100; n++)
        store.create(login(`u${n}`, { identity: { ...login().identity, claims: { text: "x".repeat(2_000) } } }));
    }).toThrow(expect.objectContaining({ code: "ERR_STATE_WRITE" }));
    // A trigger stands in for a disk that refuses the deletion.
    db.prepare("PRAGMA max_page_count = 1000000").get();
    db.prepare("CREATE TRIGGER refuse BEFORE DELETE ON sessions BEGIN SELECT RAISE(FAIL, 'no'); END").run();
    const heard: unknown[] = [];
    store.onChanged((_, end) => heard.push(end));
    expect(() => store.end(session.id, "revoked")).toThrow(expect.objectContaining({ code: "ERR_STATE_WRITE" }));
    expect(store.get(session.id)).toBeUndefined();
    expect(heard).toEqual(["revoked"]);
    db.prepare("DROP TRIGGER refuse").run();
    store.flush();
    const again = createSessionStore({ db, clock, sealingKey, onError: () => {} });
    expect(again.get(session.id)).toBeUndefined();
  });

  test("a session row that cannot be read keeps the relay from starting (R-I5)", () => {
    const db = openDatabase(folder);
    cleanups.push(() => db.close());
    const store = createSessionStore({ db, clock, sealingKey, onError: () => {} });
    store.create(login());
    db.prepare("UPDATE sessions SET identity = '{}'").run();
    expect(() => createSessionStore({ db, clock, sealingKey, onError: () => {} })).toThrow(
      expect.objectContaining({ code: "ERR_STATE_CORRUPT" }),
    );
  });
});
