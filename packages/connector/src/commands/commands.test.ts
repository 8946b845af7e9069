// The commands against a small relay made of the shared protocol: real sockets on loopback, real streams.

import { type KeyObject, generateKeyPairSync, sign } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sallyport/shared/clock";
import { generateTunnelKeyPair, serializeCredentialFile } from "@sallyport/shared/credential-file";
import { type ManifestJwk, MANIFEST_LIFETIME_MS, signManifest } from "@sallyport/shared/key-manifest";
import { BufferBudget } from "@sallyport/shared/mux/budget";
import { DEFAULT_MUX_LIMITS, MuxConnection } from "@sallyport/shared/mux/connection";
import type { StreamHandler } from "@sallyport/shared/mux/stream";
import { wsTransport } from "@sallyport/shared/mux/ws-transport";
import { GoawayReason, ResetCode } from "@sallyport/shared/protocol/codes";
import { relayHandshake } from "@sallyport/shared/protocol/handshake";
import type { Grant } from "@sallyport/shared/protocol/hello";
import { createPublicKey } from "node:crypto";
import { pino } from "pino";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { cli } from "./cli.ts";
import { http as httpCommand } from "./http.ts";
import type { ExitCode } from "./exit-code.ts";
import type { Io, Signal } from "./io.ts";
import type { Logger } from "../observe/logger.ts";
import { run } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "commands-"));
afterAll(() => rmSync(folder, { recursive: true }));

const CREDENTIAL_ID = `cred_${"A".repeat(22)}`;
const assertionKey = generateKeyPairSync("ec", { namedCurve: "P-256" });
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Waits for something that sockets bring about, by turns of the event loop. */
async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const endMs = performance.now() + 10_000;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Answer {
  status?: number;
  fields?: readonly string[];
  body: string;
  ended: boolean;
  reset?: ResetCode;
}

class FakeRelay {
  readonly authUrl: string;
  readonly credentialFile: string;
  readonly connections: MuxConnection[] = [];
  grants: readonly Grant[] = [grant("wiki", "wiki.example.com")];
  refuse: { readonly refuse: GoawayReason; readonly text: string } | undefined;
  known = true;
  wantedHostname: string | undefined;
  announced: readonly string[] = [];
  timeOffsetMs = 0;
  /** Runs in the same turn in which a connection was admitted. */
  onAdmitted: () => void = () => undefined;
  readonly #root: KeyObject;

  constructor(server: Server) {
    this.authUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { privateKey } = generateTunnelKeyPair();
    const root = generateTunnelKeyPair();
    this.#root = root.privateKey;
    this.credentialFile = join(folder, `${(server.address() as AddressInfo).port}.credential`);
    writeFileSync(
      this.credentialFile,
      serializeCredentialFile({
        relayUrl: this.authUrl,
        tunnel: "office",
        credentialId: CREDENTIAL_ID,
        privateKey,
        rootKey: root.publicKey,
      }),
      { mode: 0o600 },
    );
    const webSockets = new WebSocketServer({ server, path: "/.sallyport/tunnel" });
    webSockets.on("connection", (socket) => void this.#admit(wsTransport(socket), createPublicKey(privateKey)));
    closers.push(() => {
      for (const client of webSockets.clients) client.terminate();
      webSockets.close();
    });
  }

  async #admit(transport: ReturnType<typeof wsTransport>, publicKey: KeyObject): Promise<void> {
    const result = await relayHandshake({
      transport,
      authUrl: this.authUrl,
      lookup: (id) => (this.known && id === CREDENTIAL_ID ? { tunnel: "office", publicKey, revoked: false } : undefined),
      decoyKey: publicKey,
      admit: (_credential, hello) => {
        this.wantedHostname = hello.wantedHostname;
        this.announced = hello.services.map(({ name }) => name);
        const connectionId = `c${this.connections.length + 1}`;
        return (
          this.refuse ?? {
            hello: {
              software: "fake/1",
              limits: DEFAULT_MUX_LIMITS,
              capabilities: [],
              time: Date.now() + this.timeOffsetMs,
              connectionId,
              tunnel: "office",
              grants: this.grants,
            },
          }
        );
      },
    });
    if (result.kind !== "admitted") return;
    const mux = new MuxConnection({
      role: "relay",
      transport,
      budget: new BufferBudget(),
      peerLimits: result.hello.limits,
      handler: { onClosed: () => undefined },
    });
    const now = Date.now();
    const jwk = { ...assertionKey.publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256" } as unknown as ManifestJwk;
    mux.sendKeys(
      signManifest({ version: 1, issuedAt: now, expiresAt: now + MANIFEST_LIFETIME_MS, keys: [jwk], nextRoot: undefined }, this.#root),
    );
    this.connections.push(mux);
    this.onAdmitted();
  }

  /** Opens one GET stream on the newest connection and collects what comes back. */
  request(service: string, path: string, token: string | null = this.assertion(service)): Answer {
    const answer: Answer = { body: "", ended: false };
    const mux = this.connections.at(-1) as MuxConnection;
    const handler: StreamHandler = {
      onHead: ({ status, fields }, end) => Object.assign(answer, { status, fields, ended: end }),
      onData: (chunk) => {
        answer.body += Buffer.from(chunk).toString();
        stream?.consume(chunk.length);
      },
      onEnd: () => (answer.ended = true),
      onReset: (code) => Object.assign(answer, { reset: code, ended: true }),
      onDrain: () => undefined,
    };
    if (token !== null) mux.defineAssertion(1, token);
    const head = {
      kind: 1 as const,
      service,
      assertion: token === null ? 0 : 1,
      method: "GET",
      path,
      authority: "wiki.example.com",
      fields: ["Sallyport-Jwt-Assertion", "forged"],
      contentLength: undefined,
    };
    const stream = mux.openStream(head, true, handler);
    return answer;
  }

  assertion(service: string): string {
    const now = Math.floor(Date.now() / 1_000);
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const header = encode({ alg: "ES256", typ: "sallyport-assertion+jwt", kid: "k1" });
    const claims = {
      iss: this.authUrl,
      aud: "https://wiki.example.com/",
      tunnel: "office",
      service,
      kind: "person",
      sub: "corp|1",
      jti: "j",
      iat: now,
      nbf: now,
      exp: now + 300,
    };
    const input = `${header}.${encode(claims)}`;
    return `${input}.${sign("SHA256", Buffer.from(input), { key: assertionKey.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  }
}

function grant(service: string, hostname: string): Grant {
  return { application: service, hostname, path: "/", service, url: `https://${hostname}/` };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

class FakeIo implements Io {
  readonly environment: Record<string, string> = {};
  readonly clock = systemClock;
  readonly color = false;
  readonly handlers = new Map<Signal, Set<() => void>>();
  stdout = "";
  stderr = "";
  kept = 0;

  out(text: string): void {
    this.stdout += `${text}\n`;
  }

  err(text: string): void {
    this.stderr += `${text}\n`;
  }

  onSignal(signal: Signal, handler: () => void): () => void {
    const set = this.handlers.get(signal) ?? new Set();
    this.handlers.set(signal, set.add(handler));
    return () => void set.delete(handler);
  }

  keepAlive(): () => void {
    this.kept += 1;
    return () => void (this.kept -= 1);
  }

  signal(name: Signal): void {
    for (const handler of this.handlers.get(name) ?? []) handler();
  }
}

let relay: FakeRelay;
let originPort: number;
let io: FakeIo;
/** Answers `/slow` only when told to. */
let release: (() => void)[] = [];

beforeEach(async () => {
  const server = createServer();
  await listen(server);
  relay = new FakeRelay(server);
  release = [];
  originPort = await listen(
    createServer((request, response) => {
      const answer = (): void =>
        void response.end(`${request.url} ${String(request.headers["sallyport-jwt-assertion"]).split(".").length}`);
      if (request.url === "/slow") release.push(answer);
      else answer();
    }),
  );
  io = new FakeIo();
});

/** Ends a command that serves, at once, and returns its exit code. */
async function stop(command: Promise<ExitCode>): Promise<ExitCode> {
  io.signal("SIGTERM");
  return await command;
}

describe("sallyport http", () => {
  const http = (...args: string[]): Promise<ExitCode> =>
    cli(["http", String(originPort), "--credential", relay.credentialFile, "--log-level", "silent", ...args], io);

  test("publishes a port with a credential and nothing else, and prints where", async () => {
    const command = http();
    await until("connections", () => relay.connections.length === 2);
    expect(io.stdout).toBe(`Published http://127.0.0.1:${originPort} as service wiki:\n\n  https://wiki.example.com/\n\nCtrl+C ends it.\n`);
    const answer = relay.request("wiki", "/page");
    await until("the answer", () => answer.ended);
    // The origin saw one assertion, the verified one (three parts), in place of the forged field.
    expect(answer).toMatchObject({ status: 200, body: "/page 3" });
    expect(await stop(command)).toBe(0);
    expect(io.kept).toBe(0);
    expect([...io.handlers.values()].every((set) => set.size === 0)).toBe(true);
  });

  test("prints JSON for programs", async () => {
    const command = http("--json");
    await until("output", () => io.stdout !== "");
    expect(JSON.parse(io.stdout)).toEqual({
      service: "wiki",
      origin: `http://127.0.0.1:${originPort}`,
      urls: ["https://wiki.example.com/"],
    });
    expect(await stop(command)).toBe(0);
  });

  test("asks which one when the relay grants several, and lists them", async () => {
    relay.grants = [grant("wiki", "wiki.example.com"), grant("shop", "shop.example.com")];
    expect(await http()).toBe(2);
    expect(io.stderr).toContain("--hostname wiki.example.com");
    expect(io.stderr).toContain("--hostname shop.example.com");
    expect(io.stdout).toBe("");
  });

  test("takes the one that --hostname names, and asks the relay for it", async () => {
    relay.grants = [grant("wiki", "wiki.example.com"), grant("shop", "shop.example.com")];
    const command = http("--hostname", "shop.example.com");
    await until("output", () => io.stdout.includes("https://shop.example.com/"));
    expect(relay.wantedHostname).toBe("shop.example.com");
    expect(io.stdout).not.toContain("wiki");
    expect(await stop(command)).toBe(0);
  });

  test("says what to write on the relay when nothing is granted", async () => {
    relay.grants = [];
    expect(await http()).toBe(2);
    expect(io.stderr).toContain("tunnel: office");
  });

  test("ends with 3 and the relay's words when the hostname is not granted", async () => {
    relay.refuse = { refuse: GoawayReason.HOSTNAME_NOT_GRANTED, text: "granted are: wiki.example.com" };
    expect(await http("--hostname", "evil.example.com")).toBe(3);
    expect(io.stderr).toContain("granted are: wiki.example.com");
  });

  test("ends with 3 when the relay does not know the credential", async () => {
    relay.known = false;
    expect(await http()).toBe(3);
    expect(io.stderr).toContain("does not accept the credential");
  });

  test("a refusal is told to the person at the terminal, once and in words", async () => {
    relay.known = false;
    const logged: unknown[] = [];
    const line = (...parts: unknown[]): void => void logged.push(parts);
    const logger = { info: () => undefined, warn: line, error: line, debug: () => undefined } as unknown as Logger;
    const options = { http2: false, insecureSkipVerify: false, connections: 1, graceMs: 0, json: false, logLevel: "warn" as const };
    expect(await httpCommand(String(originPort), { ...options, credential: relay.credentialFile }, io, logger)).toBe(3);
    expect([logged, io.stderr.match(/error\[/g)]).toEqual([[], ["error["]]);
  });

  test("ends with 3 when the credential is revoked while it serves", async () => {
    const command = http();
    const mux = await until("a connection", () => relay.connections[0]);
    mux.goaway(GoawayReason.CREDENTIAL_REVOKED, 0, "this credential was revoked");
    expect(await command).toBe(3);
    expect(io.stderr).toContain("revoked");
  });

  test.each([["ftp://x"], ["99999"], ["unix:relative"]])("refuses %s as an address with what to write", async (address) => {
    expect(await cli(["http", address, "--credential", relay.credentialFile], io)).toBe(2);
    expect(io.stderr).toContain("error[ERR_USAGE]");
  });
});

describe("sallyport run", () => {
  let config: string;
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  const write = (text: string): void => writeFileSync(config, `credential: { file: ${relay.credentialFile} }\nconnections: 1\n${text}`);
  const start = (): Promise<ExitCode> => run({ config, graceMs: 30_000, logLevel: "info" }, io, logger);
  const logged = (message: string): Record<string, unknown> | undefined => lines.find(({ msg }) => String(msg).includes(message));

  beforeEach(() => {
    lines.length = 0;
    config = join(folder, `${originPort}.yaml`);
  });

  test("serves a stream that comes right behind the handshake, assertion and all", async () => {
    let first: Answer | undefined;
    relay.onAdmitted = () => (first = relay.request("wiki", "/first"));
    write(`services: { wiki: ${originPort} }`);
    const command = start();
    const answer = await until("the answer", () => (first?.ended === true ? first : undefined));
    expect(answer).toMatchObject({ status: 200, body: "/first 3" });
    expect(await stop(command)).toBe(0);
  });

  test("a reload puts new services in force without touching a stream under way", async () => {
    write(`services: { wiki: ${originPort} }`);
    const command = start();
    await until("a connection", () => relay.connections[0]);
    const slow = relay.request("wiki", "/slow");
    await until("the request", () => release[0]);
    write(`services: { shop: ${originPort} }`);
    io.signal("SIGHUP");
    expect(logged("configuration reloaded")).toMatchObject({ added: ["shop"], removed: ["wiki"] });
    const [shop, wiki] = [relay.request("shop", "/new"), relay.request("wiki", "/old")];
    await until("answers", () => shop.ended && wiki.ended);
    expect(shop).toMatchObject({ status: 200 });
    expect(wiki).toMatchObject({ reset: ResetCode.SERVICE_UNKNOWN });
    expect(slow.ended).toBe(false);
    release[0]?.();
    await until("the slow answer", () => slow.ended);
    expect(slow).toMatchObject({ status: 200, body: "/slow 3" });
    expect(relay.connections).toHaveLength(1);
    expect(await stop(command)).toBe(0);
  });

  test("a file that cannot be used leaves what runs alone and says why", async () => {
    write(`services: { wiki: ${originPort} }`);
    const command = start();
    await until("a connection", () => relay.connections[0]);
    write("services: { wiki: nowhere }");
    io.signal("SIGHUP");
    expect(logged("configuration not reloaded")).toMatchObject({ problems: [{ path: "services.wiki", line: 3 }] });
    const answer = relay.request("wiki", "/still");
    await until("the answer", () => answer.ended);
    expect(answer.status).toBe(200);
    expect(await stop(command)).toBe(0);
  });

  test("a stream without a valid assertion never reaches the origin and leaves a local record", async () => {
    write(`services: { wiki: ${originPort} }`);
    const command = start();
    await until("a connection", () => relay.connections[0]);
    const missing = relay.request("wiki", "/slow", null);
    const foreign = relay.request("wiki", "/slow", relay.assertion("shop"));
    await until("the refusals", () => missing.ended && foreign.ended);
    expect([missing.reset, foreign.reset]).toEqual([ResetCode.ASSERTION_REFUSED, ResetCode.ASSERTION_REFUSED]);
    expect(release).toHaveLength(0);
    expect(lines.filter(({ msg }) => msg === "assertion refused")).toMatchObject([
      { service: "wiki", reason: "no assertion" },
      { service: "wiki", reason: "assertion for another service" },
    ]);
    expect(await stop(command)).toBe(0);
  });

  test("the first signal lets a request in flight finish, and refuses new ones", async () => {
    write(`services: { wiki: ${originPort} }`);
    const command = start();
    const mux = await until("a connection", () => relay.connections[0]);
    const slow = relay.request("wiki", "/slow");
    await until("the request", () => release[0]);
    io.signal("SIGTERM");
    await until("GOAWAY", () => !mux.accepting);
    release[0]?.();
    expect(await command).toBe(0);
    await until("the answer", () => slow.ended);
    expect(slow).toMatchObject({ status: 200, body: "/slow 3" });
    expect(logged("connector ended")).toMatchObject({ cutStreams: 0 });
  });

  test("the second signal ends at once", async () => {
    write(`services: { wiki: ${originPort} }`);
    const command = start();
    await until("a connection", () => relay.connections[0]);
    const slow = relay.request("wiki", "/slow");
    await until("the request", () => release[0]);
    io.signal("SIGINT");
    io.signal("SIGINT");
    expect(await command).toBe(1);
    await until("the cut", () => slow.ended);
    expect(slow.reset).toBe(ResetCode.CONNECTION_LOST);
    expect(logged("connector ended")).toMatchObject({ cutStreams: 1 });
  });

  test("the admin listener is ready once a connection is authenticated, and answers to its own address only", async () => {
    const adminPort = await listen(createServer());
    await closers.pop()?.();
    write(`admin: { address: "127.0.0.1:${adminPort}" }\nservices: { wiki: ${originPort} }`);
    const command = start();
    await until("a connection", () => logged("connected to the relay"));
    const fetched = (path: string, host = `127.0.0.1:${adminPort}`): Promise<{ status: number | undefined; body: string }> =>
      new Promise((resolve, reject) => {
        get({ port: adminPort, host: "127.0.0.1", path, headers: { Host: host }, agent: false }, (response) => {
          let body = "";
          response.on("data", (chunk) => (body += String(chunk)));
          response.on("end", () => resolve({ status: response.statusCode, body }));
        }).on("error", reject);
      });
    expect((await fetched("/healthz")).status).toBe(200);
    const ready = await fetched("/readyz");
    expect(ready.status).toBe(200);
    expect(JSON.parse(ready.body)).toMatchObject({ ready: true, tunnel: { slots: [{ state: "serving", connectionId: "c1" }] } });
    const metrics = await fetched("/metrics");
    expect(metrics.body).toContain('sallyport_connector_connections{state="serving"} 1');
    expect(metrics.body).toContain(`sallyport_connector_origin_up{service="wiki",origin="http://127.0.0.1:${originPort}"} 1`);
    expect((await fetched("/metrics", "evil.example.com")).status).toBe(421);
    expect((await fetched("/other")).status).toBe(404);
    expect(await stop(command)).toBe(0);
  });

  test("names what is wrong with the configuration, the credential or the relay, and ends with 2", async () => {
    write("services: { wiki: nowhere }");
    expect(await start()).toBe(2);
    expect(io.stderr).toContain("services.wiki");
    write(`relay: https://other.example.com\nservices: { wiki: ${originPort} }`);
    expect(await start()).toBe(2);
    expect(io.stderr).toContain("ERR_CONNECTOR_WRONG_RELAY");
    write(`services: { wiki: ${originPort} }`);
    chmodSync(relay.credentialFile, 0o644);
    expect(await start()).toBe(2);
    expect(io.stderr).toContain("chmod 600");
  });
});

describe("sallyport check", () => {
  let config: string;
  const check = (...args: string[]): Promise<ExitCode> => cli(["check", "--config", config, ...args], io);
  const rows = (): { readonly name: string; readonly state: string; readonly detail: string; readonly remedy?: string }[] =>
    (JSON.parse(io.stdout) as { rows: ReturnType<typeof rows> }).rows;
  const states = (): Record<string, string> => Object.fromEntries(rows().map(({ name, state }) => [name, state]));

  beforeEach(() => {
    config = join(folder, `${originPort}.yaml`);
    writeFileSync(config, `credential: { file: ${relay.credentialFile} }\nservices: { wiki: ${originPort} }\n`);
  });

  test("shows every hop, the credential, keys, clock, grants and origins", async () => {
    expect(await check("--json")).toBe(0);
    expect(states()).toEqual({
      config: "ok",
      DNS: "ok",
      proxy: "ok",
      TCP: "ok",
      TLS: "skipped",
      WebSocket: "ok",
      credential: "ok",
      keys: "ok",
      clock: "ok",
      grant: "ok",
      "origin wiki": "ok",
    });
    expect(relay.announced, "a check announces no service, so that no visitor is sent to it").toEqual([]);
  });

  test("is a table with a remedy below the line that fails", async () => {
    writeFileSync(config, `credential: { file: ${relay.credentialFile} }\nservices: { wiki: "http://127.0.0.1:1" }\n`);
    expect(await check()).toBe(1);
    const lines = io.stdout.split("\n");
    const failed = lines.findIndex((line) => line.startsWith("FAIL"));
    expect(lines[failed]).toContain("origin wiki  http://127.0.0.1:1: ECONNREFUSED");
    expect(lines[failed + 1]).toContain("= start the service");
    expect(lines.filter((line) => line.startsWith("FAIL"))).toHaveLength(1);
  });

  test("a clock that is off by more than 30 s fails", async () => {
    relay.timeOffsetMs = -45_000;
    expect(await check("--json")).toBe(1);
    expect(rows().find(({ name }) => name === "clock")).toMatchObject({
      state: "failed",
      detail: expect.stringContaining("45."),
      remedy: expect.stringContaining("NTP"),
    });
  });

  test("a refused credential ends with 3", async () => {
    relay.refuse = { refuse: GoawayReason.CREDENTIAL_REVOKED, text: "this credential was revoked" };
    expect(await check("--json")).toBe(3);
    expect(states()).toMatchObject({ WebSocket: "ok", credential: "failed", clock: "skipped" });
  });

  test("a relay that is not there fails at the hop where it is missed", async () => {
    await closers.shift()?.();
    expect(await check("--json")).toBe(1);
    expect(states()).toMatchObject({ DNS: "ok", TCP: "failed", WebSocket: "skipped", credential: "skipped" });
  });

  test("a grant for a service that is not in the allow list is a warning", async () => {
    relay.grants = [grant("shop", "shop.example.com")];
    expect(await check("--json")).toBe(0);
    expect(rows().find(({ name }) => name === "grant")).toMatchObject({
      state: "warning",
      remedy: expect.stringContaining("add shop to services"),
    });
  });

  test("without a configuration of its own shows the problems of the file and ends with 2", async () => {
    writeFileSync(config, "services: { Wiki: 1 }\n");
    expect(await check("--json")).toBe(2);
    expect(JSON.parse(io.stdout)).toMatchObject({ problems: [{ code: "ERR_CONFIG_VALUE", line: 1 }] });
  });
});

describe("the command line", () => {
  test.each([["--help"], ["run", "--help"], ["http", "--help"], ["check", "--help"], ["--version"]])(
    "%s %s shows what was asked for and ends with 0",
    async (...args) => {
      expect(await cli(args, io)).toBe(0);
      expect(io.stdout).not.toBe("");
      expect(io.stderr).toBe("");
    },
  );

  test.each([
    [["acces", "--help"], "did you mean: sallyport access"],
    [["access", "logn", "--help"], "did you mean: sallyport access login"],
    [["publish", "-h"], "there are: run, http, check, access"],
  ])("%j is no help but a suggestion, and ends with 2", async (args, hint) => {
    expect(await cli(args, io)).toBe(2);
    expect([io.stdout, io.stderr]).toEqual(["", expect.stringContaining(hint)]);
  });

  test("help teaches with examples and says what exit codes mean", async () => {
    await cli(["http", "--help"], io);
    for (const part of ["sallyport http 3000", "--hostname", "SALLYPORT_CREDENTIAL", "Exit codes:"]) expect(io.stdout).toContain(part);
  });

  test.each([
    [["serve"]],
    [["http"]],
    [["run", "--nope"]],
    [["run", "--grace", "soon"]],
    [["http", "1", "--connections", "0"]],
    [["http", "1", "--service", "No!"]],
    [["run", "--log-level", "loud"]],
  ])("%j is a usage error", async (args) => {
    expect(await cli(args, io)).toBe(2);
    expect(io.stderr).toContain("error:");
  });
});
