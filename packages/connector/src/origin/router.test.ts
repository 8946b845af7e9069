import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:net";

import { ManualClock } from "@sallyport/shared/clock";
import { acceptKey } from "@sallyport/shared/http/upgrade";
import { StreamKind } from "@sallyport/shared/protocol/head";
import { Secret } from "@sallyport/shared/secret";
import { describe, expect, test } from "vitest";

import { serviceOf } from "./options.ts";
import { openStream } from "./testing/memory-stream.ts";
import { address, closedPort, httpOrigin, listening, routerTo, service } from "./testing/origins.ts";
import type { HttpOrigin } from "./testing/origins.ts";

const at = ({ port }: { readonly port: number }): ReturnType<typeof address> => address(`http://127.0.0.1:${port}`);

function named(name: string): Promise<HttpOrigin> {
  return httpOrigin((_request, response) => response.end(name));
}

describe("the allow list", () => {
  test.each(["other", "127.0.0.1:22", "169.254.169.254", "http://x@y", "file:", "", "__proto__", "constructor"])(
    "a service named %j is refused without dialling",
    async (name) => {
      const origin = await named("app");
      const router = routerTo(at(origin));
      expect(await openStream(router.accept, { service: name }).failure()).toMatchObject({ code: "SERVICE_UNKNOWN" });
      expect(origin.accepted).toBe(0);
    },
  );

  test("services are listed with their kind", () => {
    const router = routerTo(address("hello"));
    router.reload(
      new Map([
        ["web", serviceOf(address("3000"))],
        ["sock", serviceOf(address("unix:/run/x.sock"))],
        ["ssh", serviceOf(address("tcp://127.0.0.1:22"))],
        ["gone", serviceOf(address("status:410"))],
      ]),
    );
    expect(router.services()).toEqual([
      { name: "web", kind: "http" },
      { name: "sock", kind: "http" },
      { name: "ssh", kind: "tcp" },
      { name: "gone", kind: "builtin" },
    ]);
  });
});

describe("reload", () => {
  test("new streams use the new definition; a stream under way keeps the old one", async () => {
    const old = await httpOrigin((_request, response) => response.write("old "));
    const fresh = await named("new");
    const router = routerTo(at(old));
    const first = openStream(router.accept);
    const [, response] = (await once(old, "request")) as [IncomingMessage, ServerResponse];
    await first.head();
    router.reload(new Map([["app", service([at(fresh)])]]));
    expect(await openStream(router.accept).text()).toBe("new");
    response.end("still");
    expect(await first.text()).toBe("old still");
  });

  test("a removed service is unknown at once, and its kept connections close", async () => {
    const origin = await named("app");
    const router = routerTo(at(origin));
    await openStream(router.accept).text();
    const [socket] = origin.sockets;
    const closed = new Promise((resolve) => socket?.once("close", resolve));
    router.reload(new Map());
    await closed;
    expect(await openStream(router.accept).failure()).toMatchObject({ code: "SERVICE_UNKNOWN" });
  });

  test("an unchanged definition keeps its connections", async () => {
    const origin = await named("app");
    const router = routerTo(at(origin));
    await openStream(router.accept).text();
    router.reload(new Map([["app", service([at(origin)])]]));
    await openStream(router.accept).text();
    expect(origin.accepted).toBe(1);
  });

  test("a changed secret is a changed definition", async () => {
    const origin = await httpOrigin((request, response) => response.end(request.headers.authorization));
    const router = routerTo(at(origin), { setRequestHeaders: { Authorization: new Secret("Basic one") } });
    expect(await openStream(router.accept).text()).toBe("Basic one");
    router.reload(new Map([["app", service([at(origin)], { setRequestHeaders: { Authorization: new Secret("Basic two") } })]]));
    expect(await openStream(router.accept).text()).toBe("Basic two");
  });
});

describe("several origins", () => {
  test("equals take turns", async () => {
    const router = routerTo([at(await named("a")), at(await named("b"))]);
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(await openStream(router.accept).text());
    expect(answers.toSorted()).toEqual(["a", "a", "b", "b"]);
  });

  test("the one with fewer exchanges under way is preferred", async () => {
    const busy = await httpOrigin(() => undefined);
    const idle = await named("idle");
    const router = routerTo([at(busy), at(idle)]);
    const held = openStream(router.accept);
    await once(busy, "request");
    for (let i = 0; i < 4; i++) expect(await openStream(router.accept).text()).toBe("idle");
    held.cancel();
  });

  test("one that refuses connections is passed over within the same request, body included", async () => {
    const live = await httpOrigin((request, response) => void request.pipe(response));
    const router = routerTo([address(`http://127.0.0.1:${await closedPort()}`), at(live)]);
    for (let i = 0; i < 4; i++) {
      const stream = openStream(router.accept, { method: "POST", contentLength: 5, end: false });
      stream.send("hello");
      stream.finish();
      expect(await stream.text()).toBe("hello");
    }
    expect(router.health().get("app")).toMatchObject([{ state: "down", reason: "ECONNREFUSED" }, { state: "up" }]);
  });

  test("it is tried again after a pause", async () => {
    const clock = new ManualClock();
    const port = await closedPort();
    const router = routerTo([address(`http://127.0.0.1:${port}`), at(await named("live"))], {}, clock);
    await openStream(router.accept).text();
    await openStream(router.accept).text();
    expect(router.health().get("app")?.[0]?.state).toBe("down");
    const back = createHttpServer((_request, response) => response.end("back"));
    await new Promise<void>((resolve) => back.listen(port, "127.0.0.1", resolve));
    try {
      clock.advance(1_999);
      expect([await openStream(router.accept).text(), await openStream(router.accept).text()]).toEqual(["live", "live"]);
      clock.advance(1);
      const answers = [await openStream(router.accept).text(), await openStream(router.accept).text()];
      expect(answers.toSorted()).toEqual(["back", "live"]);
      expect(router.health().get("app")?.[0]).toMatchObject({ state: "up", reason: undefined });
    } finally {
      back.closeAllConnections();
      back.close();
    }
  });

  test("when none accepts, the visitor learns why", async () => {
    const dead = [address(`http://127.0.0.1:${await closedPort()}`), address(`http://127.0.0.1:${await closedPort()}`)];
    expect(await openStream(routerTo(dead).accept).failure()).toMatchObject({ code: "ORIGIN_UNREACHABLE", text: "ECONNREFUSED" });
  });
});

describe("health checks", () => {
  const healthCheck = { path: "/healthz", intervalMs: 1_000, timeoutMs: 500, unhealthyAfter: 2, healthyAfter: 2 };

  test("an origin that fails is left out after unhealthyAfter checks, and comes back after healthyAfter", async () => {
    let status = 500;
    const sick = await httpOrigin((request, response) => {
      response.statusCode = request.url === "/healthz" ? status : 200;
      response.end("sick");
    });
    const well = await named("well");
    const clock = new ManualClock();
    // No connections are kept, whose idle timers would be counted too.
    const router = routerTo([at(sick), at(well)], { healthCheck, poolIdleMs: 0 }, clock);
    const state = (): string | undefined => router.health().get("app")?.[0]?.state;
    // A check has ended when the next one is scheduled: one timer per origin, and none for a check under way.
    const check = async (afterMs: number = 1_000): Promise<void> => {
      const asked = once(sick, "request");
      clock.advance(afterMs);
      await asked;
      await until(() => clock.pendingTimers === 2 && sick.sockets.size === 0);
    };
    await check(0);
    expect(state()).toBe("up");
    await check();
    expect(router.health().get("app")?.[0]).toMatchObject({ state: "down", reason: "health check: status 500" });
    for (let i = 0; i < 3; i++) expect(await openStream(router.accept).text()).toBe("well");
    status = 204;
    await check();
    expect(state()).toBe("down");
    await check();
    expect(state()).toBe("up");
    expect(router.lines.map(({ message }) => message)).toEqual(["origin is unhealthy", "origin is healthy again"]);
  });

  test("no answer within the timeout is a failed check", async () => {
    const silent = await httpOrigin(() => undefined);
    const clock = new ManualClock();
    const router = routerTo(at(silent), { healthCheck: { ...healthCheck, unhealthyAfter: 1 } }, clock);
    const asked = once(silent, "request");
    clock.advance(0);
    await asked;
    clock.advance(500);
    expect(router.health().get("app")).toMatchObject([{ state: "down", reason: "health check: no answer within 500 ms" }]);
    router.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("options of a service", () => {
  test("hostHeader, header edits and prefixes apply", async () => {
    const origin = await httpOrigin((request, response) => {
      response.setHeader("Server", "secret sauce");
      response.end(JSON.stringify([request.url, request.rawHeaders]));
    });
    const router = routerTo(at(origin), {
      hostHeader: "wiki.internal",
      stripPrefix: "/wiki",
      addPrefix: "/v2",
      setRequestHeaders: { "X-From": "door" },
      removeRequestHeaders: ["X-Drop"],
      setResponseHeaders: { "X-Frame-Options": "DENY" },
      removeResponseHeaders: ["server"],
    });
    const stream = openStream(router.accept, { path: "/wiki/page?x", fields: ["X-Drop", "1", "x-from", "visitor", "X-Keep", "2"] });
    expect(JSON.parse(await stream.text())).toEqual(["/v2/page?x", ["Host", "wiki.internal", "X-From", "door", "X-Keep", "2"]]);
    const { fields } = await stream.head();
    expect(fields).toEqual(expect.arrayContaining(["X-Frame-Options", "DENY"]));
    expect(fields.join()).not.toContain("sauce");
  });
});

describe("builtin services", () => {
  test("status:NNN answers that status", async () => {
    expect(await openStream(routerTo(address("status:410")).accept).head()).toEqual({ status: 410, fields: ["Content-Length", "0"] });
  });

  test("status:NNN answers a request that still sends", async () => {
    const stream = openStream(routerTo(address("status:200")).accept, { method: "POST", end: false });
    stream.send("x");
    expect(await stream.text()).toBe("");
    await stream.until(() => stream.consumed === 1);
  });

  test("hello shows the request without its secrets, and escapes it", async () => {
    const fields = [
      "Cookie",
      "session=tops3cret",
      "Sallyport-Jwt-Assertion",
      "ey.tops3cret",
      "Authorization",
      "Bearer tops3cret",
      "X-Mark",
      "<script>alert(1)</script>",
    ];
    const stream = openStream(routerTo(address("hello")).accept, { path: "/?a=<b>", fields });
    const page = await stream.text();
    expect((await stream.head()).fields).toEqual(expect.arrayContaining(["Content-Type", "text/html; charset=utf-8"]));
    expect(page).toContain("GET /?a=&#60;b&#62;");
    expect(page).toContain("Sallyport-Jwt-Assertion");
    expect(page).not.toContain("tops3cret");
    expect(page).not.toContain("<script>alert");
  });

  test("hello sends an event per second", async () => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1));
    const stream = openStream(routerTo(address("hello"), {}, clock).accept, { path: "/sse" });
    await stream.until(() => stream.received.includes("id: 1\n"));
    expect(stream.received).not.toContain("id: 2\n");
    clock.advance(1_000);
    await stream.until(() => stream.received.includes("id: 2\ndata: 2026-01-01T00:00:01.000Z\n\n"));
    stream.cancel();
    await until(() => clock.pendingTimers === 0);
  });

  test("hello echoes a WebSocket and closes it politely", async () => {
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    const fields = ["Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", key];
    const stream = openStream(routerTo(address("hello")).accept, { kind: StreamKind.UPGRADE, path: "/ws", fields, end: false });
    expect(await stream.head()).toMatchObject({ status: 101, fields: ["Sec-WebSocket-Accept", acceptKey(key)] });
    stream.send(masked(0x81, "hello"));
    await stream.until(() => stream.bytes === 7);
    expect(stream.received).toBe("\x81\x05hello");
    stream.send(masked(0x88, "\x03\xe8"));
    expect(await stream.text()).toBe("\x81\x05hello\x88\x02\x03\xe8");
  });
});

describe("probe", () => {
  test("reports every origin: what it answers, or why not", async () => {
    const dead = `http://127.0.0.1:${await closedPort()}`;
    const live = await httpOrigin((_request, response) => {
      response.statusCode = 404;
      response.end();
    });
    const router = routerTo([at(live), address(dead)]);
    expect(await router.probe("app")).toEqual([
      { origin: `http://127.0.0.1:${live.port}`, ok: true, status: 404, durationMs: expect.any(Number) },
      { origin: dead, ok: false, code: 0x12, text: "ECONNREFUSED" },
    ]);
    expect(router.probe("other")).toBeUndefined();
  });

  test("connects to a TCP service", async () => {
    const { port } = await listening(createServer());
    expect(await routerTo(address(`tcp://127.0.0.1:${port}`)).probe("app")).toMatchObject([{ ok: true, status: undefined }]);
  });
});

/** A short client frame. */
function masked(firstByte: number, text: string): Buffer {
  const mask = [1, 2, 3, 4];
  const payload = Buffer.from(text, "latin1").map((byte, i) => byte ^ (mask[i & 3] as number));
  return Buffer.concat([Buffer.from([firstByte, 0x80 | payload.length, ...mask]), payload]);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
