// Two connectors on one tunnel under load: each is stopped and started again without a failed request, the relay's
// restart brings both back within their backoff, and kill -9 costs exactly the requests the killed one had.

import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import type { Connector } from "../harness/connector.ts";
import { startConnector } from "../harness/connector.ts";
import { Load } from "../harness/load.ts";
import type { Origin } from "../harness/origin.ts";
import { startOrigin } from "../harness/origin.ts";
import { startRelay } from "../harness/relay.ts";
import type { Relay } from "../harness/relay.ts";
import { eventually, within } from "../harness/scratch.ts";
import { visit } from "../harness/visitor.ts";

/** Cap of the connector's reconnect wait (T5). */
const BACKOFF_CAP_MS = 30_000;

/** Each connector has an origin of its own, which says whose it is: the answers tell who served. */
interface Pair {
  readonly relay: Relay;
  readonly connectors: readonly [Connector, Connector];
  readonly origins: readonly [Origin, Origin];
}

type Serve = (name: string, response: ServerResponse, path: string) => void;

async function startPair(stack: AsyncDisposableStack, serve: Serve): Promise<Pair> {
  const relay = await startRelay(stack, { applications: [{ name: "web" }] });
  const credential = await relay.createCredential();
  const side = async (name: string) => {
    const origin = await startOrigin(stack, (request, response) => {
      request.resume();
      request.on("end", () => serve(name, response, request.url ?? ""));
    });
    return { origin, connector: await startConnector(stack, relay, { services: { web: origin.url }, credential }) };
  };
  const [a, b] = [await side("a"), await side("b")];
  return { relay, connectors: [a.connector, b.connector], origins: [a.origin, b.origin] };
}

/** Waits until 200 more requests have been answered and each of those named has served: the load really runs through them. */
async function servedBy(load: Load, seen: Set<string>, names: readonly string[]): Promise<void> {
  seen.clear();
  const from = load.requests;
  await eventually(() => load.requests > from + 200 && names.every((name) => seen.has(name)), {
    what: `requests served by ${names.join(" and ")}`,
  });
}

test("connectors restart one after the other under load without a failed request", async () => {
  await using stack = new AsyncDisposableStack();
  const seen = new Set<string>();
  const { relay, connectors } = await startPair(stack, (name, response, path) => {
    seen.add(name);
    // Long enough that each stop finds requests under way.
    setTimeout(() => response.end(`${name} ${path}`), 20);
  });
  const load = new Load(relay, {
    application: "web",
    check: (answer, path) => {
      if (answer.status !== 200) return `status ${answer.status}: ${answer.text()}`;
      return answer.text().endsWith(` ${path}`) ? undefined : `wrong answer ${answer.text()}`;
    },
  });
  stack.defer(() => load.stop().then(() => {}));
  await servedBy(load, seen, ["a", "b"]);

  for (const [index, connector] of connectors.entries()) {
    const other = index === 0 ? "b" : "a";
    const exit = await connector.stop("SIGTERM");
    expect(exit.code, connector.program.tail()).toBe(0);
    await servedBy(load, seen, [other]);
    await connector.start();
    await servedBy(load, seen, ["a", "b"]);
  }
  const { requests, failures } = await load.stop();
  console.log(`${requests} requests over two connector restarts, ${failures.length} failed`);
  expect(failures).toEqual([]);
});

test("after a restart of the relay all connectors are back within their backoff", async () => {
  await using stack = new AsyncDisposableStack();
  const { relay, connectors } = await startPair(stack, (name, response) => response.end(name));
  const exit = await relay.stop("SIGTERM");
  expect(exit.code, relay.program.tail()).toBe(0);
  await eventually(async () => !(await Promise.all(connectors.map((connector) => connector.ready()))).includes(true), {
    what: "the connectors to notice",
  });
  await relay.start();
  const startedAtMs = performance.now();
  await eventually(async () => (await Promise.all(connectors.map((connector) => connector.ready()))).every(Boolean), {
    what: "both connectors to be back",
    timeoutMs: BACKOFF_CAP_MS,
    context: () => connectors.map((connector) => connector.program.tail()).join("\n---\n"),
  });
  console.log(`both connectors back ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s after the relay was ready`);
  expect((await visit(relay, "web", "/")).status).toBe(200);
});

test("kill -9 of a connector fails its unfinished requests, each with the right error, and no other", async () => {
  await using stack = new AsyncDisposableStack();
  const held: { readonly name: string; readonly path: string; readonly response: ServerResponse }[] = [];
  const { relay, connectors } = await startPair(stack, (name, response, path) => void held.push({ name, path, response }));
  const requests = Array.from({ length: 20 }, (_, index) =>
    visit(relay, "web", `/${index}`).then((answer) => ({ path: `/${index}`, answer })),
  );
  await eventually(() => held.length === requests.length, { what: "all requests at their origins" });
  const lost = new Set(held.filter(({ name }) => name === "a").map(({ path }) => path));
  expect(lost.size).toBeGreaterThan(0);
  expect(lost.size).toBeLessThan(requests.length);

  connectors[0].program.kill("SIGKILL");
  const failed = await within(
    20_000,
    "the answers of the killed connector's requests",
    Promise.all(requests.filter((_, index) => lost.has(`/${index}`))),
  );
  for (const { answer } of failed) {
    expect(answer.status).toBe(502);
    expect(answer.headers["sallyport-answered-by"]).toBe("relay");
    expect(answer.headers["sallyport-error"]).toMatch(/^ERR_TUNNEL_/);
  }
  for (const { name, response } of held) if (name === "b") response.end("b");
  const all = await within(20_000, "the other connector's requests", Promise.all(requests));
  const served = all.filter(({ path }) => !lost.has(path));
  expect(served.map(({ answer }) => answer.status)).toEqual(served.map(() => 200));

  // And whoever comes now is served by the other one, at once.
  const next = visit(relay, "web", "/next");
  await eventually(() => held.some(({ path }) => path === "/next"), { what: "the next request at an origin" });
  held.find(({ path }) => path === "/next")?.response.end("fine");
  expect((await next).status).toBe(200);
});
