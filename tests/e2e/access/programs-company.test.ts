// `sallyport access` inside a company: the relay's certificate comes from an own authority, the only way out is an HTTP
// CONNECT proxy with a password, the person confirms in a real Chromium (A16, T2, R-E4).

import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Company, COMPANY_EMAIL, signInIfAsked, startCompany } from "../../harness/company-bed.ts";
import { PROXY_PASSWORD } from "../../harness/connect-proxy.ts";
import { launchSallyport, runSallyport, SALLYPORT_MAIN } from "../../harness/connector.ts";
import { findProgram, need } from "../../harness/need.ts";
import { startOrigin } from "../../harness/origin.ts";
import { command, type CommandResult, type Program } from "../../harness/program.ts";
import { freePort, scratchFolder, within } from "../../harness/scratch.ts";

const SITE = "corp.test";
const NEEDS = ["chromium", "certutil", "curl"] as const;

const stack = new AsyncDisposableStack();
let company: Company;
/** What the origin saw: method, path, who. */
const seen: string[] = [];

beforeEach(({ skip }) => void need({ skip }, ...NEEDS));
beforeAll(async () => {
  const [chromium, ...others] = NEEDS.map(findProgram);
  if (chromium === undefined || others.includes(undefined)) return;
  const origin = await startOrigin(stack, (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers["sallyport-jwt-assertion"] === undefined ? "nobody" : "somebody"}`);
    response.end("private page");
  });
  company = await startCompany(stack, {
    site: SITE,
    chromium,
    applications: ["notes", "digest"].map((name) => ({ name, policies: ["staff"] })),
    services: { notes: origin.url, digest: `tcp://127.0.0.1:${await startDigest()}` },
  });
});
afterAll(() => stack.disposeAsync());

/** Answers with the digest of what it was sent, once all of it was. */
async function startDigest(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const hash = createHash("sha256");
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => void hash.update(chunk));
    socket.on("end", () => void socket.end(hash.digest("hex")));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function url(application: string, path = ""): string {
  return company.url(application, path);
}

/** A person's machine: its home, and the variables that its administrator sets. */
class Machine {
  readonly home: string = scratchFolder(stack, "sallyport-home");
  /** `BROWSER` opens nothing: the test opens what is printed. */
  readonly env: Readonly<Record<string, string>> = { HOME: this.home, BROWSER: "/bin/true", HTTPS_PROXY: company.proxy.url };

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
    return runSallyport(args, { env: { ...this.env, ...env }, cwd: this.home });
  }

  launch(...args: readonly string[]): Program {
    return stack.use(launchSallyport(args, this.env));
  }
}

/** What the browser's history, the relay's log and its records hold: none of it may be a token. */
function traces(history: readonly string[]): string {
  return [...history, company.relay.program.output, JSON.stringify(company.relay.records())].join("\n");
}

test("R-E4: login, confirmed in Chromium; curl, token and logout right after, all through the proxy", { timeout: 240_000 }, async () => {
  await using own = new AsyncDisposableStack();
  const machine = new Machine();
  const context = await company.openBrowser(own);
  const history: string[] = [];
  context.on("request", (request) => history.push(request.url()));

  const login = machine.launch("access", "login", "--ca", company.caFile, url("notes"));
  const page = await context.newPage();
  await page.goto((await login.line(/^ {2}https:/, 60_000)).trim());
  await signInIfAsked(page);
  const code = /must show the code ([A-Z-]+)/.exec(await login.line(/must show the code/))?.[1] ?? "none";
  await page.locator(".compare", { hasText: code }).waitFor();
  const facts = await page.locator("dl.facts").innerText();
  expect(facts).toMatch(/Machine\s+\S+@\S+/);
  expect(facts).toMatch(/Opens\s+notes/);
  expect(new URL(page.url()).host).toBe(`auth.${SITE}:${company.relay.port}`);
  await page.locator('button[value="allow"]').click();
  await page.getByText("Done. You can close this page").waitFor();
  expect(new URL(page.url()).host).toMatch(/^127\.0\.0\.1:\d+$/);
  expect((await within(60_000, "login to end", login.exited)).code, login.output).toBe(0);
  expect(login.output).toContain(`Signed in to ${url("notes")}/ as ${COMPANY_EMAIL}`);

  const curled = await machine.run([
    "access",
    "curl",
    "--ca",
    company.caFile,
    url("notes", "/api?q=1"),
    "--silent",
    "--show-error",
    "--request",
    "PUT",
  ]);
  expect([curled.code, curled.stdout, curled.stderr, seen.at(-1)]).toEqual([0, "private page", "", "PUT /api?q=1 somebody"]);

  const { stdout } = await machine.run(["access", "token", url("notes")]);
  const token = stdout.trim();
  expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  expect(traces(history)).not.toContain(token);
  // What came back by URL is a code, not the token.
  const back = history.find((address) => address.startsWith("http://127.0.0.1:")) ?? "";
  const used = new URL(back).searchParams.get("code") ?? "none";
  expect(used.length).toBeGreaterThan(20);
  expect(token).not.toContain(used);
  expect(company.proxy.targets.every((target) => target.endsWith(`.${SITE}:${company.relay.port}`))).toBe(true);

  const logout = await machine.run(["access", "logout", "--ca", company.caFile, url("notes")]);
  expect([logout.code, logout.stdout]).toEqual([0, `Signed out of ${url("notes")}/.\n`]);
  const after = await machine.run(["access", "curl", url("notes")]);
  expect([after.code, after.stderr]).toEqual([1, expect.stringContaining(`run: sallyport access login ${url("notes")}`)]);
});

test(
  "R-E4: a machine without a browser: its code is typed into Chromium elsewhere; then tcp, and the block for ssh",
  { timeout: 240_000 },
  async () => {
    await using own = new AsyncDisposableStack();
    const machine = new Machine();
    const login = machine.launch("access", "login", "--no-browser", "--ca", company.caFile, url("digest"));
    const page = await (await company.openBrowser(own)).newPage();
    await page.goto((await login.line(/^ {2}https:/, 60_000)).trim());
    await signInIfAsked(page);
    const code = /enter the code (\S+)/.exec(await login.line(/enter the code/))?.[1] ?? "";
    await page.locator('input[name="code"]').fill(code);
    await page.locator("button.main").click();
    await signInIfAsked(page);
    await page.locator(".compare", { hasText: code }).waitFor();
    expect(await page.locator("dl.facts").innerText()).toMatch(/Asks from\s+127\.0\.0\.1/);
    await page.locator('button[value="allow"]').click();
    await page.getByText("may now act as you").waitFor();
    expect((await within(60_000, "login to end", login.exited)).code, login.output).toBe(0);

    const input = "x".repeat(200_000);
    const file = join(machine.home, "input");
    writeFileSync(file, input);
    const line = `exec "$0" "$1" access tcp --hostname "$2" --ca "$3" < "$4"`;
    const tcp = await command("sh", ["-c", line, process.execPath, SALLYPORT_MAIN, url("digest"), company.caFile, file], {
      env: machine.env,
    });
    expect([tcp.code, tcp.stdout, tcp.stderr]).toEqual([0, createHash("sha256").update(input).digest("hex"), ""]);
    const block = await machine.run(["access", "ssh-config", "--hostname", url("digest"), "--ca", company.caFile]);
    expect(block.stdout).toBe(
      `Host digest.${SITE}\n  ProxyCommand sallyport access tcp --hostname %h:${company.relay.port} --ca ${company.caFile}\n`,
    );
  },
);

test("what is in the way is named, with what helps", { timeout: 240_000 }, async () => {
  const machine = new Machine();
  const login = (env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<CommandResult> =>
    machine.run(["access", "login", ...args, url("notes")], env);
  const wrong = company.proxy.url.replace(/:[^:@]*@/, ":wrong@");
  const cases: readonly (readonly [Promise<CommandResult>, number, RegExp, RegExp])[] = [
    [login({}), 1, /TLS with notes\.corp\.test:\d+ failed/, /--ca or NODE_EXTRA_CA_CERTS/],
    [
      login({ HTTPS_PROXY: wrong }, "--ca", company.caFile),
      1,
      /wants a user and password \(407\)/,
      /HTTPS_PROXY=http:\/\/user:password@host:port/,
    ],
    [
      login({ HTTPS_PROXY: `http://127.0.0.1:${await freePort()}` }, "--ca", company.caFile),
      1,
      /ECONNREFUSED/,
      /host and port of the proxy/,
    ],
    [login({ HTTPS_PROXY: "socks5://127.0.0.1:1" }, "--ca", company.caFile), 1, /HTTPS_PROXY is not a proxy URL/, /correct the variable/],
    [
      machine.run(["access", "login", "--ca", company.caFile, "https://notes.other.test"]),
      1,
      /did not open a tunnel .* \(403\)/,
      /allow CONNECT/,
    ],
    [
      machine.run(["access", "login", "--ca", company.caFile, url("nowhere")]),
      1,
      /not published by a Sallyport relay/,
      /check the address/,
    ],
    [login({}, "--ca", join(machine.home, "absent")), 2, /cannot be read \(ENOENT\)/, /--ca/],
  ];
  for (const [running, code, what, remedy] of cases) {
    const { stderr, ...result } = await running;
    expect([result.code, stderr]).toEqual([code, expect.stringMatching(what)]);
    expect(stderr).toMatch(remedy);
    for (const secret of [PROXY_PASSWORD, encodeURIComponent(PROXY_PASSWORD), "wrong"]) expect(stderr).not.toContain(secret);
    expect(stderr).not.toMatch(/\n\s+at /);
  }
});

test("curl takes the same way out, and the proxy's password is no argument", async () => {
  const machine = new Machine();
  const folder = join(machine.home, ".config", "sallyport", "access");
  const fake = join(machine.home, "bin");
  for (const made of [folder, fake]) mkdirSync(made, { recursive: true });
  writeFileSync(join(fake, "curl"), '#!/bin/sh\necho "arguments: $*"\ncat\n');
  chmodSync(join(fake, "curl"), 0o755);
  writeFileSync(join(folder, `notes.${SITE}_${company.relay.port}.json`), storedToken(), { mode: 0o600 });
  const curl = async (env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<string> =>
    (await machine.run(["access", "curl", url("notes"), ...args], { ...env, PATH: `${fake}:${process.env["PATH"] ?? ""}` })).stdout;

  const proxied = await curl({});
  expect(proxied).toContain(`proxy = "${company.proxy.url}/"\nnoproxy = ""\n`);
  expect(proxied.split("\n")[0]).not.toContain("alice");
  expect(await curl({ NO_PROXY: `.${SITE}` })).toContain('noproxy = "*"\n');
  expect(await curl({ https_proxy: "http://other:1", NO_PROXY: "elsewhere.test" })).toContain('proxy = "http://other:1/"\n');
  expect(await curl({}, "--proxy", "http://mine:1")).not.toContain("proxy = ");
});

function storedToken(): string {
  const token = { application: `${url("notes")}/`, authUrl: company.relay.authUrl, token: "a.b.c", expiresAt: Date.now() + 3_600_000 };
  return JSON.stringify({ version: 1, origin: url("notes"), tokens: [token] });
}
