import { ManualClock } from "@sallyport/shared/clock";
import { expect, test } from "vitest";
import { FileWatch, WATCH_INTERVAL_MS } from "./watch.ts";

function watched() {
  const clock = new ManualClock();
  const files = new Map([
    ["a", "1"],
    ["b", "1"],
  ]);
  const seen = { changes: 0 };
  const watch = new FileWatch(
    clock,
    () => void (seen.changes += 1),
    (path) => files.get(path),
  );
  watch.watch(["a", "b"]);
  return { clock, files, seen, watch };
}

test("one change is told once, by any of the files", () => {
  const { clock, files, seen } = watched();
  clock.advance(5 * WATCH_INTERVAL_MS);
  expect(seen.changes).toBe(0);
  files.set("b", "2");
  clock.advance(5 * WATCH_INTERVAL_MS);
  expect(seen.changes).toBe(1);
});

test("a file that goes away and comes back is a change each time", () => {
  const { clock, files, seen } = watched();
  files.delete("a");
  clock.advance(WATCH_INTERVAL_MS);
  files.set("a", "1");
  clock.advance(WATCH_INTERVAL_MS);
  expect(seen.changes).toBe(2);
});

test("watching other files starts from what they are now", () => {
  const { clock, files, seen, watch } = watched();
  files.set("a", "2");
  watch.watch(["b", "c"]);
  clock.advance(WATCH_INTERVAL_MS);
  expect(seen.changes).toBe(0);
  files.set("c", "1");
  clock.advance(WATCH_INTERVAL_MS);
  expect(seen.changes).toBe(1);
});

test("closing leaves no timer", () => {
  const { clock, watch } = watched();
  watch.close();
  expect(clock.pendingTimers).toBe(0);
});
