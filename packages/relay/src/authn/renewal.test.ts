import { ManualClock } from "@sallyport/shared/clock";
import { beforeEach, describe, expect, test } from "vitest";
import type { RefreshResult } from "./provider.ts";
import { ClaimsRefresher } from "./renewal.ts";
import type { Session } from "./session.ts";
import { HOUR_MS, person, TestSessions } from "./test-support.ts";

const MINUTE_MS = 60_000;
let clock: ManualClock;
let sessions: TestSessions;
let refresher: ClaimsRefresher;
let asked: { readonly session: Session; readonly refreshToken: string | undefined; answer(result: RefreshResult | Error): Promise<void> }[];
let errors: unknown[];
let claimsMaxAgeMs: number;

beforeEach(() => {
  clock = new ManualClock();
  sessions = new TestSessions(clock);
  asked = [];
  errors = [];
  claimsMaxAgeMs = HOUR_MS;
  refresher = new ClaimsRefresher({
    sessions,
    clock,
    claimsMaxAgeMs: () => claimsMaxAgeMs,
    onError: (error) => errors.push(error),
    source: (session, refreshToken) => {
      const { promise, resolve, reject } = Promise.withResolvers<RefreshResult>();
      const answer = async (result: RefreshResult | Error): Promise<void> => {
        if (result instanceof Error) reject(result);
        else resolve(result);
        await settled();
      };
      asked.push({ session, refreshToken, answer });
      return promise;
    },
  });
});

/** Everything that waits for a promise of the source has run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const now = (session: Session): Session => sessions.get(session.id) as Session;
const says = (groups: readonly string[], subject = "u1"): RefreshResult => ({
  kind: "claims",
  login: {
    identity: { subject, email: undefined, name: undefined, groups, authMethods: undefined, claims: {} },
    refreshToken: "next",
    providerSessionId: undefined,
  },
});

test("young claims are left alone; after 10 minutes of use the provider is asked, while requests go on (R-F9)", async () => {
  const session = sessions.add();
  sessions.tokens.set(session.id, "first");
  clock.advance(10 * MINUTE_MS - 1);
  expect(refresher.look(session)).toBe("current");
  expect(asked).toHaveLength(0);
  clock.advance(1);
  expect(refresher.look(session)).toBe("current");
  expect(asked).toMatchObject([{ refreshToken: "first" }]);
  await asked[0]?.answer(says(["eng", "ops"]));
  expect(now(session)).toMatchObject({ identity: { groups: ["eng", "ops"], authMethods: ["pwd"] }, claimsAt: clock.now() });
  expect(sessions.refreshToken(session.id)).toBe("next");
});

test("one refresh at a time per session, however many requests (R-F9)", async () => {
  const session = sessions.add();
  clock.advance(11 * MINUTE_MS);
  for (let n = 0; n < 50; n++) refresher.look(session);
  const waiting = [refresher.confirm(session), refresher.confirm(session)];
  expect(asked).toHaveLength(1);
  await asked[0]?.answer(says([]));
  await Promise.all(waiting);
  expect(asked).toHaveLength(1);
});

describe("claims older than claimsMaxAge (R-F9)", () => {
  test("make the one request that needs them wait for the provider (an idle session wakes)", async () => {
    const session = sessions.add(person(), 24 * HOUR_MS);
    clock.advance(2 * HOUR_MS);
    expect(refresher.look(session)).toBe("outdated");
    const confirmed = refresher.confirm(session);
    await asked[0]?.answer(says([]));
    expect(await confirmed).toMatchObject({ identity: { groups: [] } });
    expect(refresher.look(now(session))).toBe("current");
  });

  test("do not count while the provider is unreachable; it is asked again after 30 s, not on each request", async () => {
    const session = sessions.add();
    clock.advance(HOUR_MS);
    const confirmed = refresher.confirm(session);
    await asked[0]?.answer({ kind: "unreachable" });
    expect(await confirmed).toBe("unconfirmed");
    for (let n = 0; n < 10; n++) expect(await refresher.confirm(session)).toBe("unconfirmed");
    expect(asked).toHaveLength(1);
    clock.advance(30_000);
    const again = refresher.confirm(session);
    await asked[1]?.answer(says(["eng"]));
    expect(await again).toMatchObject({ id: session.id });
  });

  test("up to that age the last word counts while the provider is unreachable", async () => {
    const session = sessions.add();
    clock.advance(30 * MINUTE_MS);
    expect(refresher.look(session)).toBe("current");
    await asked[0]?.answer({ kind: "unreachable" });
    clock.advance(30 * MINUTE_MS - 1);
    expect(refresher.look(session)).toBe("current");
    clock.advance(1);
    expect(refresher.look(session)).toBe("outdated");
  });

  test("a shorter limit is kept: claims are refreshed at half of it", () => {
    claimsMaxAgeMs = 2 * MINUTE_MS;
    const session = sessions.add();
    clock.advance(MINUTE_MS);
    expect(refresher.look(session)).toBe("current");
    expect(asked).toHaveLength(1);
    clock.advance(MINUTE_MS);
    expect(refresher.look(session)).toBe("outdated");
  });

  test("a clock that was set back makes no claims young", () => {
    const session = sessions.add();
    clock.jump(-2 * HOUR_MS);
    expect(refresher.look(session)).toBe("outdated");
  });
});

test("a person whom the provider no longer knows is signed out, also those who wait (R-F9)", async () => {
  const session = sessions.add();
  clock.advance(HOUR_MS);
  const confirmed = refresher.confirm(session);
  await asked[0]?.answer({ kind: "ended" });
  expect(await confirmed).toBe("ended");
  expect(sessions.ended).toEqual([[session.id, "ended-by-provider"]]);
});

test("another person's claims under this person's token end the session (R-F9)", async () => {
  const session = sessions.add();
  clock.advance(HOUR_MS);
  refresher.look(session);
  await asked[0]?.answer(says(["admin"], "u2"));
  expect(sessions.ended).toEqual([[session.id, "ended-by-provider"]]);
});

test("a provider that cannot be asked is asked once; claims stay those of the login", async () => {
  const session = sessions.add();
  clock.advance(2 * HOUR_MS);
  const confirmed = refresher.confirm(session);
  await asked[0]?.answer({ kind: "unsupported" });
  expect(await confirmed).toBe(session);
  clock.advance(2 * HOUR_MS);
  expect(refresher.look(session)).toBe("current");
  expect(asked).toHaveLength(1);
});

test("a fault while refreshing is reported, and the provider is as unreachable", async () => {
  const session = sessions.add();
  clock.advance(HOUR_MS);
  const confirmed = refresher.confirm(session);
  await asked[0]?.answer(new Error("broken"));
  expect(await confirmed).toBe("unconfirmed");
  expect(errors).toEqual([new Error("broken")]);
});

test("at most 256 refreshes run at once; the others come with a later look", async () => {
  const all = Array.from({ length: 300 }, (_, n) => sessions.add(person(`u${n}`)));
  clock.advance(11 * MINUTE_MS);
  for (const session of all) refresher.look(session);
  expect(asked).toHaveLength(256);
  await asked[0]?.answer({ kind: "unsupported" });
  refresher.look(all[299] as Session);
  expect(asked).toHaveLength(257);
});
