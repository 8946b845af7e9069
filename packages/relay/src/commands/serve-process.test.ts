import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Problem } from "@sallyport/shared/config/problem";
import { loadConfig } from "../config/load.ts";
import { ConfigFolder, minimal } from "../config/test-support.ts";
import type { RelayConfig } from "../config/types.ts";
import { createLogger } from "./logger.ts";
import { CLOSE_MARGIN_MS, serve, type ServedRelay, type ServeSignal } from "./serve-process.ts";

const GRACE_MS = 30_000;

/** A relay that does nothing, and says what was asked of it. */
class FakeRelay implements ServedRelay {
  readonly calls: string[] = [];
  started: Promise<void> = Promise.resolve();
  closed: Promise<void> = Promise.resolve();
  start = (): Promise<void> => {
    this.calls.push("start");
    return this.started;
  };
  applyConfig = (next: RelayConfig): void => void this.calls.push(`apply ${next.trustedProxies.join()}`);
  close = (reason: string, graceMs: number): Promise<void> => {
    this.calls.push(`close ${reason} ${graceMs}`);
    return this.closed;
  };
  addresses = (): unknown => [];
}

let folder: ConfigFolder;
let relay: FakeRelay;
let log: Record<string, unknown>[];
let shown: readonly Problem[];
let send: (signal: ServeSignal) => void;
let released: boolean;
let waiting: { readonly message: string; readonly resolve: () => void }[];

beforeEach(() => {
  folder = new ConfigFolder();
  folder.write("relay.yaml", minimal());
  relay = new FakeRelay();
  log = [];
  shown = [];
  released = false;
  waiting = [];
});
afterEach(() => folder[Symbol.dispose]());

function start(): Promise<number> {
  const write = (line: string): void => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    log.push(entry);
    for (const { message, resolve } of waiting) if (entry["msg"] === message) resolve();
  };
  return serve({
    graceMs: GRACE_MS,
    clock: folder.clock,
    logger: createLogger({ level: "debug", format: "json", write }),
    createRelay: () => relay,
    load: () => loadConfig({ file: `${folder.path}/relay.yaml`, env: {}, clock: folder.clock }),
    showProblems: (problems) => void (shown = problems),
    onSignal: (handler) => {
      send = handler;
      return () => void (released = true);
    },
    watchFolder: () => ({ close: () => undefined }),
  });
}

/** Resolves with the next log line of this message. */
function logged(message: string): Promise<void> {
  return new Promise((resolve) => waiting.push({ message, resolve }));
}

const messages = (): readonly unknown[] => log.map((entry) => entry["msg"]);

test("serves until SIGTERM, drains with the grace period and ends with 0", async () => {
  const settled = logged("configuration unchanged");
  const ended = start();
  await settled;
  send("SIGTERM");
  expect(await ended).toBe(0);
  expect(relay.calls).toEqual(["start", `close SIGTERM ${GRACE_MS}`]);
  expect(released).toBe(true);
  expect(folder.clock.pendingTimers).toBe(0);
});

test("a bad configuration is shown and nothing starts", async () => {
  folder.write("relay.yaml", "{");
  expect(await start()).toBe(1);
  expect(shown.map(({ code }) => code)).toContain("ERR_CONFIG_SYNTAX");
  expect(log.map((entry) => entry["code"])).toContain("ERR_CONFIG_SYNTAX");
  expect(relay.calls).toEqual([]);
  expect(released).toBe(true);
});

test("a relay that cannot start is closed, and the reason is logged with its code", async () => {
  relay.start = () => {
    relay.calls.push("start");
    return Promise.reject(Object.assign(new Error("taken"), { code: "EADDRINUSE" }));
  };
  expect(await start()).toBe(1);
  expect(relay.calls).toEqual(["start", "close start failed 0"]);
  // The words, where a program and a person look for them; no stack.
  expect(log.at(-1)).toEqual({
    level: "fatal",
    time: expect.any(String),
    code: "EADDRINUSE",
    reason: "taken",
    msg: "the relay cannot start",
  });
});

describe("SIGHUP", () => {
  test("takes up a good file and logs what changed", async () => {
    const settled = logged("configuration unchanged");
    const ended = start();
    await settled;
    folder.write("relay.yaml", minimal("trustedProxies: [ 10.0.0.0/8 ]\n"));
    const reloaded = logged("configuration reloaded");
    send("SIGHUP");
    await reloaded;
    expect(relay.calls).toEqual(["start", "apply 10.0.0.0/8"]);
    expect(log.find((entry) => entry["msg"] === "configuration reloaded")).toMatchObject({
      changes: [{ kind: "changed", section: "trustedProxies" }],
    });
    send("SIGINT");
    expect(await ended).toBe(0);
  });

  test("keeps the old one when the file is bad, and logs each problem with place and remedy", async () => {
    const settled = logged("configuration unchanged");
    const ended = start();
    await settled;
    folder.write("relay.yaml", minimal("typo: 1\n"));
    const refused = logged("configuration problem");
    send("SIGHUP");
    await refused;
    expect(relay.calls).toEqual(["start"]);
    expect(log.at(-1)).toMatchObject({
      level: "error",
      code: "ERR_CONFIG_UNKNOWN_KEY",
      line: 11,
      path: "typo",
      remedy: expect.any(String) as string,
    });
    send("SIGTERM");
    expect(await ended).toBe(0);
  });
});

test("a second signal ends a drain at once", async () => {
  relay.closed = new Promise(() => undefined);
  const settled = logged("configuration unchanged");
  const ended = start();
  await settled;
  const draining = logged("the relay drains");
  send("SIGTERM");
  await draining;
  send("SIGTERM");
  expect(await ended).toBe(1);
});

test("a relay that does not come to its end is left behind after the grace period", async () => {
  const closing = Promise.withResolvers<void>();
  relay.close = () => {
    closing.resolve();
    return new Promise(() => undefined);
  };
  const settled = logged("configuration unchanged");
  const ended = start();
  await settled;
  send("SIGTERM");
  await closing.promise;
  folder.clock.advance(GRACE_MS + CLOSE_MARGIN_MS);
  expect(await ended).toBe(1);
  expect(messages()).toContain("the relay ends without having drained");
});

test("a signal that comes while the relay starts ends it when it has started", async () => {
  const starting = Promise.withResolvers<void>();
  relay.started = starting.promise;
  const ended = start();
  send("SIGTERM");
  starting.resolve();
  expect(await ended).toBe(0);
  expect(relay.calls).toEqual(["start", `close SIGTERM ${GRACE_MS}`]);
});
