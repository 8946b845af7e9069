// Visitors who open connections and say little or nothing (R-L1), heads without end (R-L2), and one who takes all there is (R-L7):
// others are served meanwhile, in less than a second each, and it ends by itself. The built programs; figures are printed.

import { get, type IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { Attack } from "../harness/attacker.ts";
import { startConnector } from "../harness/connector.ts";
import { mebibytes, MemorySampler, residentBytes } from "../harness/memory.ts";
import { startOrigin } from "../harness/origin.ts";
import { startRelay, type Relay, type RelayOptions } from "../harness/relay.ts";
import { eventually } from "../harness/scratch.ts";
import { visit } from "../harness/visitor.ts";

/** Of each of the visitors who are served while an attack goes on. */
const MAX_SERVED_MS = 1_000;
const VISITS = 100;

async function startBed(
  stack: AsyncDisposableStack,
  config: Readonly<Record<string, unknown>>,
  more: Partial<RelayOptions> = {},
): Promise<Relay> {
  const origin = await startOrigin(stack, (request, response) => {
    if (request.url?.startsWith("/hang") === true) return;
    request.resume();
    response.end("served");
  });
  const applications = [{ name: "web" }, { name: "programs", service: "web", policies: ["programs"] }];
  const relay = await startRelay(stack, { applications, config, ...more });
  await startConnector(stack, relay, { services: { web: origin.url } });
  return relay;
}

/** A visitor at another address. */
function visitFrom(localAddress: string, relay: Relay): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: relay.port, localAddress, agent: false as const, headers: { host: relay.host("web") } };
    get(options, (response) => resolve(response.resume())).on("error", reject);
  });
}

interface Served {
  readonly medianMs: number;
  readonly slowestMs: number;
}

/** One visitor after another, each on a connection of its own. */
async function serveVisitors(relay: Relay, headers: Readonly<Record<string, string>> = {}, application = "web"): Promise<Served> {
  const times: number[] = [];
  for (let i = 0; i < VISITS; i++) {
    const startedAtMs = performance.now();
    const answer = await visit(relay, application, `/${i}`, { headers });
    times.push(performance.now() - startedAtMs);
    expect([answer.status, answer.text()]).toEqual([200, "served"]);
  }
  times.sort((a, b) => a - b);
  return { medianMs: times[VISITS / 2] ?? 0, slowestMs: times.at(-1) ?? 0 };
}

const shown = ({ medianMs, slowestMs }: Served): string =>
  `${VISITS} visitors served in ${medianMs.toFixed(0)} ms (median), ${slowestMs.toFixed(0)} ms (slowest)`;

describe("R-L1: 5,000 visitors who do not go on", () => {
  test.each([
    ["say nothing", ""],
    ["stop within a head", "GET / HTTP/1.1\r\nHost: web.relay.localhost\r\nX-A: "],
  ])("and %s: others are served in less than a second, and all of them are ended", async (_what, first) => {
    await using stack = new AsyncDisposableStack();
    const relay = await startBed(stack, { limits: { headerTimeout: "15s" } });
    const before = residentBytes(relay.program.pid);
    const attack = stack.use(new Attack({ port: relay.port, connections: 5_000, addresses: 20, first }));
    await attack.until(({ open, closed }) => open + closed === 5_000, "5,000 open connections");
    const openBefore = attack.counts.open;
    const served = await serveVisitors(relay);
    const { open } = attack.counts;
    const growth = residentBytes(relay.program.pid) - before;
    const ended = await attack.until((counts) => counts.closed === 5_000, "all of them to be ended");
    console.info(
      `${openBefore} half-open connections (${open} still there at the end): ${shown(served)}; the relay took ${mebibytes(growth)} more; the last was ended after ${(ended.longestMs / 1_000).toFixed(1)} s`,
    );
    expect(openBefore).toBeGreaterThan(4_500);
    expect(served.slowestMs).toBeLessThan(MAX_SERVED_MS);
    expect(growth).toBeLessThan(200 * 2 ** 20);
    // 15 s, what opening took, and the interval of looking.
    expect(ended.longestMs).toBeLessThan(25_000);
    expect((await visit(relay, "web", "/after")).status).toBe(200);
  });
});

test("R-L1: one octet of a head every 200 ms buys no more time than silence", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startBed(stack, { limits: { headerTimeout: "3s" } });
  const first = "GET / HTTP/1.1\r\nHost: web.relay.localhost\r\nX-A: ";
  const attack = stack.use(new Attack({ port: relay.port, connections: 400, first, then: "a", everyMs: 200 }));
  const { longestMs, answers } = await attack.until(({ closed }) => closed === 400, "all of them to be ended");
  console.info(`400 heads of one octet at a time: ended within ${(longestMs / 1_000).toFixed(1)} s, ${JSON.stringify(answers)}`);
  expect(longestMs).toBeLessThan(8_000);
  expect(Object.keys(answers)).toEqual([expect.stringMatching(/^HTTP\/1\.1 408 /)]);
  expect((await visit(relay, "web", "/after")).status).toBe(200);
});

test("R-L1: bodies that stop are ended, bodies that go on slowly are not, and others are served meanwhile", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startBed(stack, { limits: { requestBodyIdle: "2s" } });
  const first = `POST /hang HTTP/1.1\r\nHost: ${relay.host("web")}\r\nContent-Length: 1000000\r\n\r\na`;
  const silent = stack.use(new Attack({ port: relay.port, connections: 300, first }));
  const slow = stack.use(new Attack({ port: relay.port, connections: 100, addresses: 2, first, then: "a", everyMs: 500 }));
  await slow.until(({ open }) => open === 100, "the slow ones to be there");
  const served = await serveVisitors(relay);
  const { longestMs, answers } = await silent.until(({ closed }) => closed === 300, "the silent ones to be ended");
  console.info(
    `300 bodies that stop: ended within ${(longestMs / 1_000).toFixed(1)} s, ${JSON.stringify(answers)}; meanwhile ${shown(served)}`,
  );
  expect(served.slowestMs).toBeLessThan(MAX_SERVED_MS);
  expect(longestMs).toBeLessThan(10_000);
  expect(slow.counts).toMatchObject({ open: 100, closed: 0 });
});

test("R-L1: one address has 512 connections and no more; another is served", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startBed(stack, {});
  const attack = stack.use(new Attack({ port: relay.port, connections: 700 }));
  const { open, closed, refused } = await attack.until(
    (counts) => counts.open === 512 && counts.closed + counts.refused === 188,
    "512 to stay",
  );
  const served = await serveVisitors(relay);
  console.info(`700 connections from one address: ${open} stay, ${closed + refused} are closed; ${shown(served)}`);
  expect(served.slowestMs).toBeLessThan(MAX_SERVED_MS);
});

test("R-L2: thousands of heads without end are refused, and cost nothing that stays", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startBed(stack, { limits: { connectionsPerAddress: 5_000 } });
  const first = `GET / HTTP/1.1\r\nHost: ${relay.host("web")}\r\n${"X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(2_000)}`;
  // Once, so that what is measured is the flood and not the growth of a heap that has begun to work.
  await serveVisitors(relay);
  const sampler = new MemorySampler(relay.program.pid);
  const attack = stack.use(new Attack({ port: relay.port, connections: 3_000, addresses: 10, first }));
  const { answers } = await attack.until(({ closed }) => closed === 3_000, "all of them to be ended");
  const served = await serveVisitors(relay);
  const { beforeBytes, peakBytes } = sampler.stop();
  console.info(
    `3,000 heads of 80 KB: ${JSON.stringify(answers)}; the relay took at most ${mebibytes(peakBytes - beforeBytes)} more; ${shown(served)}`,
  );
  expect(Object.keys(answers)).toEqual([expect.stringMatching(/^HTTP\/1\.1 431 /)]);
  expect(peakBytes - beforeBytes).toBeLessThan(200 * 2 ** 20);
  expect(served.slowestMs).toBeLessThan(MAX_SERVED_MS);
});

test("R-L7: who takes all there is gets 503 with Retry-After, a program is served meanwhile, and it ends by itself", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startBed(stack, { limits: { streamsPerTunnel: 100, streamsPerIdentity: 80 } });
  const { clientId, clientSecret } = await relay.createServiceToken("robot");
  const program = { "Sallyport-Client-Id": clientId, "Sallyport-Client-Secret": clientSecret };
  {
    await using attack = new Attack({
      port: relay.port,
      connections: 400,
      first: `GET /hang HTTP/1.1\r\nHost: ${relay.host("web")}\r\n\r\n`,
    });
    const { answers } = await attack.until(
      ({ answers: seen }) => Object.values(seen).reduce((sum, count) => sum + count, 0) >= 320,
      "those beyond the limit to be told",
    );
    const refused = await visitFrom("127.1.0.1", relay);
    const served = await serveVisitors(relay, program, "programs");
    console.info(`400 requests that hang: ${JSON.stringify(answers)}; a program meanwhile: ${shown(served)}`);
    expect([refused.statusCode, Number(refused.headers["retry-after"]) > 0]).toEqual([503, true]);
    // Visitors without a name are told apart by where they come from.
    expect((await visit(relay, "web", "/elsewhere")).status).toBe(200);
    expect(served.slowestMs).toBeLessThan(MAX_SERVED_MS);
  }
  const startedAtMs = performance.now();
  await eventually(async () => (await visitFrom("127.1.0.1", relay)).statusCode === 200, {
    what: "the address to be served again",
    timeoutMs: 10_000,
  });
  console.info(`served again ${(performance.now() - startedAtMs).toFixed(0)} ms after the attack`);
});
