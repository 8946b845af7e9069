// What a connector may do and for how long: a revoked credential ends its connections within a second, a revoked or
// foreign one is told so for good, and a hostname that the tunnel was not granted is refused and recorded.

import { existsSync, readFileSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { prepareConnector, runSallyport, startConnector } from "../harness/connector.ts";
import { startOrigin } from "../harness/origin.ts";
import { startRelay } from "../harness/relay.ts";
import type { Relay } from "../harness/relay.ts";
import { eventually, within } from "../harness/scratch.ts";
import { answer, openVisit, visit } from "../harness/visitor.ts";

/** The connector's exit code for "the relay refuses this connector for good". */
const REFUSED = 3;

async function credentialId(relay: Relay): Promise<string> {
  return (await relay.credentials()).at(-1)?.id ?? "none";
}

/** Waits for a record of a refused connector that has all these fields. */
async function refusalRecorded(relay: Relay, fields: Readonly<Record<string, string>>): Promise<void> {
  const fits = (record: Readonly<Record<string, unknown>>): boolean =>
    record["type"] === "connector.refused" && Object.entries(fields).every(([name, value]) => record[name] === value);
  await eventually(() => relay.records().some(fits), { what: `a record of the refusal ${JSON.stringify(fields)}` });
}

test("a credential file is private, and its secret never crosses into the relay's state (R-J4)", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startRelay(stack, { applications: [{ name: "web" }] });
  const file = await relay.createCredential();
  expect(existsSync(file)).toBe(true);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const again = await relay.run("credential", "create", "office", "--output", file);
  expect(again.code, "an existing credential is never overwritten").not.toBe(0);
  const unknown = await relay.run("credential", "create", "nowhere", "--output", `${file}.2`);
  expect(unknown.code).not.toBe(0);
  expect(unknown.stderr).toContain("nowhere");
  expect(existsSync(`${file}.2`)).toBe(false);
});

test("revoking a credential ends its connections and streams within a second, and its connector for good", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => void response.writeHead(200).write("begun"));
  const { relay, connector } = await createBed(stack, { services: { web: origin.url } });
  const request = openVisit(relay, "web", "/stream");
  request.end();
  const response = await answer(request);
  const cut = new Promise<number>((resolve) => response.once("close", () => resolve(performance.now())));
  response.on("error", () => {});
  response.resume();

  const id = await credentialId(relay);
  const exited = connector.program.exited.then((exit) => ({ exit, atMs: performance.now() }));
  const revoked = await relay.run("credential", "revoke", id);
  const revokedAtMs = performance.now();
  expect(revoked.code, revoked.stderr).toBe(0);

  const cutAtMs = await within(1_000, "the open stream to end", cut);
  console.log(`stream cut ${(cutAtMs - revokedAtMs).toFixed(0)} ms after the command had ended (negative: before)`);
  expect(response.complete, "a cut answer must not look whole").toBe(false);
  const { exit, atMs } = await within(5_000, "the connector to give up", exited);
  console.log(`connector gone ${(atMs - revokedAtMs).toFixed(0)} ms after the command had ended`);
  expect(exit.code).toBe(REFUSED);
  expect(connector.program.output).toMatch(/revoked/i);

  const after = await visit(relay, "web", "/");
  expect(after.status).toBe(503);
  expect(after.headers["retry-after"]).toMatch(/^\d+$/);
});

test("a revoked credential is refused for good, with its reason and an exit code", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startRelay(stack, { applications: [{ name: "web" }] });
  const connector = await prepareConnector(stack, relay, { services: { web: "hello" } });
  await relay.mustRun("credential", "revoke", await credentialId(relay));
  const program = stack.use(connector.launch());
  const exit = await within(10_000, "the connector to give up", program.exited);
  expect(exit.code).toBe(REFUSED);
  expect(program.output).toContain("ERR_TUNNEL_REFUSED");
  expect(program.output).toContain("was revoked");
  await refusalRecorded(relay, { reason: "credential-revoked" });
});

test("a foreign credential is refused for good, without saying why more than the relay may", async () => {
  await using stack = new AsyncDisposableStack();
  // The same address, another relay: the credential is well-formed and names the right URL.
  const foreign = await startRelay(stack, { applications: [{ name: "web" }] });
  const credential = await foreign.createCredential();
  await foreign.stop();
  const relay = await startRelay(stack, { applications: [{ name: "web" }], port: foreign.port });
  const connector = await prepareConnector(stack, relay, { services: { web: "hello" }, credential });
  const program = stack.use(connector.launch());
  const exit = await within(10_000, "the connector to give up", program.exited);
  expect(exit.code).toBe(REFUSED);
  expect(program.output).toMatch(/ERR_TUNNEL_\w+/);
  expect(program.output).not.toMatch(/revoked/i);
});

test("two credentials overlap: the old one is revoked without a lost request", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => void response.end("ok"));
  const relay = await startRelay(stack, { applications: [{ name: "web" }] });
  const old = await startConnector(stack, relay, { services: { web: origin.url } });
  const oldId = await credentialId(relay);
  await startConnector(stack, relay, { services: { web: origin.url } });
  await relay.mustRun("credential", "revoke", oldId);
  await within(5_000, "the old connector to give up", old.program.exited);
  for (let turn = 0; turn < 20; turn += 1) expect((await visit(relay, "web", "/")).status).toBe(200);
});

test("a hostname that the tunnel was not granted is refused and recorded", async () => {
  await using stack = new AsyncDisposableStack();
  const applications = [{ name: "web" }, { name: "other", tunnel: "lab" }];
  const relay = await startRelay(stack, { applications, tunnels: ["office", "lab"] });
  const credential = await relay.createCredential("office");
  for (const hostname of ["other.relay.localhost", "*.relay.localhost", "unknown.example.com"]) {
    const { code, stderr, stdout } = await runSallyport(["http", "3000", "--credential", credential, "--hostname", hostname]);
    expect(code, `${hostname}: ${stdout}${stderr}`).not.toBe(0);
    expect(stdout + stderr).toContain(hostname);
    await refusalRecorded(relay, { reason: "hostname-not-granted", hostname });
  }
});

test("a service that the connector does not list is refused by the connector, not dialled", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startRelay(stack, { applications: [{ name: "web" }, { name: "secret", service: "secret" }] });
  const connector = await startConnector(stack, relay, { services: { web: "hello" } });
  const refused = await visit(relay, "secret", "/");
  expect(refused.status).toBeGreaterThanOrEqual(502);
  expect(refused.headers["sallyport-error"]).toMatch(/^ERR_/);
  expect((await visit(relay, "web", "/")).status).toBe(200);
  expect(readFileSync(connector.configFile, "utf8")).not.toContain("secret");
});
