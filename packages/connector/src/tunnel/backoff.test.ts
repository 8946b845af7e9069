import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Backoff, BACKOFF_CAP_MS, HEALTHY_AFTER_MS, MAX_ASKED_WAIT_MS } from "./backoff.ts";

const almostOne = 1 - Number.EPSILON;

describe("Backoff (R-L8)", () => {
  test("the ceiling starts at one second, doubles and stops at thirty", () => {
    const backoff = new Backoff(() => almostOne);
    const waits = Array.from({ length: 8 }, () => backoff.afterFailure());
    expect(waits).toEqual([999, 1_999, 3_999, 7_999, 15_999, 29_999, 29_999, 29_999]);
  });

  test("jitter is full: the wait may be anything from zero to the ceiling", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: almostOne, noNaN: true }), fc.nat(40), (random, failures) => {
        const backoff = new Backoff(() => random);
        for (let i = 0; i < failures; i += 1) backoff.afterFailure();
        const ceilingMs = Math.min(BACKOFF_CAP_MS, 1_000 * 2 ** failures);
        expect(backoff.afterFailure()).toBe(Math.floor(random * ceilingMs));
      }),
    );
  });

  test("a connection that lived thirty seconds starts the ceiling over, a shorter one does not", () => {
    const backoff = new Backoff(() => almostOne);
    backoff.afterFailure();
    backoff.afterFailure();
    backoff.afterConnection(HEALTHY_AFTER_MS - 1);
    expect(backoff.afterFailure()).toBe(3_999);
    backoff.afterConnection(HEALTHY_AFTER_MS);
    expect(backoff.failures).toBe(0);
    expect(backoff.afterFailure()).toBe(999);
  });

  test("what the relay asks for replaces the computed wait, within bounds", () => {
    const backoff = new Backoff(() => almostOne);
    expect(backoff.afterFailure(7_250)).toBe(7_250);
    expect(backoff.afterFailure(86_400_000)).toBe(MAX_ASKED_WAIT_MS);
    expect(backoff.failures, "an asked wait is still a failure").toBe(2);
  });

  test("asking for no wait is not a licence for a tight loop", () => {
    const backoff = new Backoff(() => almostOne);
    expect([backoff.afterFailure(0), backoff.afterFailure(0), backoff.afterFailure(-5)]).toEqual([999, 1_999, 3_999]);
  });
});
