// The way from a fresh clone to the real command: `npm start` and `npm test` land here on whatever Node the
// machine has (20 or newer). Installs with the pinned pnpm, builds, then hands over to the pinned Node of the
// workspace, which runs the TypeScript in scripts/ directly. Plain JavaScript without dependencies, because
// nothing is installed yet when it starts. Must not know what Sallyport does.
//
// package.json starts it with `exec`: npm passes signals on to the shell it started, and a shell that waits for a child
// would end without passing them on.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE_MAJOR = 20;
const JOBS = { start: "scripts/demo.ts", test: "scripts/test.ts" };

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bin = join(root, "node_modules", ".bin");

/** Runs a command; quiet ones print their output only when they fail. Resolves with the exit code. */
function run(command, args, { quiet = false } = {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: bin + delimiter + process.env["PATH"] };
    const child = spawn(command, args, { cwd: root, env, stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit" });
    let output = "";
    child.stdout?.on("data", (chunk) => (output += chunk));
    child.stderr?.on("data", (chunk) => (output += chunk));
    // Ctrl-C reaches the child by itself; this process only has to outlive it and to pass on a plain kill, or the end of the
    // terminal.
    const ignore = () => {};
    const forward = () => child.kill("SIGTERM");
    process.on("SIGINT", ignore);
    process.on("SIGTERM", forward);
    process.on("SIGHUP", forward);
    const finish = (code) => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", forward);
      process.off("SIGHUP", forward);
      if (quiet && code !== 0) process.stderr.write(output);
      resolve(code);
    };
    child.on("error", (error) => {
      process.stderr.write(`cannot run ${command}: ${error.message}\n`);
      finish(127);
    });
    child.on("close", (code, signal) => finish(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}

/** Runs one preparation step and ends the process when it fails, naming the step. */
async function step(name, command, args) {
  const startedAt = Date.now();
  process.stderr.write(`${name} ... `);
  const code = await run(command, args, { quiet: true });
  process.stderr.write(code === 0 ? `${((Date.now() - startedAt) / 1000).toFixed(1)} s\n` : "failed\n");
  if (code !== 0) {
    process.stderr.write(`${name} failed: ${command} ${args.join(" ")} ended with ${code}\n`);
    process.exit(code);
  }
}

const [job, ...rest] = process.argv.slice(2);
if (!Object.hasOwn(JOBS, job ?? "")) {
  process.stderr.write(`usage: node scripts/bootstrap.mjs <${Object.keys(JOBS).join("|")}> [arguments]\n`);
  process.exit(2);
}
if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE_MAJOR) {
  process.stderr.write(`Node ${process.versions.node} is too old: this needs Node ${OLDEST_NODE_MAJOR} or newer to fetch its own Node.\n`);
  process.exit(1);
}

// Not the packageManager field: pnpm 12 wants to record that one in the lock file, which not every registry lets it do.
const { config } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
await step("installing dependencies", "npx", ["--yes", `pnpm@${config.pnpm}`, "install", "--frozen-lockfile"]);
await step("building", "tsc", ["-b", "packages/relay", "packages/connector"]);
process.exit(await run(join(bin, "node"), [JOBS[job], ...rest]));
