// docs/programs.md, followed: every command of it, letter by letter, in one shell after the other, with curl, git and ssh as
// the system has them. The names of example.com lead to a relay on this machine, by the proxy that the environment names;
// what differs is said in `here`.

import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { serveCgi } from "../../harness/cgi.ts";
import { type Company, signInIfAsked, startCompany } from "../../harness/company-bed.ts";
import { findProgram, need } from "../../harness/need.ts";
import { startOrigin } from "../../harness/origin.ts";
import { command, type CommandResult, mustRun, Program } from "../../harness/program.ts";
import { eventually, freePort, scratchFolder, within } from "../../harness/scratch.ts";
import { type Sshd, startSshd } from "../../harness/sshd.ts";
import { read, root } from "../../house/tree.ts";

const NEEDS = ["chromium", "certutil", "curl", "git", "git-http-backend", "ssh", "sshd", "ssh-keygen"] as const;
/** Blocks of commands, in the order of the document. */
const BLOCKS = [...read("docs/programs.md").matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = ""]) => block);

const stack = new AsyncDisposableStack();
let company: Company;
let sshd: Sshd;
let home: string;
let page: Page;
let env: Readonly<Record<string, string>>;
let localPort: number;

beforeEach(({ skip }) => void need({ skip }, ...NEEDS));
beforeAll(async () => {
  const programs = NEEDS.map(findProgram);
  if (programs.includes(undefined)) return;
  const [chromium = "", , , git = "", backend = "", ssh = "", server = "", keygen = ""] = programs as readonly string[];
  home = scratchFolder(stack, "sallyport-home");
  sshd = await startSshd(stack, [server, keygen]);
  const repositories = await seedRepository(git);
  const cgi = { program: backend, env: { GIT_PROJECT_ROOT: repositories, GIT_HTTP_EXPORT_ALL: "1", HOME: home } };
  company = await startCompany(stack, {
    site: "example.com",
    publicPort: 443,
    chromium,
    applications: ["grafana", "git", "ssh", "db"].map((name) => ({ name, policies: ["staff", "programs"] })),
    services: {
      grafana: (await startOrigin(stack, (_request, response) => void response.end("healthy\n"))).url,
      git: (await startOrigin(stack, (request, response) => serveCgi(cgi, request, response))).url,
      ssh: `tcp://127.0.0.1:${sshd.port}`,
      db: `tcp://127.0.0.1:${await startDatabase()}`,
    },
  });
  page = await (await company.openBrowser(stack)).newPage();
  localPort = await freePort();
  env = environment(ssh);
});
afterAll(() => stack.disposeAsync());

/** `team/project.git` with one commit. */
async function seedRepository(git: string): Promise<string> {
  const folder = scratchFolder(stack);
  const seed = join(folder, "seed");
  const own = { HOME: folder, GIT_CONFIG_NOSYSTEM: "1" };
  const settings = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"];
  mkdirSync(join(folder, "team"));
  await mustRun(git, [...settings, "init", "-q", seed], { env: own });
  writeFileSync(join(seed, "README"), "a project\n");
  await mustRun(git, [...settings, "add", "."], { cwd: seed, env: own });
  await mustRun(git, [...settings, "commit", "-q", "-m", "seed"], { cwd: seed, env: own });
  await mustRun(git, ["clone", "-q", "--bare", seed, join(folder, "team", "project.git")], { env: own });
  return folder;
}

/** Greets, as databases do. */
async function startDatabase(): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("this is the database\n");
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A person's machine: what an administrator sets, and a browser that the test looks through. */
function environment(ssh: string): Readonly<Record<string, string>> {
  const bin = join(home, "bin");
  for (const folder of [bin, join(home, ".ssh")]) mkdirSync(folder, { mode: 0o700 });
  const script = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  script("open-page", `printf '%s' "$1" > "$HOME/page.new" && mv "$HOME/page.new" "$HOME/page"`);
  // ssh asks the user database for the home folder, and this user has another one there; its key would be asked for.
  writeFileSync(join(home, ".ssh", "known_hosts"), `ssh.example.com ${sshd.hostKey}\n`);
  script("ssh", `exec ${ssh} -F "$HOME/.ssh/config" -i ${sshd.identityFile} -o UserKnownHostsFile="$HOME/.ssh/known_hosts" "$@"`);
  return {
    HOME: home,
    PATH: `${bin}:${join(root, "bin")}:${process.env["PATH"] ?? ""}`,
    BROWSER: "open-page",
    HTTPS_PROXY: company.proxy.url,
    NODE_EXTRA_CA_CERTS: company.caFile,
    CURL_CA_BUNDLE: company.caFile,
    GIT_SSL_CAINFO: company.caFile,
    GIT_CONFIG_NOSYSTEM: "1",
    SALLYPORT_CONFIG: company.relay.configFile,
  };
}

/** The user of this machine instead of ann, and a port that is free. */
function here(block: string): string {
  return block.replaceAll("ann@", `${sshd.user}@`).replaceAll(":5432", `:${localPort}`);
}

function blockWith(text: string): string {
  const found = BLOCKS.filter((block) => block.includes(text));
  expect(found, text).toHaveLength(1);
  return here(found[0] ?? "");
}

/** Runs a block to its end, with what a person would type into it. Pages that commands open are confirmed. */
async function follow(block: string, input = ""): Promise<CommandResult> {
  rmSync(join(home, "page"), { force: true });
  const running = command("sh", ["-e", "-c", `{\n${block}}<<'TYPED'\n${input}TYPED`], { cwd: home, env, timeoutMs: 200_000 });
  let over = false;
  void running.then(() => (over = true));
  if (block.includes("access login https")) {
    const address = await eventually(() => over || readFileSync(join(home, "page"), "utf8"), { what: "a page to open", timeoutMs: 60_000 });
    if (typeof address === "string") await confirm(address, "Done. You can close this page");
  }
  return await running;
}

async function confirm(address: string, done: string): Promise<void> {
  await page.goto(address);
  await signInIfAsked(page);
  await page.locator('button[value="allow"]').click();
  await page.getByText(done).waitFor();
}

test("every block of commands has a test here", () => {
  expect(BLOCKS).toHaveLength(9);
});

test("as yourself: login, curl, logout", { timeout: 240_000 }, async () => {
  const { code, stdout, stderr } = await follow(blockWith("access curl https"));
  expect([code, stdout], stderr).toEqual([
    0,
    expect.stringMatching(/^Signed in to [^]*\nhealthy\nSigned out of https:\/\/grafana\.example\.com\/\.\n$/),
  ]);
});

test("without a browser, then the token", { timeout: 240_000 }, async () => {
  const block = blockWith("--no-browser");
  const login = stack.use(new Program({ name: "login", command: "sh", args: ["-c", block], cwd: home, env }));
  await page.goto((await login.line(/^ {2}https:/, 60_000)).trim());
  await signInIfAsked(page);
  const code = /enter the code (\S+)/.exec(await login.line(/enter the code/))?.[1] ?? "";
  await page.locator('input[name="code"]').fill(code);
  await page.locator("button.main").click();
  await page.locator('button[value="allow"]').click();
  expect((await within(60_000, "login to end", login.exited)).code, login.output).toBe(0);
  const token = await follow(blockWith("access token https://grafana"));
  expect([token.code, token.stdout]).toEqual([0, expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)]);
});

test("git, through its environment", { timeout: 240_000 }, async () => {
  const { code, stderr } = await follow(blockWith("GIT_CONFIG_COUNT"));
  expect(code, stderr).toBe(0);
  expect(readFileSync(join(home, "project", "README"), "utf8")).toBe("a project\n");
});

test("as a service: a token, and curl with it", { timeout: 240_000 }, async () => {
  const created = await follow(blockWith("service-token create"));
  expect(created.code, created.stderr).toBe(0);
  const shown = created.stdout + created.stderr;
  const [id, secret] = [/st_[\w-]{22}/.exec(shown)?.[0] ?? "", /sps_[\w-]+/.exec(shown)?.[0] ?? ""];
  writeFileSync(join(home, "headers.txt"), `Sallyport-Client-Id: ${id}\nSallyport-Client-Secret: ${secret}\n`, { mode: 0o600 });
  const { stdout, stderr } = await follow(blockWith("@headers.txt"));
  expect(stdout, stderr).toBe("healthy\n");
});

test("ssh by its plain name, and the command that it runs", { timeout: 240_000 }, async () => {
  const { code, stdout, stderr } = await follow(blockWith("ssh-config"), "echo reached $((6 * 7))\n");
  expect([code, stdout], stderr).toEqual([0, expect.stringContaining("reached 42\n")]);
  const proxied = BLOCKS.filter((block) => block.startsWith("sallyport access tcp --hostname ssh"));
  expect(proxied).toHaveLength(1);
  expect(readFileSync(join(home, ".ssh", "config"), "utf8")).toContain("sallyport access tcp --hostname %h\n");
  expect((await follow(proxied[0] ?? "", "")).stdout).toMatch(/^SSH-2\.0-OpenSSH/);
});

test("a port of this machine for a database", { timeout: 240_000 }, async () => {
  expect((await follow("sallyport access login https://db.example.com\n")).code).toBe(0);
  const tcp = stack.use(new Program({ name: "tcp", command: "sh", args: ["-c", `exec ${blockWith("--listen")}`], cwd: home, env }));
  await tcp.line(/Listening on/);
  const greeting = await new Promise<string>((resolve) => {
    let text = "";
    const socket = connect(localPort, "127.0.0.1");
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.on("close", () => resolve(text));
  });
  expect(greeting).toBe("this is the database\n");
});
