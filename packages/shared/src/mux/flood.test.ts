import { expect, it } from "vitest";
import { ManualClock } from "../clock.ts";
import { FLOOD_PERIOD_MS, FloodGuard, MAX_CONTROLS_PER_PERIOD, MAX_IDLE_CREDITS_PER_PERIOD } from "./flood.ts";

it("has the numbers of the specification", () => {
  expect([FLOOD_PERIOD_MS, MAX_CONTROLS_PER_PERIOD, MAX_IDLE_CREDITS_PER_PERIOD]).toEqual([10_000, 200, 10_000]);
});

it("lets so many through in a period, and no more", () => {
  const guard = new FloodGuard(new ManualClock(), 3);
  expect([1, 2, 3, 4, 5].map(() => guard.hit())).toEqual([false, false, false, true, true]);
});

it("never counts what is spread over time", () => {
  const clock = new ManualClock();
  const guard = new FloodGuard(clock, 200);
  for (let i = 0; i < 10_000; i++) {
    clock.advance(51);
    expect(guard.hit()).toBe(false);
  }
});
