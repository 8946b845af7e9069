// R-K4: the relay names a service; what that means, and that nothing else is ever dialled, is the connector's own word.

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordingOrigin } from "./support/origin.ts";
import { startRogueRelay, type RogueRelay } from "./support/rogue-relay.ts";

const stack = new AsyncDisposableStack();
const origin = new RecordingOrigin();
let rogue: RogueRelay;
let trapped = 0;
const trap = createServer((socket) => {
  trapped++;
  socket.destroy();
});
beforeAll(async () => {
  await origin.listen();
  await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
  rogue = await startRogueRelay(stack, { open: origin.url, named: { url: origin.url, hostHeader: "wiki.internal" } });
});
afterAll(async () => {
  await stack.disposeAsync();
  await origin.close();
  await new Promise((resolve) => trap.close(resolve));
});

const trapPort = (): number => (trap.address() as AddressInfo).port;

test.each([
  "169.254.169.254",
  "127.0.0.1",
  "localhost",
  "admin",
  "open2",
  "ope",
  "constructor",
  "valueof",
  "__proto__",
  "..",
  "hello",
  "status-404",
])("R-K4: the service %s is not on the list: nothing is dialled, even with an assertion for it", async (service) => {
  const connections = origin.connections;
  expect(await rogue.open({ service }, { token: rogue.token(rogue.claims({ service })) })).toMatchObject({ reset: "SERVICE_UNKNOWN" });
  expect([origin.connections, trapped]).toEqual([connections, 0]);
});

test.each(["127.0.0.1:22", "http://x@y", "file:///etc/passwd", "http://127.0.0.1:PORT", "OPEN", "open\r\n", "", "a".repeat(65)])(
  "R-K4: %j is no name of a service at all: the relay that sends it is cut off, and nothing is dialled",
  async (name) => {
    const service = name.replace("PORT", String(trapPort()));
    const connections = origin.connections;
    const before = rogue.connections.length;
    const outcome = await rogue
      .open({ service }, { token: rogue.token(rogue.claims({ service })) })
      .catch(() => ({ reset: "cannot be sent" }));
    expect(["cannot be sent", "CONNECTION_LOST", "SERVICE_UNKNOWN", "ASSERTION_REFUSED"]).toContain(
      "reset" in outcome ? outcome.reset : "answered",
    );
    expect([origin.connections, trapped]).toEqual([connections, 0]);
    if (rogue.connections.length === before && rogue.mux.closed)
      await expect.poll(() => rogue.connections.length, { timeout: 10_000 }).toBeGreaterThan(before);
  },
);

test("R-K4: neither authority, path nor fields choose what is dialled", async () => {
  const before = origin.requests.length;
  const evil = `127.0.0.1:${trapPort()}`;
  expect(await rogue.open({ authority: evil, fields: ["X-Forwarded-Host", evil, "Forwarded", `host=${evil}`] })).toMatchObject({
    status: 200,
  });
  expect([origin.requests.length - before, trapped]).toEqual([1, 0]);
});

test.each([301, 302, 303, 307, 308])(
  "R-K4: a redirect (%i) of the origin is the visitor's to follow, never the connector's",
  async (status) => {
    const location = `http://127.0.0.1:${trapPort()}/latest/meta-data`;
    origin.respond = () => `HTTP/1.1 ${status} Elsewhere\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`;
    const outcome = await rogue.open();
    origin.reset();
    expect(outcome).toMatchObject({ status, fields: expect.arrayContaining(["Location", location]) });
    expect(trapped).toBe(0);
  },
);

test("R-K4: Host comes from the local configuration where that names one", async () => {
  const token = rogue.token(rogue.claims({ service: "named" }));
  expect(await rogue.open({ service: "named", authority: "evil.example", fields: ["Host", "evil.example"] }, { token })).toMatchObject({
    status: 200,
  });
  expect(origin.requests.at(-1)?.values("host")).toEqual(["wiki.internal"]);
});
