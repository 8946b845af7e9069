// `npm start` ends as a whole: a signal to npm, which is all that a supervisor or a container knows, leaves no process
// behind. npm, bootstrap.mjs and the demo are the real ones; only installing and building are left out.

import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { need } from "../harness/need.ts";
import { Program } from "../harness/program.ts";
import { eventually, freePort, scratchFolder, within } from "../harness/scratch.ts";
import { read, root } from "../house/tree.ts";

/** A checkout with the start script of this one and programs that do nothing where it would install and build. */
function checkout(stack: AsyncDisposableStack): string {
  const folder = scratchFolder(stack, "sallyport-checkout");
  const bin = join(folder, "node_modules", ".bin");
  mkdirSync(bin, { recursive: true });
  mkdirSync(join(folder, "scripts"));
  const { scripts, config } = JSON.parse(read("package.json")) as Record<string, unknown>;
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "checkout", version: "0.0.0", type: "module", scripts, config }));
  copyFileSync(join(root, "scripts", "bootstrap.mjs"), join(folder, "scripts", "bootstrap.mjs"));
  writeFileSync(join(folder, "scripts", "demo.ts"), `await import(${JSON.stringify(join(root, "scripts", "demo.ts"))});\n`);
  for (const name of ["npx", "tsc"]) {
    writeFileSync(join(bin, name), "#!/bin/sh\nexit 0\n");
    chmodSync(join(bin, name), 0o755);
  }
  // npm asks nobody whether there is a newer one of it.
  writeFileSync(join(folder, ".npmrc"), `update-notifier=false\ncache=${join(folder, "cache")}\n`);
  symlinkSync(process.execPath, join(bin, "node"));
  return folder;
}

/** Ids of all processes of this machine that hold `text` in their command line. */
function processesWith(text: string): readonly string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "utf8").includes(text);
    } catch {
      return false;
    }
  });
}

const WAYS: readonly (readonly [string, (program: Program) => void])[] = [
  ["SIGTERM to npm alone, as a supervisor sends it,", (program) => program.signal("SIGTERM")],
  ["Ctrl-C", (program) => program.kill("SIGINT")],
  ["closing the terminal", (program) => program.kill("SIGHUP")],
];

test.for(WAYS)("%s ends relay, connector and services", { timeout: 120_000 }, async ([, end], context) => {
  const [npm = ""] = need(context, "npm");
  await using stack = new AsyncDisposableStack();
  const folder = checkout(stack);
  const port = String(await freePort());
  const program = stack.use(new Program({ name: "npm start", command: npm, args: ["start", "--", "--port", port], cwd: folder }));
  const line = await program.line(/^Configuration: /, 60_000);
  await program.line(/^Ctrl-C stops everything/);
  const relay = line.slice("Configuration: ".length).trim();
  expect(processesWith(relay)).toHaveLength(1);

  end(program);
  const { code, signal } = await within(30_000, "npm to end", program.exited);
  // npm itself knows nothing of a terminal that goes away.
  expect(signal === "SIGHUP" ? 0 : code, program.output).toBe(0);
  expect(program.output).not.toContain("ended by itself");
  await eventually(() => processesWith(relay).length === 0 && processesWith(folder).length === 0, {
    what: "every process to be gone",
    context: () => processesWith(relay).join(" "),
  });
});
