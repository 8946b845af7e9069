// git over smart HTTP: a repository of more than 50 MB is cloned, and more than 50 MB are pushed back, with
// git-http-backend as the origin and git itself as the visitor.

import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { serveCgi } from "../harness/cgi.ts";
import { need } from "../harness/need.ts";
import { startOrigin } from "../harness/origin.ts";
import { mustRun } from "../harness/program.ts";
import { scratchFolder } from "../harness/scratch.ts";

const FILES = 8;
const FILE_BYTES = 7_000_000;

/** git that reads nobody's settings and finds *.localhost on loopback whatever its libcurl thinks of it. */
function git(home: string, relayPort?: number) {
  const env = {
    HOME: home,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_DATE: "@0 +0000",
    GIT_COMMITTER_DATE: "@0 +0000",
  };
  const settings = ["user.name=Test", "user.email=test@example.com", "init.defaultBranch=main", "gc.auto=0", "core.compression=0"];
  if (relayPort !== undefined) settings.push(`http.curloptResolve=repo.relay.localhost:${relayPort}:127.0.0.1`);
  const flags = settings.flatMap((setting) => ["-c", setting]);
  return (cwd: string, ...args: readonly string[]): Promise<string> =>
    mustRun("git", [...flags, ...args], { cwd, env, timeoutMs: 120_000 });
}

function addFiles(folder: string, prefix: string): void {
  for (let index = 0; index < FILES; index += 1) writeFileSync(join(folder, `${prefix}-${index}.bin`), randomBytes(FILE_BYTES));
}

test("a repository of more than 50 MB is cloned and pushed to", async (context) => {
  const [, backend = ""] = need(context, "git", "git-http-backend");
  await using stack = new AsyncDisposableStack();
  const folder = scratchFolder(stack);
  const seed = join(folder, "seed");
  mkdirSync(seed);
  const local = git(folder);
  await local(seed, "init", "-q");
  addFiles(seed, "seed");
  await local(seed, "add", ".");
  await local(seed, "commit", "-q", "-m", "seed");
  await local(folder, "clone", "-q", "--bare", seed, join(folder, "repo.git"));
  await local(join(folder, "repo.git"), "config", "http.receivepack", "true");

  const env = { GIT_PROJECT_ROOT: folder, GIT_HTTP_EXPORT_ALL: "1", HOME: folder };
  const origin = await startOrigin(stack, (request, response) => serveCgi({ program: backend, env }, request, response));
  const { relay } = await createBed(stack, { services: { repo: origin.url } });
  const remote = git(folder, relay.port);

  const copy = join(folder, "copy");
  await remote(folder, "clone", "-q", `http://${relay.host("repo")}/repo.git`, copy);
  await local(copy, "fsck", "--full");
  expect(await local(copy, "rev-parse", "HEAD")).toBe(await local(seed, "rev-parse", "HEAD"));
  const size = /size-pack: (\d+)/.exec(await local(copy, "count-objects", "-v"))?.[1];
  expect(Number(size) * 1024).toBeGreaterThan(50_000_000);

  addFiles(copy, "more");
  await local(copy, "add", ".");
  await local(copy, "commit", "-q", "-m", "more");
  await remote(copy, "push", "-q", "origin", "main");
  await local(join(folder, "repo.git"), "fsck", "--full");
  expect(await local(join(folder, "repo.git"), "rev-parse", "main")).toBe(await local(copy, "rev-parse", "HEAD"));

  // A small fetch after the big push: negotiation over several requests.
  await local(seed, "remote", "add", "relay", `http://${relay.host("repo")}/repo.git`);
  await remote(seed, "fetch", "-q", "relay");
  expect(await local(seed, "rev-parse", "relay/main")).toBe(await local(copy, "rev-parse", "HEAD"));
});
