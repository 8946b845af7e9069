// R-J2: the wait doubles, per key, and ends.

import { ManualClock } from "@sallyport/shared/clock";
import { expect, it } from "vitest";
import { Backoff } from "./backoff.ts";

const OPTIONS = { forgetMs: 900_000, maxKeys: 2 };

it("R-J2: each wrong try doubles the wait of its key, and of no other", () => {
  const clock = new ManualClock();
  const backoff = new Backoff({ ...OPTIONS, clock });
  const waits: number[] = [];
  for (let tries = 0; tries < 6; tries++) {
    expect(backoff.waitMs("a")).toBe(0);
    backoff.failed("a");
    waits.push(backoff.waitMs("a"));
    clock.advance(backoff.waitMs("a") - 1);
    expect(backoff.waitMs("a")).toBe(1);
    clock.advance(1);
  }
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
  expect(backoff.waitMs("b")).toBe(0);
});

it("it is over after a success, and a while after the last failure", () => {
  const clock = new ManualClock();
  const backoff = new Backoff({ ...OPTIONS, clock });
  for (let tries = 0; tries < 12; tries++) backoff.failed("a");
  expect(backoff.waitMs("a")).toBe(2_048_000);
  clock.advance(899_999);
  expect(backoff.waitMs("a")).toBeGreaterThan(0);
  clock.advance(1);
  expect(backoff.waitMs("a")).toBe(0);
  backoff.failed("a");
  expect(backoff.waitMs("a")).toBe(1_000);
  backoff.succeeded("a");
  expect(backoff.waitMs("a")).toBe(0);
});

it("remembers a bounded number of keys; who failed longest ago goes first", () => {
  const backoff = new Backoff({ ...OPTIONS, clock: new ManualClock() });
  for (const key of ["a", "b", "a", "c"]) backoff.failed(key);
  expect(["a", "b", "c"].map((key) => backoff.waitMs(key))).toEqual([2_000, 0, 1_000]);
});
