// Input that no HTTP library sends, over a raw socket: refused before the connector hears of it, with the right
// status, a closed connection, and a record. The names in brackets are ids of the security requirements.

import { afterAll, beforeAll, expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { startOrigin } from "../harness/origin.ts";
import { RawClient } from "../harness/raw-client.ts";
import type { Relay } from "../harness/relay.ts";
import { eventually } from "../harness/scratch.ts";
import { visit } from "../harness/visitor.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let relay: Relay;
const seen: string[] = [];

beforeAll(async () => {
  const origin = await startOrigin(stack, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume();
    request.on("end", () => response.end("served"));
  });
  ({ relay } = await createBed(stack, { services: { web: origin.url } }));
});

/** `H` stands for the application's authority. */
const REFUSED: readonly (readonly [requirement: string, what: string, status: number, request: string])[] = [
  ["R-B1", "two Host fields", 400, "GET / HTTP/1.1\r\nHost: H\r\nHost: H\r\n\r\n"],
  ["R-B1", "no Host", 400, "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n"],
  ["R-B2", "user information in Host", 400, "GET / HTTP/1.1\r\nHost: user@H\r\n\r\n"],
  ["R-B2", "a list in Host", 400, "GET / HTTP/1.1\r\nHost: H, H\r\n\r\n"],
  ["R-B6", "an unknown host", 421, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"],
  ["R-B3", "the host as a prefix of another", 421, "GET / HTTP/1.1\r\nHost: web.relay.localhost.evil.example\r\n\r\n"],
  ["R-A11", "absolute form with another authority", 400, "GET http://evil.example/ HTTP/1.1\r\nHost: H\r\n\r\n"],
  ["R-A11", "CONNECT", 405, "CONNECT H HTTP/1.1\r\nHost: H\r\n\r\n"],
  ["R-A11", "TRACE", 405, "TRACE / HTTP/1.1\r\nHost: H\r\n\r\n"],
  ["R-A7", "a fragment in the target", 400, "GET /a#b HTTP/1.1\r\nHost: H\r\n\r\n"],
  ["R-A7", "a bad escape", 400, "GET /%zz HTTP/1.1\r\nHost: H\r\n\r\n"],
  ["R-A6", "an escaped control", 400, "GET /a%00b HTTP/1.1\r\nHost: H\r\n\r\n"],
  ["R-D1", "length and chunked", 400, "POST / HTTP/1.1\r\nHost: H\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["R-D1", "two lengths", 400, "POST / HTTP/1.1\r\nHost: H\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"],
  ["R-D1", "a signed length", 400, "POST / HTTP/1.1\r\nHost: H\r\nContent-Length: +5\r\n\r\nhello"],
  ["R-D1", "chunked with a list", 400, "POST / HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
  ["R-D1", "chunked with an empty element", 400, "POST / HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"],
  ["R-D1", "chunked on HTTP/1.0", 400, "POST / HTTP/1.0\r\nHost: H\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["R-D1", "a folded field", 400, "GET / HTTP/1.1\r\nHost: H\r\nX-A: 1\r\n 2\r\n\r\n"],
  ["R-D1", "a space before the colon", 400, "GET / HTTP/1.1\r\nHost: H\r\nX-A : 1\r\n\r\n"],
  ["R-D6", "an unknown expectation", 417, "GET / HTTP/1.1\r\nHost: H\r\nExpect: the-best\r\n\r\n"],
  ["R-A11", "a target that is too long", 414, `GET /${"a".repeat(9000)} HTTP/1.1\r\nHost: H\r\n\r\n`],
  ["R-L2", "too many fields", 431, `GET / HTTP/1.1\r\nHost: H\r\n${"X-A: 1\r\n".repeat(150)}\r\n`],
];

test.each(REFUSED)("[%s] %s is refused with %i before the connector hears of it", async (_requirement, _what, status, request) => {
  const before = seen.length;
  using client = await RawClient.connect({ port: relay.port });
  client.send(
    request.replaceAll("H\r\n", `${relay.host("web")}\r\n`).replaceAll(/\bH, H\b/g, `${relay.host("web")}, ${relay.host("web")}`),
  );
  // A second request on the same socket must not be served after a refusal (R-D7).
  client.send(`GET /smuggled HTTP/1.1\r\nHost: ${relay.host("web")}\r\n\r\n`);
  const received = await client.untilClosed();
  expect(received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(received.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
  expect(seen.slice(before)).toEqual([]);
});

test("[R-A2] dot segments are resolved before the decision, and the origin sees what was decided", async () => {
  using client = await RawClient.connect({ port: relay.port });
  client.send(`GET /pub/%2e%2e/admin/./x HTTP/1.1\r\nHost: ${relay.host("web")}\r\nConnection: close\r\n\r\n`);
  expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 200 /);
  expect(seen.at(-1)).toBe("GET /admin/x");
});

test.each(["/../etc/passwd", "/a/%2e%2e/../b", "/a%2f..%2f..%2fb"])(
  "[R-A2] %s climbs above the root in some reading: 403, never forwarded",
  async (path) => {
    const before = seen.length;
    using client = await RawClient.connect({ port: relay.port });
    client.send(`GET ${path} HTTP/1.1\r\nHost: ${relay.host("web")}\r\nConnection: close\r\n\r\n`);
    expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 403 /);
    expect(seen.slice(before)).toEqual([]);
  },
);

test("[R-A3] what is legitimate goes to the origin byte for byte", async () => {
  for (const path of ["/@scope%2Fname", "/a;v=1/b", "/a//b", "/x%3Fy?q=%20&r=a+b"]) {
    await visit(relay, "web", path);
    expect(seen.at(-1)).toBe(`GET ${path}`);
  }
});

test("[R-D7] pipelined requests are each served on their own, in order", async () => {
  using client = await RawClient.connect({ port: relay.port });
  const host = relay.host("web");
  client.send(`GET /first HTTP/1.1\r\nHost: ${host}\r\n\r\nGET /second HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const received = await client.untilClosed();
  expect(received.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
  expect(seen.slice(-2)).toEqual(["GET /first", "GET /second"]);
});

test("[R-M3] refusals leave records, as answers do", async () => {
  const wanted = [200, 400, 421];
  await eventually(() => wanted.every((status) => relay.records().some((record) => record["status"] === status)), {
    what: `records with status ${wanted.join(", ")}`,
  });
});
