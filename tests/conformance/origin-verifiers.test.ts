// The verifiers of examples/verify, each as its own program, before assertions that a relay and a connector delivered, and
// before what a good one must refuse. The signing key comes out of the relay's state, so that a token can be wrong in one
// respect and right in all others.

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, expect, test, type TestContext } from "vitest";
import { need } from "../harness/need.ts";
import { command, mustRun, Program } from "../harness/program.ts";
import { eventually, freePort, scratchFolder } from "../harness/scratch.ts";
import { read } from "../house/tree.ts";
import { AUTH_HOST, AUTH_URL, type Bed, createBed } from "./support/bed.ts";
import { SignedIn, signedInOptions } from "./support/signed-in.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const EXAMPLES = join(import.meta.dirname, "..", "..", "examples", "verify");
const HOST = "wiki.example.test";
const AUDIENCE = `https://${HOST}`;
const PYTHON = "/usr/bin/python3";
// Debian 12 has it; the minor version of examples/verify/go/go.mod.
const OLDEST_GO = Number(/^go 1\.(\d+)$/m.exec(readFileSync(join(EXAMPLES, "go", "go.mod"), "utf8"))?.[1]);

/** The example that each block of the document is taken from, by its language. */
const SHOWN: Readonly<Record<string, string>> = {
  js: "node.mjs",
  python: "python.py",
  go: "go/main.go",
  nginx: "nginx.conf",
  caddyfile: "Caddyfile",
};

const stack = new AsyncDisposableStack();
const ann = new SignedIn({ subject: "ann", email: "ann@example.com" }, HOST, "other.example.test");
let bed: Bed;
let key: { kid: string; privateKey: KeyObject };
let jwksUrl: string;
let fetches = 0;

beforeAll(async () => {
  const applications = [
    { name: "wiki", hostname: HOST },
    { name: "other", hostname: "other.example.test" },
  ];
  const options = signedInOptions(stack, [ann], applications);
  bed = await createBed(stack, {
    ...options,
    seed: async (state) => {
      await options.seed?.(state);
      key = state.keys.signingKey("assertion");
    },
  });
  // The relay's own key set, at an address that other programs can resolve without DNS.
  const document = (await ask(bed, "/.well-known/jwks.json", { host: AUTH_HOST })).body;
  const server = createServer((_request, response) => {
    fetches++;
    response.setHeader("Content-Type", "application/json").end(document);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  stack.defer(() => void server.close());
  jwksUrl = `http://127.0.0.1:${port}/jwks.json`;
});
afterAll(() => stack.disposeAsync());

async function delivered(host: string): Promise<string> {
  const request = await expectForwarded(bed, write("/x", { host, fields: [ann.cookie(host)] }));
  return request.values("sallyport-jwt-assertion")[0] ?? "";
}

interface Change {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: KeyObject | Uint8Array;
}

function forge({ claims = {}, header = {}, key: signer = key.privateKey }: Change = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const right = {
    iss: AUTH_URL,
    aud: AUDIENCE,
    kind: "person",
    sub: "corp|eve",
    email: "eve@example.com",
    jti: "1",
    iat: now,
    nbf: now,
    exp: now + 300,
  };
  return new SignJWT({ ...right, ...claims })
    .setProtectedHeader({ alg: "ES256", typ: "sallyport-assertion+jwt", kid: key.kid, ...header })
    .sign(signer);
}

/** Right in every respect but the one that is named. */
async function wrong(): Promise<readonly (readonly [string, string])[]> {
  const now = Math.floor(Date.now() / 1000);
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const good = await delivered(HOST);
  const [header = "", payload = "", signature = ""] = good.split(".");
  const root = Buffer.from(
    JSON.stringify({ ...(JSON.parse(Buffer.from(payload, "base64url").toString()) as object), email: "root@example.com" }),
  );
  return [
    ["nothing", ""],
    ["no token", "a.b.c"],
    ["altered claims", `${header}.${root.toString("base64url")}.${signature}`],
    ["no signature", `${header}.${payload}.`],
    ["another application's", await delivered("other.example.test")],
    ["another relay's", await forge({ claims: { iss: "https://auth.example.net" } })],
    ["expired", await forge({ claims: { iat: now - 600, nbf: now - 600, exp: now - 60 } })],
    ["from the future", await forge({ claims: { iat: now + 120, nbf: now + 120, exp: now + 300 } })],
    ["of another type", await forge({ header: { typ: "sallyport-access+jwt" } })],
    ["of another key", await forge({ key: stranger })],
    ["of an unknown key", await forge({ key: stranger, header: { kid: "unknown" } })],
    ["unsigned", new UnsecuredJWT({ iss: AUTH_URL, aud: AUDIENCE, sub: "x", exp: now + 300 }).encode()],
    ["HS256 with what is public", await forge({ header: { alg: "HS256" }, key: Buffer.from(key.kid.padEnd(32, "x")) })],
    ["an application token", ann.token(HOST)],
  ];
}

type Start = (
  context: TestContext,
  own: AsyncDisposableStack,
  folder: string,
) => Promise<{ readonly command: string; readonly args: readonly string[] }>;

const VERIFIERS: readonly (readonly [string, Start])[] = [
  ["Node with jose", () => Promise.resolve({ command: process.execPath, args: [join(EXAMPLES, "node.mjs")] })],
  [
    "Python with PyJWT",
    async (context) => {
      if ((await command(PYTHON, ["-c", "import jwt, cryptography"])).code !== 0) need(context, "python3-jwt");
      return { command: PYTHON, args: ["-u", join(EXAMPLES, "python.py")] };
    },
  ],
  [
    "Go with its standard library",
    async (context, _own, folder) => {
      const [go = ""] = need(context, "go");
      const program = join(folder, "verify");
      const env = {
        GOTOOLCHAIN: "local",
        GOFLAGS: "-mod=mod",
        // A distribution's Go comes without a C compiler.
        CGO_ENABLED: "0",
        GOPROXY: "off",
        GOPATH: join(folder, "path"),
      };
      const version = await mustRun(go, ["version"], { env });
      if (Number(/go1\.(\d+)/.exec(version)?.[1] ?? 0) < OLDEST_GO) context.skip(true, `skipped: needs go 1.${OLDEST_GO} or newer`);
      await mustRun(go, ["build", "-o", program, "."], { cwd: join(EXAMPLES, "go"), env, timeoutMs: 240_000 });
      return { command: program, args: [] };
    },
  ],
];

async function startVerifier(
  own: AsyncDisposableStack,
  how: { readonly command: string; readonly args: readonly string[] },
): Promise<number> {
  const port = await freePort();
  const env = { SALLYPORT_AUTH_URL: AUTH_URL, SALLYPORT_AUDIENCE: AUDIENCE, SALLYPORT_JWKS_URL: jwksUrl, PORT: String(port) };
  await own.use(new Program({ name: "verifier", ...how, env })).line(/listening on/);
  return port;
}

async function get(
  port: number,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly user: string | null; readonly body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/page`, { headers });
  return { status: response.status, user: response.headers.get("x-user"), body: await response.text() };
}

test("what docs/origins.md shows is what is run here", () => {
  const section = /^### Verifying the assertion\n([\s\S]*?)^###? /m.exec(read("docs/origins.md"))?.[1] ?? "";
  const shown = [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language = "", text = ""]) => [language, text] as const);
  expect(shown.map(([language]) => language)).toEqual(Object.keys(SHOWN));
  for (const [language, text] of shown) expect(readFileSync(join(EXAMPLES, SHOWN[language] ?? ""), "utf8")).toContain(text);
});

test.for(VERIFIERS)("%s believes what the connector delivered and nothing else", { timeout: 300_000 }, async ([, start], context) => {
  await using own = new AsyncDisposableStack();
  const port = await startVerifier(own, await start(context, own, scratchFolder(own)));
  const good = await get(port, { "Sallyport-Jwt-Assertion": await delivered(HOST), "X-User": "root" });
  expect([good.status, decodeURIComponent(good.user ?? ""), JSON.parse(good.body)]).toEqual([
    200,
    "ann@example.com",
    { kind: "person", sub: "corp|ann", email: "ann@example.com" },
  ]);
  expect((await get(port, { "Sallyport-Jwt-Assertion": await forge() })).status).toBe(200);
  for (const [name, token] of await wrong()) {
    const answer = await get(port, { "Sallyport-Jwt-Assertion": token, "X-User": "root" });
    expect([name, answer.status, answer.user]).toEqual([name, 403, null]);
  }
});

/** An origin behind a proxy, which is told a user by X-User and believes it. */
async function startOrigin(own: AsyncDisposableStack, told: (user: unknown) => void): Promise<number> {
  const origin = createServer((request, response) => {
    // What an origin that reads `_` as `-` believes.
    told(request.headers["x_user"] ?? request.headers["x-user"]);
    response.end("page");
  });
  const port = await freePort();
  await new Promise<void>((resolve) => origin.listen(port, "127.0.0.1", resolve));
  own.defer(() => void origin.close());
  return port;
}

/** Through a proxy that asks a verifier: one request of somebody who is known, and all the others. */
async function expectGuarded(port: number, seen: readonly unknown[]): Promise<void> {
  const good = await get(port, { "Sallyport-Jwt-Assertion": await delivered(HOST), "X-User": "root", X_User: "root" });
  expect([good.status, good.body, seen]).toEqual([200, "page", ["ann%40example.com"]]);
  for (const [name, token] of await wrong())
    expect([name, (await get(port, { "Sallyport-Jwt-Assertion": token })).status]).toEqual([name, 403]);
  expect((await get(port, { "X-User": "root" })).status).toBe(403);
  expect(seen).toHaveLength(1);
}

test("nginx lets through whom a verifier knows, and writes X-User itself", { timeout: 60_000 }, async (context) => {
  const [nginx = ""] = need(context, "nginx");
  await using own = new AsyncDisposableStack();
  const folder = scratchFolder(own);
  const verifier = await startVerifier(own, { command: process.execPath, args: [join(EXAMPLES, "node.mjs")] });
  const seen: unknown[] = [];
  const originPort = await startOrigin(own, (user) => void seen.push(user));
  const port = await freePort();
  const server = readFileSync(join(EXAMPLES, "nginx.conf"), "utf8")
    .replace(":8080", `:${port}`)
    .replace(":3000", `:${verifier}`)
    .replace(":9090", `:${originPort}`);
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n");
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `daemon off; pid ${folder}/nginx.pid; error_log stderr warn; events {}\nhttp { access_log off; ${folders}\n${server}\n}`,
  );
  const user = process.getuid?.() === 0 ? "user root; " : "";
  own.use(new Program({ name: "nginx", command: nginx, args: ["-p", folder, "-c", file, "-g", `${user}worker_processes 1;`] }));
  await eventually(async () => (await get(port, {})).status === 403, { what: "nginx" });
  await expectGuarded(port, seen);
});

test("Caddy lets through whom a verifier knows, and writes X-User itself", { timeout: 60_000 }, async (context) => {
  const [caddy = ""] = need(context, "caddy");
  await using own = new AsyncDisposableStack();
  const folder = scratchFolder(own);
  const verifier = await startVerifier(own, { command: process.execPath, args: [join(EXAMPLES, "node.mjs")] });
  const seen: unknown[] = [];
  const originPort = await startOrigin(own, (user) => void seen.push(user));
  const port = await freePort();
  const site = readFileSync(join(EXAMPLES, "Caddyfile"), "utf8")
    .replace(":8080", `:${port}`)
    .replace(":3000", `:${verifier}`)
    .replace(":9090", `:${originPort}`);
  const file = join(folder, "Caddyfile");
  writeFileSync(file, `{\n\tadmin off\n}\n${site}`);
  const env = { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
  own.use(new Program({ name: "caddy", command: caddy, args: ["run", "--config", file, "--adapter", "caddyfile"], env }));
  await eventually(async () => (await get(port, {})).status === 403, { what: "caddy" });
  await expectGuarded(port, seen);
});

test("a thousand unknown keys make jose ask at most once more", async () => {
  await using own = new AsyncDisposableStack();
  const port = await startVerifier(own, { command: process.execPath, args: [join(EXAMPLES, "node.mjs")] });
  await get(port, { "Sallyport-Jwt-Assertion": await delivered(HOST) });
  const before = fetches;
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  for (let at = 0; at < 1000; at++) {
    const token = await forge({ key: stranger, header: { kid: `unknown-${at}` } });
    expect((await get(port, { "Sallyport-Jwt-Assertion": token })).status).toBe(403);
  }
  expect(fetches - before).toBeLessThanOrEqual(1);
});
