import { renameSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "@sallyport/shared/clock";
import { ConfigFolder } from "./test-support.ts";
import { DEBOUNCE_MS, FileWatcher, POLL_MS } from "./watch.ts";

let folder: ConfigFolder;
let changes: number;
const events = new Map<string, () => void>();
beforeEach(() => {
  folder = new ConfigFolder();
  changes = 0;
  events.clear();
});
afterEach(() => folder[Symbol.dispose]());

function watcher(): FileWatcher {
  return new FileWatcher({
    clock: folder.clock,
    onChange: () => (changes += 1),
    watchFolder: (path, onEvent) => {
      events.set(path, onEvent);
      return { close: () => events.delete(path) };
    },
  });
}

test("a burst of events is one change, told when the burst is over", async () => {
  const file = folder.write("relay.yaml", "a");
  const watch = watcher();
  await watch.follow([file]);
  folder.write("relay.yaml", "bb");
  for (let i = 0; i < 50; i++) events.get(folder.path)?.();
  folder.clock.advance(DEBOUNCE_MS - 1);
  await watch.settled();
  expect(changes).toBe(0);
  folder.clock.advance(1);
  await watch.settled();
  expect(changes).toBe(1);
  watch.close();
});

test("other files of the folder are no change, a replaced file is one", async () => {
  const file = folder.write("relay.yaml", "a");
  const watch = watcher();
  await watch.follow([file]);
  folder.write("other", "x");
  events.get(folder.path)?.();
  folder.clock.advance(DEBOUNCE_MS);
  await watch.settled();
  expect(changes).toBe(0);
  renameSync(folder.write("new", "a"), file);
  events.get(folder.path)?.();
  folder.clock.advance(DEBOUNCE_MS);
  await watch.settled();
  expect(changes).toBe(1);
  watch.close();
});

test("a change without an event is found by the slow look", async () => {
  const file = folder.write("relay.yaml", "a");
  const watch = watcher();
  await watch.follow([file]);
  folder.write("relay.yaml", "changed");
  folder.clock.advance(POLL_MS);
  await watch.settled();
  expect(changes).toBe(1);
  watch.close();
});

test("a change between two calls of follow is not lost", async () => {
  const file = folder.write("relay.yaml", "a");
  const watch = watcher();
  await watch.follow([file]);
  folder.write("relay.yaml", "changed");
  await watch.follow([file, folder.write("tls.crt", "x")]);
  folder.clock.advance(POLL_MS);
  await watch.settled();
  expect(changes).toBe(1);
  watch.close();
});

test("folders that no longer matter are let go, and close leaves no timer behind", async () => {
  using other = new ConfigFolder();
  const watch = watcher();
  await watch.follow([folder.write("a", ""), other.write("b", "")]);
  expect([...events.keys()].sort()).toEqual([folder.path, other.path].sort());
  await watch.follow([`${folder.path}/a`]);
  expect([...events.keys()]).toEqual([folder.path]);
  watch.close();
  expect(events.size).toBe(0);
  expect(folder.clock.pendingTimers).toBe(0);
});

test("the system's own events arrive", async () => {
  const file = folder.write("relay.yaml", "a");
  const changed = Promise.withResolvers<void>();
  const watch = new FileWatcher({ clock: systemClock, onChange: changed.resolve });
  await watch.follow([file]);
  folder.write("relay.yaml", "changed");
  await changed.promise;
  watch.close();
});
