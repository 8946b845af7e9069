// docs/getting-started.md, followed: its file is saved, its commands run in order through bin/, on free ports instead of
// its fixed ones. The installation is the build that every end-to-end test starts with.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, Program, type CommandResult } from "../harness/program.ts";
import { Relay } from "../harness/relay.ts";
import { freePort, scratchFolder } from "../harness/scratch.ts";
import { Visitor } from "../harness/sign-in.ts";
import { read, root } from "../house/tree.ts";

const MOST_COMMANDS = 9;
const document = read("docs/getting-started.md");

test("the newcomer's path works as it is written", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = scratchFolder(stack);
  const relay = new Relay(folder, await freePort(), await freePort(), { applications: [] });
  const here = (text: string): string => text.replaceAll("8080", `${relay.port}`).replaceAll("9090", `${relay.adminPort}`);
  const env = { PATH: `${join(root, "bin")}:${process.env["PATH"] ?? ""}` };
  const sh = (line: string): Promise<CommandResult> => command("sh", ["-c", line], { cwd: folder, env });

  const blocks = [...document.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = ""]) => here(block).trim().split("\n"));
  const [, [check = "", create = "", serve = ""] = [], [publish = ""] = [], [audit = "", explain = ""] = []] = blocks;
  expect(blocks.flat().length).toBeLessThanOrEqual(MOST_COMMANDS);
  expect(serve).toBe("sallyport-relay serve");
  writeFileSync(relay.configFile, here(/^```yaml\n([\s\S]*?)^```/m.exec(document)?.[1] ?? ""));

  expect(await sh(check)).toMatchObject({ code: 0, stdout: expect.stringContaining("3 policy tests passed") as string });
  expect(await sh(create)).toMatchObject({ code: 0 });
  await relay.start();
  stack.defer(async () => void (await relay.stop()));
  const connector = stack.use(new Program({ name: "connector", command: "sh", args: ["-c", `exec ${publish}`], cwd: folder, env }));
  await connector.line(/notes\.relay\.localhost/);

  const ann = new Visitor(relay);
  await ann.signIn("notes", "/", "ann@example.com");
  expect(ann.page.status).toBe(200);
  expect((await sh(audit)).stdout).toContain("login.succeeded");
  expect((await sh(explain)).stdout).toContain("deny: application notes");
});
