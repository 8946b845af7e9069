// The example configurations are accepted by the commands that read them, their own policy tests included.

import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runSallyport } from "../harness/connector.ts";
import { command } from "../harness/program.ts";
import { scratchFolder } from "../harness/scratch.ts";
import { createAuthority } from "../harness/tls.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const RELAY = join(ROOT, "packages", "relay", "dist", "main.js");

test("examples/relay.yaml is fit to go live", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = scratchFolder(stack);
  const authority = await createAuthority(folder);
  const { certificateFile, privateKeyFile } = await authority.issue("relay", ["*.example.com"], 90);
  copyFileSync(certificateFile, join(folder, "tls.crt"));
  copyFileSync(privateKeyFile, join(folder, "tls.key"));
  copyFileSync(join(ROOT, "examples", "relay.yaml"), join(folder, "relay.yaml"));
  const { code, stdout, stderr } = await command(process.execPath, [RELAY, "check", "--json", "--config", join(folder, "relay.yaml")]);
  expect(code, stdout + stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, problems: [] });
});

test("examples/connector.yaml has nothing wrong in it but the places that are not there", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = scratchFolder(stack);
  const file = join(folder, "connector.yaml");
  copyFileSync(join(ROOT, "examples", "connector.yaml"), file);
  const { stdout, stderr } = await runSallyport(["run", "--config", file], { cwd: folder });
  expect(stdout + stderr).toContain("office.credential");
  expect(stdout + stderr).not.toMatch(/ERR_CONFIG_(?:UNKNOWN_KEY|VALUE|TYPE|SYNTAX)/);
  expect(readFileSync(file, "utf8")).toContain("services:");
});
