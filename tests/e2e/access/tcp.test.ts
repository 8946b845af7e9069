// TCP services (T19) through the built command lines: ssh and scp with a real sshd, half-close, a local port, service tokens,
// refusals, and the end of access while a session is open (R-I2).

import { createHash, randomBytes } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SALLYPORT_MAIN, startConnector } from "../../harness/connector.ts";
import { need } from "../../harness/need.ts";
import { Person, PIN_PROVIDER } from "../../harness/programs.ts";
import { command, Program } from "../../harness/program.ts";
import { startRelay } from "../../harness/relay.ts";
import type { Relay } from "../../harness/relay.ts";
import { eventually, within } from "../../harness/scratch.ts";
import { startSshd } from "../../harness/sshd.ts";

const EMAIL = "ann@example.com";

interface Bed {
  readonly relay: Relay;
  readonly ann: Person;
}

async function startBed(stack: AsyncDisposableStack, port: number): Promise<Bed> {
  const applications = [
    { name: "tcp", policies: ["staff", "programs"] },
    { name: "web", policies: ["staff"] },
  ];
  const relay = await startRelay(stack, { applications, config: PIN_PROVIDER });
  await startConnector(stack, relay, { services: { tcp: `tcp://127.0.0.1:${port}`, web: "hello" } });
  return { relay, ann: new Person(stack, relay) };
}

/** Accepts connections; each is handed to `serve`. */
async function startTcp(stack: AsyncDisposableStack, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Answers with the digest of what it was sent, once all of it was. */
function digest(socket: Socket): void {
  const hash = createHash("sha256");
  socket.on("data", (chunk: Buffer) => void hash.update(chunk));
  socket.on("end", () => void socket.end(hash.digest("hex")));
}

async function listen(
  stack: AsyncDisposableStack,
  ann: Person,
  application = "tcp",
): Promise<{ readonly program: Program; readonly port: number }> {
  const program = stack.use(ann.launch("access", "tcp", "--hostname", ann.url(application), "--listen", "0"));
  const line = await program.line(/Listening on 127\.0\.0\.1:\d+/);
  return { program, port: Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]) };
}

/** Sends everything, ends its direction, and reads to the end. */
function talk(port: number, body: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
    socket.on("end", () => void socket.end());
    socket.end(body);
  });
}

test("ssh, scp and a long session through a real sshd; revoking the session ends it within 5 s", async (context) => {
  const [ssh = "", scp = "", ...server] = need(context, "ssh", "scp", "sshd", "ssh-keygen");
  await using stack = new AsyncDisposableStack();
  const sshd = await startSshd(stack, server);
  const { relay, ann } = await startBed(stack, sshd.port);
  await ann.logIn("tcp", EMAIL);

  // As a user has it: `sallyport` in PATH, the printed block in the configuration.
  const wrapper = join(ann.home, "sallyport");
  writeFileSync(wrapper, `#!/bin/sh\nexec "${process.execPath}" "${SALLYPORT_MAIN}" "$@"\n`);
  chmodSync(wrapper, 0o755);
  const env = { ...ann.env, PATH: `${ann.home}:${process.env["PATH"] ?? ""}` };
  const block = await ann.run(["access", "ssh-config", "--hostname", ann.url("tcp")]);
  expect(block.stdout).toBe(`Host tcp.relay.localhost\n  ProxyCommand sallyport access tcp --hostname ${ann.url("tcp")}\n`);
  const knownHosts = join(ann.home, "known_hosts");
  writeFileSync(knownHosts, `tcp.relay.localhost ${sshd.hostKey}\n`);
  const config = join(ann.home, "ssh_config");
  writeFileSync(
    config,
    `${block.stdout}  User ${sshd.user}\n  IdentityFile ${sshd.identityFile}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${knownHosts}\n  StrictHostKeyChecking yes\n  BatchMode yes\n`,
  );

  const counted = await command(ssh, ["-F", config, "tcp.relay.localhost", "seq 1 200000"], { env });
  expect([counted.code, counted.stderr]).toEqual([0, ""]);
  expect(counted.stdout).toBe(`${Array.from({ length: 200_000 }, (_, index) => index + 1).join("\n")}\n`);
  expect((await command(ssh, ["-F", config, "tcp.relay.localhost", "exit 7"], { env })).code).toBe(7);

  const local = join(ann.home, "local");
  const copied = join(ann.home, "copied");
  writeFileSync(local, randomBytes(5_000_000));
  const copy = await command(scp, ["-q", "-F", config, local, `tcp.relay.localhost:${copied}`], { env });
  expect([copy.code, copy.stderr]).toEqual([0, ""]);
  expect(readFileSync(copied).equals(readFileSync(local))).toBe(true);

  const recorded = (): readonly Record<string, unknown>[] => relay.records().filter(({ path }) => path === "/.sallyport/tcp");
  await eventually(() => recorded().some(({ bytesIn }) => Number(bytesIn) > 5_000_000), { what: "a record of the copy" });
  expect(recorded()[0]).toMatchObject({ application: "tcp", decision: "allow", policy: "staff", status: 101, email: EMAIL });

  const session = stack.use(
    new Program({ name: "ssh", command: ssh, args: ["-F", config, "tcp.relay.localhost", "echo begun; sleep 600"], env }),
  );
  await session.line(/begun/);
  await relay.mustRun("session", "revoke", "--email", EMAIL);
  const revokedAtMs = performance.now();
  await within(5_000, "the ssh session to end", session.exited);
  console.log(`ssh ended ${(performance.now() - revokedAtMs).toFixed(0)} ms after the command that revoked`);
  expect(session.output).toContain("access ended while the connection was open");
  expect((await command(ssh, ["-F", config, "tcp.relay.localhost", "true"], { env })).code).not.toBe(0);
});

test("a local port: half-close in both directions, large bodies, several connections at once", async () => {
  await using stack = new AsyncDisposableStack();
  const { ann } = await startBed(stack, await startTcp(stack, digest));
  await ann.logIn("tcp", EMAIL);
  const { program, port } = await listen(stack, ann);
  const bodies = [Buffer.alloc(0), Buffer.from("x"), randomBytes(20_000_000), ...Array.from({ length: 8 }, () => randomBytes(100_000))];
  const answers = await Promise.all(bodies.map((body) => talk(port, body)));
  expect(answers).toEqual(bodies.map((body) => createHash("sha256").update(body).digest("hex")));
  expect((await program.stop("SIGINT")).code).toBe(0);
});

test("the service ends first: its last bytes and its end arrive", async () => {
  await using stack = new AsyncDisposableStack();
  const greeting = "hello and goodbye";
  const { ann } = await startBed(stack, await startTcp(stack, (socket) => void socket.end(greeting)));
  await ann.logIn("tcp", EMAIL);
  const { port } = await listen(stack, ann);
  expect(await talk(port, Buffer.alloc(0))).toBe(greeting);
});

test("a service token connects a program that nobody sits in front of", async () => {
  await using stack = new AsyncDisposableStack();
  const { relay, ann } = await startBed(stack, await startTcp(stack, (socket) => void socket.end("for programs")));
  const { clientId, clientSecret } = await relay.createServiceToken("backup");
  const result = await ann.run(["access", "tcp", "--hostname", ann.url("tcp")], {
    SALLYPORT_CLIENT_ID: clientId,
    SALLYPORT_CLIENT_SECRET: clientSecret,
  });
  expect([result.code, result.stdout, result.stderr]).toEqual([0, "for programs", ""]);
  const wrong = await ann.run(["access", "tcp", "--hostname", ann.url("tcp")], {
    SALLYPORT_CLIENT_ID: clientId,
    SALLYPORT_CLIENT_SECRET: `${clientSecret}x`,
  });
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("ERR_CREDENTIAL_INVALID")]);
});

test("refusals are told with their reason: nobody signed in, not allowed, no TCP service, nothing behind it", async () => {
  await using stack = new AsyncDisposableStack();
  const { relay, ann } = await startBed(stack, 9);
  const tcp = (application: string, env: Readonly<Record<string, string>> = {}): ReturnType<Person["run"]> =>
    ann.run(["access", "tcp", "--hostname", ann.url(application)], env);
  expect((await tcp("tcp")).stderr).toContain("sallyport access login");
  const { clientId, clientSecret } = await relay.createServiceToken("robot");
  const robot = { SALLYPORT_CLIENT_ID: clientId, SALLYPORT_CLIENT_SECRET: clientSecret };
  const denied = await tcp("web", robot);
  expect([denied.code, denied.stderr]).toEqual([3, expect.stringContaining("ERR_ACCESS_DENIED")]);
  await ann.logIn("web", EMAIL);
  const http = await tcp("web");
  expect([http.code, http.stderr]).toEqual([1, expect.stringContaining("ERR_REQUEST_NOT_FORWARDABLE")]);
  const nothing = await tcp("tcp", robot);
  expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringContaining("ERR_ORIGIN_UNREACHABLE")]);
  for (const address of ["0.0.0.0:2222", "example.com:22", "[::]:22", "99999"]) {
    expect((await ann.run(["access", "tcp", "--hostname", ann.url("tcp"), "--listen", address])).code).toBe(2);
  }
});

test("T16: what the connector itself demands holds for TCP, too: a person whom the relay lets in is refused there", async () => {
  await using stack = new AsyncDisposableStack();
  const port = await startTcp(stack, (socket) => void socket.end("for programs"));
  const relay = await startRelay(stack, { applications: [{ name: "tcp", policies: ["staff", "programs"] }], config: PIN_PROVIDER });
  const service = { url: `tcp://127.0.0.1:${port}`, require: { kinds: ["service"] } };
  const connector = await startConnector(stack, relay, { services: { tcp: service } });
  const ann = new Person(stack, relay);
  await ann.logIn("tcp", EMAIL);
  const refused = await ann.run(["access", "tcp", "--hostname", ann.url("tcp")]);
  expect([refused.code, refused.stdout, refused.stderr]).toEqual([3, "", expect.stringContaining("ERR_ASSERTION_REFUSED")]);
  expect(connector.program.output).toContain('"reason":"local require: kinds"');
  const { clientId, clientSecret } = await relay.createServiceToken("robot");
  const robot = { SALLYPORT_CLIENT_ID: clientId, SALLYPORT_CLIENT_SECRET: clientSecret };
  expect((await ann.run(["access", "tcp", "--hostname", ann.url("tcp")], robot)).stdout).toBe("for programs");
});
