import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadConfig, type LoadResult } from "./load.ts";
import { ConfigReloader, type ReloadOutcome } from "./reload.ts";
import { ConfigFolder, minimal } from "./test-support.ts";
import type { RelayConfig } from "./types.ts";

let folder: ConfigFolder;
let applied: RelayConfig[];
let outcomes: ReloadOutcome[];
let loads: number;
beforeEach(() => {
  folder = new ConfigFolder();
  applied = [];
  outcomes = [];
  loads = 0;
});
afterEach(() => folder[Symbol.dispose]());

async function reloader(apply: (next: RelayConfig) => void = (next) => void applied.push(next)): Promise<ConfigReloader> {
  const first = await folder.load(minimal());
  if (!first.ok) throw new Error("the first configuration is bad");
  const load = async (): Promise<LoadResult> => {
    loads += 1;
    return await loadConfig({ file: `${folder.path}/relay.yaml`, env: {}, clock: folder.clock });
  };
  return new ConfigReloader({ initial: first.config, load, apply, onOutcome: (outcome) => outcomes.push(outcome) });
}

test("a good file goes live in one call, with its diff", async () => {
  const reload = await reloader();
  folder.write("relay.yaml", minimal().replace("action: bypass", "action: deny"));
  const outcome = await reload.request();
  expect(outcome).toMatchObject({ kind: "applied", diff: { changes: [{ kind: "changed", section: "policies", name: "public" }] } });
  expect(applied).toEqual([reload.current]);
  expect(outcomes).toEqual([outcome]);
});

describe("the old configuration stays live (R-N1)", () => {
  test.each([
    ["for a file with a mistake", (): void => void folder.write("relay.yaml", minimal("typo: 1\n")), "refused"],
    ["for a file that is gone", (): void => rmSync(`${folder.path}/relay.yaml`), "refused"],
    ["for a change that takes a restart", (): void => void folder.write("relay.yaml", minimal().replaceAll("8080", "8081")), "refused"],
    ["for the same file again", (): void => undefined, "unchanged"],
  ])("%s", async (_title, change, kind) => {
    const reload = await reloader();
    const before = reload.current;
    change();
    expect((await reload.request()).kind).toBe(kind);
    expect(reload.current).toBe(before);
    expect(applied).toEqual([]);
  });

  test("when the swap fails", async () => {
    const reload = await reloader(() => {
      throw new Error("no");
    });
    const before = reload.current;
    folder.write("relay.yaml", minimal().replace("action: bypass", "action: deny"));
    expect((await reload.request()).kind).toBe("failed");
    expect(reload.current).toBe(before);
  });
});

test("a mended file goes live after a bad one", async () => {
  const reload = await reloader();
  folder.write("relay.yaml", "{");
  await reload.request();
  folder.write("relay.yaml", minimal("trustedProxies: [ 10.0.0.0/8 ]\n"));
  expect((await reload.request()).kind).toBe("applied");
  expect(reload.current.trustedProxies).toEqual(["10.0.0.0/8"]);
});

test("a hundred requests are at most two reloads, and the last one sees the file as it is then", async () => {
  const reload = await reloader();
  const first = reload.request();
  folder.write("relay.yaml", minimal("trustedProxies: [ 10.0.0.0/8 ]\n"));
  await Promise.all(Array.from({ length: 100 }, () => reload.request()));
  await first;
  expect(loads).toBeLessThanOrEqual(2);
  expect(reload.current.trustedProxies).toEqual(["10.0.0.0/8"]);
});

test("nothing is applied after close", async () => {
  const reload = await reloader();
  folder.write("relay.yaml", minimal("trustedProxies: [ 10.0.0.0/8 ]\n"));
  const running = reload.request();
  await reload.close();
  expect((await running).kind).toBe("failed");
  expect((await reload.request()).kind).toBe("failed");
  expect(applied).toEqual([]);
});
