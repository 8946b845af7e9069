// A way that dies without a word: everything between connector and relay stops to flow, nothing is closed. Both
// sides notice by their own pings, the relay says the truth about it, and the tunnel comes back by itself.

import { expect, test } from "vitest";
import { startConnector } from "../harness/connector.ts";
import { FaultForwarder } from "../harness/fault-forwarder.ts";
import { startRelay } from "../harness/relay.ts";
import { eventually, freePort } from "../harness/scratch.ts";
import { visit } from "../harness/visitor.ts";

/** R-L8. */
const MAX_NOTICE_MS = 15_000;
const SLACK_MS = 1_000;

test("a silent way is noticed within 15 s by both sides, and the connector comes back", async () => {
  await using stack = new AsyncDisposableStack();
  const port = await freePort();
  const forwarder = stack.use(await FaultForwarder.listen({ port }));
  const relay = await startRelay(stack, { applications: [{ name: "web" }], port, publicPort: forwarder.port });
  const connector = await startConnector(stack, relay, { services: { web: "hello" } });
  expect((await visit(relay, "web", "/")).status).toBe(200);

  const stalledAtMs = performance.now();
  forwarder.stall();
  await eventually(async () => !(await connector.ready()), { what: "the connector to notice", timeoutMs: MAX_NOTICE_MS + SLACK_MS });
  const connectorMs = performance.now() - stalledAtMs;
  await eventually(async () => (await visit(relay, "web", "/")).status === 503, {
    what: "the relay to notice",
    timeoutMs: MAX_NOTICE_MS + SLACK_MS,
  });
  const relayMs = performance.now() - stalledAtMs;
  console.log(
    `silence noticed by the connector after ${(connectorMs / 1000).toFixed(1)} s, by the relay after ${(relayMs / 1000).toFixed(1)} s`,
  );
  expect(Math.max(connectorMs, relayMs)).toBeLessThan(MAX_NOTICE_MS + SLACK_MS);

  forwarder.cut();
  forwarder.unstall();
  await eventually(() => connector.ready(), { what: "the connector to be back", timeoutMs: 30_000 });
  expect((await visit(relay, "web", "/")).status).toBe(200);
});

test("a connection that is cut is replaced, and requests on the other one do not notice", async () => {
  await using stack = new AsyncDisposableStack();
  const port = await freePort();
  const forwarder = stack.use(await FaultForwarder.listen({ port }));
  const relay = await startRelay(stack, { applications: [{ name: "web" }], port, publicPort: forwarder.port });
  const connector = await startConnector(stack, relay, { services: { web: "hello" } });
  const before = forwarder.accepted;
  forwarder.cut();
  await eventually(async () => forwarder.accepted > before && (await connector.ready()), { what: "the connector to be back" });
  expect((await visit(relay, "web", "/")).status).toBe(200);
});
