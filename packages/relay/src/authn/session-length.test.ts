import { ManualClock } from "@sallyport/shared/clock";
import { describe, expect, test } from "vitest";
import { isTooOld, judgeSession, longestSessionMs, type SessionLengths } from "./session-length.ts";
import { HOUR_MS, TestSessions } from "./test-support.ts";

const clock = new ManualClock();
const session = new TestSessions(clock).add();
const at = (ageMs: number): number => session.createdAt + ageMs;

describe("A5: how long a login counts", () => {
  test.each<[string, Partial<SessionLengths>, number]>([
    ["the policy's length before all others, longer or shorter", { policyMs: 2 * HOUR_MS, applicationMs: HOUR_MS }, 2 * HOUR_MS],
    ["a short policy", { policyMs: HOUR_MS, applicationMs: 5 * HOUR_MS }, HOUR_MS],
    ["the application's before the relay's", { applicationMs: 5 * HOUR_MS }, 5 * HOUR_MS],
    ["the relay's", {}, 3 * HOUR_MS],
  ])("%s", (_, lengths, limitMs) => {
    const all: SessionLengths = { policyMs: undefined, applicationMs: undefined, globalMs: 3 * HOUR_MS, ...lengths };
    expect(isTooOld(session, all, at(limitMs - 1))).toBe(false);
    expect(isTooOld(session, all, at(limitMs))).toBe(true);
  });

  test("a session is made for the longest of them", () => {
    expect(longestSessionMs(HOUR_MS, [undefined, 5 * HOUR_MS, 2 * HOUR_MS])).toBe(5 * HOUR_MS);
    expect(longestSessionMs(HOUR_MS, [])).toBe(HOUR_MS);
  });

  test("an application's idle time counts from the last use, and its absence is no limit", () => {
    const use = { session, lengths: { policyMs: undefined, applicationMs: undefined, globalMs: 24 * HOUR_MS }, nowMs: at(HOUR_MS) };
    expect(judgeSession({ ...use, lastSeenAt: at(1), idleTimeoutMs: HOUR_MS })).toBe("good");
    expect(judgeSession({ ...use, lastSeenAt: at(0), idleTimeoutMs: HOUR_MS })).toBe("idle");
    expect(judgeSession({ ...use, lastSeenAt: at(0), idleTimeoutMs: undefined })).toBe("good");
    expect(judgeSession({ ...use, lastSeenAt: undefined, idleTimeoutMs: HOUR_MS })).toBe("good");
  });
});
