// The promise of the product, in network namespaces: a private host that drops everything inbound and listens on
// nothing but loopback is reached by visitors through the relay, and by nobody in any other way. A second version
// leaves the private host only one way out, an HTTP CONNECT proxy.

import { join } from "node:path";
import { expect, test } from "vitest";
import { startConnector } from "../harness/connector.ts";
import type { Connector } from "../harness/connector.ts";
import { need } from "../harness/need.ts";
import type { TestLike } from "../harness/need.ts";
import { Host, link } from "../harness/netns.ts";
import { command, Program } from "../harness/program.ts";
import { startRelay } from "../harness/relay.ts";
import type { Relay } from "../harness/relay.ts";
import { scratchFolder } from "../harness/scratch.ts";
import { createAuthority } from "../harness/tls.ts";
import type { Authority } from "../harness/tls.ts";

const AUTH = "auth.relay.test";
const WEB = "web.relay.test";
const ORIGIN_PORT = 3000;
const PROXY_PORT = 3128;
const FIXTURES = join(import.meta.dirname, "fixtures");

function needHosts(context: TestLike): void {
  need(context, "root", "ip", "nft", "ss", "curl", "openssl");
}

async function createHost(stack: AsyncDisposableStack, label: string): Promise<Host> {
  return stack.use(await Host.create(label));
}

async function startFixture(stack: AsyncDisposableStack, host: Host, file: string, ...args: readonly string[]): Promise<Program> {
  const program = stack.use(
    new Program({ name: file, command: process.execPath, args: [join(FIXTURES, file), ...args], netns: host.netns }),
  );
  await program.line(/^listening$/);
  return program;
}

async function startPublicRelay(stack: AsyncDisposableStack, host: Host): Promise<{ relay: Relay; authority: Authority }> {
  const authority = await createAuthority(scratchFolder(stack, "sallyport-ca"));
  const relay = await startRelay(stack, {
    applications: [{ name: "web", hostname: WEB }],
    tls: await authority.issue("relay", ["*.relay.test"]),
    listenHost: "0.0.0.0",
    authHost: AUTH,
    port: 443,
    netns: host.netns,
  });
  return { relay, authority };
}

async function startPrivateConnector(
  stack: AsyncDisposableStack,
  relay: Relay,
  host: Host,
  authority: Authority,
  env: Readonly<Record<string, string>>,
): Promise<Connector> {
  return await startConnector(stack, relay, {
    services: { web: `http://127.0.0.1:${ORIGIN_PORT}` },
    config: { ca: { file: authority.caFile } },
    env,
    netns: host.netns,
  });
}

interface Curl {
  readonly code: number | null;
  readonly status: number;
  readonly body: string;
}

/** curl from a host; 28 is its code for "no answer in time", 7 for "could not connect". */
async function curl(from: Host, ...args: readonly string[]): Promise<Curl> {
  const { code, stdout } = await command("curl", ["-s", "--max-time", "10", "-w", "\n%{http_code}", ...args], { netns: from.netns });
  const at = stdout.lastIndexOf("\n");
  return { code, status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
}

/** What a visitor gets for some requests through the relay: answers of the private origin. */
async function expectServed(visitor: Host, address: string, authority: Authority): Promise<void> {
  const through = ["--cacert", authority.caFile, "--resolve", `${WEB}:443:${address}`];
  const plain = await curl(visitor, ...through, `https://${WEB}/hello?x=1`);
  expect(plain).toMatchObject({ code: 0, status: 200 });
  expect(JSON.parse(plain.body)).toEqual({ path: "/hello?x=1", bytes: 0, from: "127.0.0.1" });
  const posted = await curl(visitor, ...through, "--http1.1", "--data-binary", "x".repeat(50_000), `https://${WEB}/upload`);
  expect(JSON.parse(posted.body)).toMatchObject({ path: "/upload", bytes: 50_000 });
}

async function expectListensOnLoopbackOnly(host: Host): Promise<void> {
  const sockets = await host.listening();
  expect(sockets.length).toBeGreaterThan(0);
  expect(sockets.filter((address) => !address.startsWith("127.0.0.1:"))).toEqual([]);
}

test("a host with inbound policy DROP serves visitors through the relay and is reachable from nowhere", async (context) => {
  needHosts(context);
  await using stack = new AsyncDisposableStack();
  const [outside, privateHost, visitor] = [await createHost(stack, "pub"), await createHost(stack, "priv"), await createHost(stack, "vis")];
  await link(outside, "10.77.1.1/24", visitor, "10.77.1.2/24");
  await link(outside, "10.77.2.1/24", privateHost, "10.77.2.2/24");
  privateHost.names({ [AUTH]: "10.77.2.1" });
  await startFixture(stack, privateHost, "origin.mjs", "127.0.0.1", String(ORIGIN_PORT));

  // First without a firewall: these connections work, so that their failure afterwards means something.
  await using control = await startFixture(stack, privateHost, "origin.mjs", "10.77.2.2", "3999");
  expect(await curl(outside, "http://10.77.2.2:3999/")).toMatchObject({ code: 0, status: 200 });
  await privateHost.firewall();
  expect((await curl(outside, "--connect-timeout", "2", "http://10.77.2.2:3999/")).code).toBe(28);
  expect(await privateHost.droppedInbound()).toBeGreaterThan(0);
  await control.stop("SIGKILL");

  const { relay, authority } = await startPublicRelay(stack, outside);
  const connector = await startPrivateConnector(stack, relay, privateHost, authority, {});
  await expectServed(visitor, "10.77.1.1", authority);
  await expectListensOnLoopbackOnly(privateHost);

  const droppedBefore = await privateHost.droppedInbound();
  for (const port of [ORIGIN_PORT, connector.adminPort, 443, 22]) {
    expect(await curl(outside, "--connect-timeout", "1", `http://10.77.2.2:${port}/`)).toMatchObject({ code: 28 });
  }
  // The visitor's network has no way to it at all.
  expect((await curl(visitor, "--connect-timeout", "1", `http://10.77.2.2:${ORIGIN_PORT}/`)).code).not.toBe(0);
  expect(await privateHost.droppedInbound()).toBeGreaterThan(droppedBefore);
});

test("with an HTTP CONNECT proxy as the only way out the connector serves through it", async (context) => {
  needHosts(context);
  await using stack = new AsyncDisposableStack();
  const [outside, proxyHost, privateHost] = [
    await createHost(stack, "pub"),
    await createHost(stack, "prox"),
    await createHost(stack, "priv"),
  ];
  await link(outside, "10.78.1.1/24", proxyHost, "10.78.1.2/24");
  await link(proxyHost, "10.78.2.1/24", privateHost, "10.78.2.2/24");
  // Only the proxy knows the relay's address: the private host can neither resolve nor reach it.
  proxyHost.names({ [AUTH]: "10.78.1.1" });
  privateHost.names({ "proxy.corp.test": "10.78.2.1" });
  await privateHost.firewall({ address: "10.78.2.1", port: PROXY_PORT });
  const proxy = await startFixture(stack, proxyHost, "connect-proxy.mjs", "10.78.2.1", String(PROXY_PORT), "alice:p%ss");
  await startFixture(stack, privateHost, "origin.mjs", "127.0.0.1", String(ORIGIN_PORT));
  const { relay, authority } = await startPublicRelay(stack, outside);

  expect((await curl(privateHost, "--connect-timeout", "1", "-k", "https://10.78.1.1/")).code).not.toBe(0);
  const env = { HTTPS_PROXY: `http://alice:p%25ss@proxy.corp.test:${PROXY_PORT}` };
  await startPrivateConnector(stack, relay, privateHost, authority, env);
  expect(proxy.lines.filter((line) => line.startsWith("connect ")).length).toBeGreaterThan(0);
  expect(new Set(proxy.lines.filter((line) => line.startsWith("connect ")))).toEqual(new Set([`connect ${AUTH}:443`]));
  await expectServed(outside, "10.78.1.1", authority);
  await expectListensOnLoopbackOnly(privateHost);
});
