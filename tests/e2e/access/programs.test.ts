// Programs of a signed-in person (A16, R-E4, R-J4): the built command lines against a real relay, a person's browser played by
// plain HTTP, and the system's own curl.

import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SALLYPORT_MAIN, startConnector } from "../../harness/connector.ts";
import { need } from "../../harness/need.ts";
import { command } from "../../harness/program.ts";
import { startOrigin } from "../../harness/origin.ts";
import { Person, PIN_PROVIDER } from "../../harness/programs.ts";
import { SALLYPORT_RELAY_MAIN, startRelay } from "../../harness/relay.ts";
import type { Relay } from "../../harness/relay.ts";
import { eventually, within } from "../../harness/scratch.ts";
import { visit } from "../../harness/visitor.ts";

const EMAIL = "ann@example.com";
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+\n$/;

async function startBed(stack: AsyncDisposableStack, url: string): Promise<{ readonly relay: Relay; readonly ann: Person }> {
  const applications = ["notes", "wiki"].map((name) => ({ name, policies: ["staff"] }));
  const relay = await startRelay(stack, { applications, config: PIN_PROVIDER });
  await startConnector(stack, relay, { services: { notes: url, wiki: url } });
  return { relay, ann: new Person(stack, relay) };
}

function tokenFile(person: Person, relay: Relay): string {
  return join(person.home, ".config", "sallyport", "access", `notes.relay.localhost_${relay.port}.json`);
}

/** Command lines of all processes of this machine, as any user of it can read them. */
function commandLines(): string {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return processes
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1");
      } catch {
        return "";
      }
    })
    .join("\n");
}

test("login in the browser, then token and curl work; the token is in no URL, no argument and no file of others", async (context) => {
  need(context, "curl");
  await using stack = new AsyncDisposableStack();
  let seen = "";
  const origin = await startOrigin(stack, (request, response) => {
    seen += commandLines();
    response.end(
      `${request.method} ${request.url} ${request.headers["sallyport-jwt-assertion"] === undefined ? "nobody" : "somebody"} ${String(request.headers["sallyport-access-token"])}`,
    );
  });
  const { relay, ann } = await startBed(stack, origin.url);
  const before = await ann.run(["access", "curl", ann.url("notes", "/x")]);
  expect([before.code, before.stderr]).toEqual([1, expect.stringContaining(`run: sallyport access login ${ann.url("notes")}`)]);

  const login = ann.launch("access", "login", ann.url("notes", "/any/page"));
  await ann.openPrinted(login, EMAIL);
  const page = ann.visitor.page.text();
  const code = /must show the code ([A-Z-]+)/.exec(await login.line(/must show the code/))?.[1] ?? "none";
  for (const text of [code, EMAIL, "notes"]) expect(page).toContain(text);
  await ann.visitor.submit({ decision: "allow" });
  await ann.tellCommand();
  expect((await within(10_000, "login to end", login.exited)).code, login.output).toBe(0);
  expect(login.output).toContain(`Signed in to ${ann.url("notes")}/ as ${EMAIL}`);

  const file = tokenFile(ann, relay);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(file, "..")).mode & 0o777).toBe(0o700);
  const printed = await ann.run(["access", "token", ann.url("notes")]);
  expect(printed.stdout).toMatch(TOKEN);
  const token = printed.stdout.trim();
  expect((await visit(relay, "notes", "/", { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
  expect((await visit(relay, "wiki", "/", { headers: { "sallyport-access-token": token } })).status).toBe(401);

  const curled = await ann.run(["access", "curl", ann.url("notes", "/api?q=1"), "--silent", "--show-error", "-X", "PUT"]);
  expect([curled.code, curled.stdout, curled.stderr]).toEqual([0, "PUT /api?q=1 somebody undefined", ""]);
  expect(seen).toContain("--config");
  expect(seen).not.toContain(token);
  expect(login.output).not.toContain(token);
  expect(relay.program.output).not.toContain(token);
  expect(JSON.stringify(relay.records())).not.toContain(token);
  const recorded = (): readonly Record<string, unknown>[] => relay.records().filter(({ type }) => String(type).startsWith("cli."));
  await eventually(() => recorded().length >= 2, { what: "the events to be recorded" });
  const events = recorded();
  expect(events.map(({ type }) => type)).toEqual(["cli.allowed", "cli.signed-in"]);
  expect(events[0]).toMatchObject({ application: "notes", email: EMAIL, detail: expect.stringMatching(/^machine \S+@\S+/) as unknown });
});

test("curl sends the token to nobody else: not along a redirect, not for another host", async (context) => {
  need(context, "curl");
  await using stack = new AsyncDisposableStack();
  let contacted = 0;
  const elsewhere = createServer((_request, response) => {
    contacted += 1;
    response.end();
  });
  await new Promise<void>((resolve) => void elsewhere.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void elsewhere.close());
  const address = elsewhere.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const origin = await startOrigin(
    stack,
    (_request, response) => void response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end(),
  );
  const { ann } = await startBed(stack, origin.url);
  await ann.logIn("notes", EMAIL);
  for (const follow of ["--location", "-sLS", "--location-trusted"]) {
    const followed = await ann.run(["access", "curl", ann.url("notes"), follow]);
    expect([follow, followed.code]).toEqual([follow, 47]);
  }
  writeFileSync(join(ann.home, ".curlrc"), "location\nmax-redirs = 5\n");
  expect((await ann.run(["access", "curl", ann.url("notes")])).code).toBe(47);
  expect(contacted).toBe(0);
  for (const other of [ann.url("wiki"), `http://127.0.0.1:${port}/`, ann.url("notes").replace("http:", "https:")]) {
    expect((await ann.run(["access", "curl", other])).code).toBe(1);
  }
  const [scheme, host] = ann.url("notes").split("//");
  expect((await ann.run(["access", "curl", `${scheme}//user@${host}/`])).code).toBe(2);
  expect((await ann.run(["access", "curl", ann.url("notes"), "--data", "@-"])).code).toBe(2);
  expect(contacted).toBe(0);
});

test("a host that names another relay's auth host gets no token of that relay", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => void response.end());
  const { relay, ann } = await startBed(stack, origin.url);
  const impostor = createServer(
    (_request, response) => void response.setHeader("content-type", "application/json").end(JSON.stringify({ auth_url: relay.authUrl })),
  );
  await new Promise<void>((resolve) => void impostor.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void impostor.close());
  const address = impostor.address();
  const login = ann.launch("access", "login", `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`);
  stack.use(login);
  await ann.openPrinted(login, EMAIL);
  expect(ann.visitor.page.status).toBe(400);
  expect(ann.visitor.page.text()).not.toContain('name="decision"');
});

test("without a browser near: page and code are printed, the person confirms elsewhere", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => void response.end("ok"));
  const { ann } = await startBed(stack, origin.url);
  const login = ann.launch("access", "login", "--no-browser", ann.url("notes"));
  await ann.openPrinted(login, EMAIL);
  const code = /enter the code (\S+)/.exec(await login.line(/enter the code/))?.[1] ?? "";
  await ann.visitor.submit({ code });
  expect(ann.visitor.page.text()).toContain(code);
  await ann.visitor.submit({ decision: "allow" });
  expect((await within(20_000, "login to end", login.exited)).code, login.output).toBe(0);
  expect((await ann.run(["access", "token", ann.url("notes")])).stdout).toMatch(TOKEN);
});

test("denied in the browser: the command says so and ends with its own code", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => void response.end("ok"));
  const { ann } = await startBed(stack, origin.url);
  const login = ann.launch("access", "login", ann.url("notes"));
  await ann.openPrinted(login, EMAIL);
  await ann.visitor.submit({ decision: "deny" });
  await ann.tellCommand();
  expect((await within(10_000, "login to end", login.exited)).code).toBe(3);
  expect((await ann.run(["access", "token", ann.url("notes")])).code).toBe(1);
});

test("logout ends the token at the relay and the file here; sign-out in the browser ends it, too", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => void response.end("ok"));
  const { relay, ann } = await startBed(stack, origin.url);
  await ann.logIn("notes", EMAIL);
  const token = (await ann.run(["access", "token", ann.url("notes")])).stdout.trim();
  const withToken = async (): Promise<number> =>
    (await visit(relay, "notes", "/", { headers: { "sallyport-access-token": token } })).status;
  expect(await withToken()).toBe(200);
  const logout = await ann.run(["access", "logout", ann.url("notes")]);
  expect([logout.code, logout.stdout]).toEqual([0, `Signed out of ${ann.url("notes")}/.\n`]);
  expect(await withToken()).toBe(401);
  expect(existsSync(tokenFile(ann, relay))).toBe(false);

  await ann.logIn("notes", EMAIL);
  await ann.visitor.signOut();
  const after = await ann.run(["access", "curl", ann.url("notes"), "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
  expect(after.stdout).toBe("401");
  expect((await ann.run(["access", "logout", "--all"])).code).toBe(0);
});

test("a token file that others can read is not used", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => void response.end("ok"));
  const { relay, ann } = await startBed(stack, origin.url);
  await ann.logIn("notes", EMAIL);
  const file = tokenFile(ann, relay);
  chmodSync(file, 0o644);
  const refused = await ann.run(["access", "token", ann.url("notes")]);
  expect([refused.code, refused.stdout, refused.stderr]).toEqual([1, "", expect.stringContaining(`chmod 600 ${file}`)]);
});

test("a reader that has seen enough ends a command without a word", async (context) => {
  const [sh = ""] = need(context, "sh");
  for (const main of [SALLYPORT_MAIN, SALLYPORT_RELAY_MAIN]) {
    const line = `{ "$0" "$1" --help; echo "code $?" >&2; } | true`;
    const { stderr } = await command(sh, ["-c", line, process.execPath, main]);
    // By chance the reader is still there: then everything was written.
    expect(["code 141\n", "code 0\n"]).toContain(stderr);
  }
});
