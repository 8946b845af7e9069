import { Secret } from "@sallyport/shared/secret";
import { afterEach, beforeEach, expect, test } from "vitest";
import { diffConfigs, MAX_CHANGES, restartSections } from "./diff.ts";
import { ConfigFolder, minimal } from "./test-support.ts";
import type { ApplicationConfig, RelayConfig } from "./types.ts";

let folder: ConfigFolder;
beforeEach(() => {
  folder = new ConfigFolder();
});
afterEach(() => folder[Symbol.dispose]());

async function config(yaml = minimal()): Promise<RelayConfig> {
  const result = await folder.load(yaml);
  if (!result.ok) throw new Error(result.problems[0]?.message);
  return result.config;
}

test("a comment changes the hash and nothing else", async () => {
  const diff = diffConfigs(await config(), await config(minimal("# a comment\n")));
  expect(diff.changes).toEqual([]);
  expect(diff.hashAfter).not.toBe(diff.hashBefore);
});

test("what was added, removed and changed is named", async () => {
  const after = minimal("trustedProxies: [ 10.0.0.0/8 ]\n")
    .replace("name: grafana", "name: graphs")
    .replace("action: bypass", "action: deny");
  const { changes } = diffConfigs(await config(), await config(after));
  expect(changes.map(({ kind, section, name }) => `${kind} ${section} ${name ?? ""}`)).toEqual([
    "added applications graphs",
    "removed applications grafana",
    "changed policies public",
    "changed trustedProxies ",
  ]);
});

test("a rotated secret shows as a change of its provider, and the diff holds neither value nor hash of it", async () => {
  const before = await config();
  const withSecret = (secret: string): RelayConfig => ({
    ...before,
    identityProviders: [
      {
        type: "github",
        name: "gh",
        label: "GitHub",
        url: "https://github.com",
        clientId: "id",
        clientSecret: new Secret(secret),
        allowPrivateNetwork: false,
      },
    ],
  });
  const diff = diffConfigs(withSecret("s3cr3t-old"), withSecret("s3cr3t-new"));
  expect(diff.changes).toEqual([{ kind: "changed", section: "identityProviders", name: "gh" }]);
  expect(JSON.stringify(diff)).not.toContain("s3cr3t");
});

test("a diff of thousands is counted, and listed up to a bound", async () => {
  const before = await config();
  const application = before.applications[0] as ApplicationConfig;
  const applications = Array.from({ length: 5000 }, (_, index) => ({
    ...application,
    name: `app${index}`,
    hostname: `a${index}.relay.localhost`,
  }));
  const diff = diffConfigs(before, { ...before, applications });
  expect(diff.changes).toHaveLength(MAX_CHANGES);
  expect(diff.totalChanges).toBe(5001);
});

test("sockets and stores need a restart; policies, applications and certificates do not", async () => {
  const before = await config();
  expect(
    restartSections(before, await config(minimal("trustedProxies: [ 10.0.0.0/8 ]\n").replace("action: bypass", "action: deny"))),
  ).toEqual([]);
  expect(restartSections(before, await config(minimal().replace("127.0.0.1:8080", "127.0.0.1:8081")))).toEqual(["listen"]);
  expect(restartSections(before, await config(minimal('admin: { address: "127.0.0.1:9191" }\n').replace("./data", "./other")))).toEqual([
    "admin",
    "state",
    "records",
  ]);
});
