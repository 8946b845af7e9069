// R-K2: connectors with one tunnel's credentials share its load, and each shows, with address, version and since when, in
// status, metrics and record: a stolen credential is seen. Programs as they run, but for the thief.

import { connectAdmin } from "@sallyport/relay/admin/client";
import type { RelayStatus } from "@sallyport/relay/admin/status";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startConnector, type Connector } from "../harness/connector.ts";
import { startOrigin } from "../harness/origin.ts";
import { startRelay, type Relay } from "../harness/relay.ts";
import { eventually, within } from "../harness/scratch.ts";
import { visit } from "../harness/visitor.ts";
import { useBed } from "./support/bed.ts";
import { RogueConnector } from "./support/rogue-connector.ts";
import { ask } from "./support/visit.ts";

/** Answers with its name, once as many requests as are awaited are there: they are all outstanding at once. */
class Gate {
  #waiting: (() => void)[] = [];
  #awaited = 1;

  hold(count: number): void {
    this.#awaited = count;
  }

  enter(answer: () => void): void {
    this.#waiting.push(answer);
    if (this.#waiting.length < this.#awaited) return;
    this.#awaited = 1;
    for (const go of this.#waiting.splice(0)) go();
  }
}

async function replica(stack: AsyncDisposableStack, relay: Relay, gate: Gate, name: string, credential: string): Promise<Connector> {
  const origin = await startOrigin(stack, (_request, response) => gate.enter(() => response.end(name)));
  return await startConnector(stack, relay, { services: { web: origin.url }, credential });
}

/** Who answered `count` requests that were under way at the same time. */
async function shares(relay: Relay, gate: Gate, count: number): Promise<Readonly<Record<string, number>>> {
  gate.hold(count);
  const answers = await within(20_000, "all answers", Promise.all(Array.from({ length: count }, () => visit(relay, "web", "/"))));
  const shared: Record<string, number> = {};
  for (const { status, body } of answers) {
    const name = `${status} ${body.toString()}`;
    shared[name] = (shared[name] ?? 0) + 1;
  }
  return shared;
}

async function status(relay: Relay): Promise<RelayStatus> {
  return JSON.parse(await relay.mustRun("status", "--json")) as RelayStatus;
}

test("R-K2: three connectors with one credential share the load evenly, and all three show in status, metrics and record", async () => {
  await using stack = new AsyncDisposableStack();
  const startedAt = Date.now();
  const relay = await startRelay(stack, { applications: [{ name: "web" }], tunnels: ["office", "lab"] });
  const credential = await relay.createCredential();
  const gate = new Gate();
  for (const name of ["one", "two", "three"]) await replica(stack, relay, gate, name, credential);
  await eventually(async () => (await relay.metric("sallyport_tunnel_connections")) === 6, { what: "six connections" });

  expect(await shares(relay, gate, 30)).toEqual({ "200 one": 10, "200 two": 10, "200 three": 10 });

  const [office, lab] = (await status(relay)).tunnels;
  expect(lab?.connectors).toEqual([]);
  expect(office?.connectors).toHaveLength(3);
  expect(new Set(office?.connectors.map(({ connectorId }) => connectorId)).size).toBe(3);
  const id = (await relay.credentials())[0]?.id;
  for (const connector of office?.connectors ?? []) {
    expect(connector).toMatchObject({
      credentialId: id,
      address: "127.0.0.1",
      connections: 2,
      version: expect.stringMatching(/^sallyport\/\d/),
    });
    expect(connector.connectedAt).toBeGreaterThanOrEqual(startedAt);
    expect(connector.connectedAt).toBeLessThanOrEqual(Date.now());
  }
  const rows = (await relay.mustRun("status")).split("\n").filter((line) => line.startsWith("office "));
  expect(rows).toHaveLength(3);
  for (const row of rows) expect(row).toMatch(new RegExp(`sallyport/\\d\\S* +127\\.0\\.0\\.1 +${id} +2 +0 +\\d{4}-\\d\\d-\\d\\d`));

  expect(await relay.metric("sallyport_tunnel_connectors", 'tunnel="office"')).toBe(3);
  expect(await relay.metric("sallyport_tunnel_connections", 'tunnel="lab"')).toBe(0);
  const connected = relay.records().filter(({ type }) => type === "connector.connected");
  expect(connected).toHaveLength(6);
  for (const record of connected)
    expect(record).toMatchObject({
      tunnel: "office",
      credentialId: id,
      sourceIp: "127.0.0.1",
      version: expect.stringMatching(/^sallyport\//),
    });
  expect(new Set(connected.map(({ connectorId }) => connectorId))).toEqual(
    new Set(office?.connectors.map(({ connectorId }) => connectorId)),
  );
});

test("R-K2: one that stops leaves status and load to the others, and the record says when", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startRelay(stack, { applications: [{ name: "web" }] });
  const credential = await relay.createCredential();
  const gate = new Gate();
  await replica(stack, relay, gate, "stays", credential);
  const goes = await replica(stack, relay, gate, "goes", credential);
  await eventually(async () => (await relay.metric("sallyport_tunnel_connectors")) === 2, { what: "both connectors" });
  const before = (await status(relay)).tunnels[0]?.connectors.map(({ connectorId }) => connectorId) ?? [];
  await goes.stop();
  await eventually(async () => (await relay.metric("sallyport_tunnel_connectors")) === 1, { what: "one connector to leave" });
  const after = (await status(relay)).tunnels[0]?.connectors.map(({ connectorId }) => connectorId) ?? [];
  expect(after).toHaveLength(1);
  expect(before).toContain(after[0]);
  expect(await shares(relay, gate, 8)).toEqual({ "200 stays": 8 });
  const gone = before.find((id) => id !== after[0]);
  const ended = await eventually(
    () => {
      const found = relay.records().filter(({ type }) => type === "connector.disconnected");
      return found.length === 2 && found;
    },
    { what: "the record of both its connections" },
  );
  expect(ended.map(({ connectorId, reason }) => [connectorId, typeof reason])).toEqual([
    [gone, "string"],
    [gone, "string"],
  ]);
});

test("R-K2: two credentials of one tunnel share its load too; revoking one leaves the other's connectors alone", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startRelay(stack, { applications: [{ name: "web" }] });
  const gate = new Gate();
  await replica(stack, relay, gate, "kept", await relay.createCredential());
  const [kept] = await relay.credentials();
  const lost = await replica(stack, relay, gate, "lost", await relay.createCredential());
  await eventually(async () => (await relay.metric("sallyport_tunnel_connections")) === 4, { what: "four connections" });
  expect(await shares(relay, gate, 12)).toEqual({ "200 kept": 6, "200 lost": 6 });
  const other = (await relay.credentials()).find(({ id }) => id !== kept?.id);
  await relay.mustRun("credential", "revoke", other?.id ?? "");
  await within(5_000, "the revoked connector to give up", lost.program.exited);
  expect(await shares(relay, gate, 12)).toEqual({ "200 kept": 12 });
  expect((await status(relay)).tunnels[0]?.connectors.map(({ credentialId }) => credentialId)).toEqual([kept?.id]);
});

const bed = useBed();

test("R-K2: a thief who copies the id of the real connector as well is a line of its own", async () => {
  const { lab } = bed().credentials;
  const same = { connectorId: "copied", hostname: "host-1", software: "sallyport/1.0.0" };
  await using owner = await RogueConnector.connect(bed(), lab, same);
  await using second = await RogueConnector.connect(bed(), lab, same);
  await using thief = await RogueConnector.connect(bed(), lab, { ...same, hostname: "host-2" });
  const served: string[] = [];
  for (const [name, connector] of Object.entries({ owner, second, thief }))
    connector.onOpen = (stream) => {
      served.push(name);
      connector.answer(stream, { status: 200, fields: [] }, name);
    };
  for (let i = 0; i < 6; i++) expect((await ask(bed(), "/x", { host: "lab.example.test" })).status).toBe(200);
  expect(served.toSorted()).toEqual(["owner", "owner", "second", "second", "thief", "thief"]);
  const admin = await connectAdmin(join(bed().folder, "state"));
  if (admin === undefined) throw new Error("the relay does not answer");
  const { tunnels } = (await admin.call("status")) as RelayStatus;
  const connectors = tunnels.find(({ name }) => name === "lab")?.connectors ?? [];
  expect(connectors.map(({ connectorId, hostname, connections }) => [connectorId, hostname, connections]).toSorted()).toEqual([
    ["copied", "host-1", 2],
    ["copied", "host-2", 1],
  ]);
});
