// A service owner edits connector.yaml while the tunnel is in use (T18): the relay knows of it from the next request on, and
// nothing that is under way notices.

import { expect, test } from "vitest";
import { launchSallyport, startConnector } from "../harness/connector.ts";
import type { Connector } from "../harness/connector.ts";
import { Load } from "../harness/load.ts";
import { startOrigin } from "../harness/origin.ts";
import { startRelay } from "../harness/relay.ts";
import type { Relay } from "../harness/relay.ts";
import { eventually, within } from "../harness/scratch.ts";
import { answer, openVisit, visit } from "../harness/visitor.ts";

interface Twins {
  readonly relay: Relay;
  readonly one: Connector;
  readonly two: Connector;
  readonly url: string;
}

/** Two connectors with the service `web`; `extra` is published, and nobody has it yet. */
async function twins(stack: AsyncDisposableStack): Promise<Twins> {
  const origin = await startOrigin(stack, (request, response) => {
    if (request.url !== "/open") return void response.end(request.url);
    response.write("first");
    setTimeout(() => response.end("last"), 3_000);
  });
  const relay = await startRelay(stack, { applications: [{ name: "web" }, { name: "extra" }] });
  const services = { web: origin.url };
  const one = await startConnector(stack, relay, { services });
  const two = await startConnector(stack, relay, { services });
  await eventually(async () => (await relay.metric("sallyport_tunnel_connections")) === 4, { what: "both connectors to be connected" });
  return { relay, one, two, url: origin.url };
}

async function reload(connector: Connector, services: Readonly<Record<string, string>>): Promise<void> {
  const before = connector.program.output.split("configuration reloaded").length;
  connector.writeConfig(services);
  connector.program.kill("SIGHUP");
  await eventually(() => connector.program.output.split("configuration reloaded").length > before, { what: "the reload" });
}

async function announced(relay: Relay, times: number): Promise<void> {
  await eventually(() => relay.program.output.split("connector has other services now").length > times, {
    what: `${times} connections to announce their services`,
  });
}

test("T18: a service that one of two connectors gets is served by that one alone, over the connections there are", async () => {
  await using stack = new AsyncDisposableStack();
  const { relay, one, url } = await twins(stack);
  expect((await visit(relay, "extra", "/x")).headers["sallyport-error"]).toBe("ERR_SERVICE_UNKNOWN");
  const open = openVisit(relay, "web", "/open");
  open.end();
  const response = await answer(open);
  let body = "";
  response.on("data", (chunk: Buffer) => (body += chunk.toString()));
  const ended = new Promise((resolve) => response.once("close", resolve));
  await reload(one, { web: url, extra: url });
  await announced(relay, 2);
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => visit(relay, "extra", `/${i}`)));
  expect(answers.map(({ status, body: text }) => [status, text.toString()])).toEqual(answers.map((_, i) => [200, `/${i}`]));
  await within(15_000, "the download that was under way", ended);
  expect([body, response.complete]).toEqual(["firstlast", true]);
  expect(await relay.metric("sallyport_tunnel_connects_total"), "no connection was made for it").toBe(4);
});

test("T18: a service that leaves one of two connectors under load costs no request", async () => {
  await using stack = new AsyncDisposableStack();
  const { relay, one, two, url } = await twins(stack);
  const check = ({ status, body }: { readonly status: number; readonly body: Buffer }, path: string): string | undefined =>
    status === 200 && body.toString() === path ? undefined : `${status} ${body.toString().slice(0, 200)}`;
  const load = new Load(relay, { application: "web", check });
  for (let turn = 0; turn < 3; turn++) {
    await reload(one, { other: url });
    await announced(relay, turn * 8 + 2);
    await reload(one, { web: url });
    await announced(relay, turn * 8 + 4);
    await reload(two, { other: url });
    await announced(relay, turn * 8 + 6);
    await reload(two, { web: url });
    await announced(relay, turn * 8 + 8);
  }
  const { requests, failures } = await load.stop();
  expect(failures).toEqual([]);
  expect(requests).toBeGreaterThan(100);
  expect(await relay.metric("sallyport_tunnel_connects_total")).toBe(4);
});

test("R-K1: a hostname that a reload takes away ends the connector that asked for it, with the reason, on record once per connection", async () => {
  await using stack = new AsyncDisposableStack();
  const origin = await startOrigin(stack, (_request, response) => void response.end("ok"));
  const relay = await startRelay(stack, { applications: [{ name: "web" }, { name: "extra" }] });
  const credential = await relay.createCredential();
  const hostname = "extra.relay.localhost";
  const program = launchSallyport(["http", String(origin.port), "--credential", credential, "--hostname", hostname], {});
  stack.defer(() => program[Symbol.asyncDispose]());
  await eventually(async () => (await relay.metric("sallyport_tunnel_connections")) === 2, {
    what: "the connector to be connected",
    context: () => program.tail(),
  });
  expect((await visit(relay, "extra", "/")).text()).toBe("ok");
  // Another change of the same configuration leaves it alone.
  const applications = relay.config()["applications"] as readonly Record<string, unknown>[];
  relay.writeConfig({ applications: applications.map((one) => (one["name"] === "web" ? { ...one, path: "/sub" } : one)) });
  relay.program.kill("SIGHUP");
  await eventually(async () => (await visit(relay, "web", "/")).status !== 200, { what: "the first reload" });
  expect((await visit(relay, "extra", "/")).text()).toBe("ok");
  relay.writeConfig({ applications: applications.filter(({ name }) => name !== "extra") });
  relay.program.kill("SIGHUP");
  const exit = await within(10_000, "the connector to give up", program.exited);
  expect(exit.code).not.toBe(0);
  expect(program.output).toContain(`hostname ${hostname} is not granted to tunnel office; the relay grants it web.relay.localhost`);
  const refusals = await eventually(
    () => {
      const found = relay.records().filter((record) => record["reason"] === "hostname-not-granted");
      return found.length === 2 && found;
    },
    { what: "two records", context: () => JSON.stringify(relay.records().slice(-6)) },
  );
  for (const refusal of refusals) expect(refusal).toMatchObject({ type: "connector.refused", tunnel: "office", hostname });
});
