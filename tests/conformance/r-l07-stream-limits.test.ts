// R-L7: how many requests may be under way at once, and what everybody else gets meanwhile.

import { expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { eventually } from "../harness/scratch.ts";
import { useBed } from "./support/bed.ts";
import { ask, expectRefusal, fence } from "./support/visit.ts";
import { readResponses, write } from "./support/wire.ts";

const PER_IDENTITY = 4;
const bed = useBed({ relay: { limits: { streamsPerIdentity: PER_IDENTITY, streamsPerTunnel: 8 } } });

test("R-L7: beyond its limit one visitor gets 503 with Retry-After, others are served, and it ends with the cause", async () => {
  using stack = new DisposableStack();
  bed().open.respond = (request) => (request.target.startsWith("/hang") ? undefined : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const seen = bed().open.requests.length;
  const hanging = [];
  for (let i = 0; i < PER_IDENTITY; i++) {
    const client = stack.use(await RawClient.connect({ port: bed().port }));
    client.send(write(`/hang-${i}`));
    hanging.push(client);
  }
  await eventually(() => bed().open.requests.length === seen + PER_IDENTITY, { what: "the origin to have them all" });

  const refused = await ask(bed(), "/one-more");
  expectRefusal(refused, { status: 503, code: "ERR_OVERLOADED" });
  expect(Number(refused.value("retry-after"))).toBeGreaterThan(0);
  // A program is counted by itself, wherever it calls from.
  const other = await ask(bed(), "/x", { host: "json.example.test", fields: bed().token.fields });
  expect(other.status).toBe(200);

  for (const socket of bed().open.sockets) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
  for (const client of hanging) expect(readResponses(await client.untilClosed())[0]?.body).toBe("done");
  await fence(bed());
});
