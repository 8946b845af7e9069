import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { EventEmitter } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import { join } from "node:path";

import { ManualClock } from "@sallyport/shared/clock";
import { describe, expect, test } from "vitest";

import { openStream } from "./testing/memory-stream.ts";
import { address, certificateFor, closedPort, httpOrigin, listening, routerTo, temporaryFolder } from "./testing/origins.ts";

const local = (port: number): ReturnType<typeof address> => address(`http://127.0.0.1:${port}`);

/** Resolves with the first request and its response, and leaves them open. */
async function heldOrigin(): Promise<{ readonly port: number; readonly next: () => Promise<readonly [IncomingMessage, ServerResponse]> }> {
  const origin = await httpOrigin((request) => request.on("error", () => undefined));
  return { port: origin.port, next: () => once(origin, "request") as unknown as Promise<[IncomingMessage, ServerResponse]> };
}

describe("a request as the origin sees it", () => {
  test("method, path, header order, case and duplicates arrive as decided, with the visitor's authority as Host", async () => {
    const origin = await httpOrigin((request, response) => response.end(JSON.stringify([request.method, request.url, request.rawHeaders])));
    const router = routerTo(local(origin.port));
    const stream = openStream(router.accept, {
      path: "/a%2fb//c?x=1&x=2",
      fields: ["X-Two", "2", "x-one", "1", "X-Two", "again", "Accept", "*/*"],
    });
    const [method, path, headers] = JSON.parse(await stream.text()) as [string, string, string[]];
    expect([method, path]).toEqual(["GET", "/a%2fb//c?x=1&x=2"]);
    expect(headers).toEqual(["Host", "app.example.com", "X-Two", "2", "x-one", "1", "X-Two", "again", "Accept", "*/*"]);
  });

  test("bytes of header values beyond ASCII survive in both directions", async () => {
    const origin = await httpOrigin((request, response) => {
      response.writeHead(200, ["X-Back", request.headers["x-name"] as string]);
      response.end();
    });
    const stream = openStream(routerTo(local(origin.port)).accept, { fields: ["X-Name", "M\xfcller"] });
    expect((await stream.head()).fields).toContain("M\xfcller");
  });

  test.each(["POST", "PUT", "PATCH"])("%s without a body says Content-Length: 0", async (method) => {
    const origin = await httpOrigin((request, response) => response.end(String(request.headers["content-length"])));
    expect(await openStream(routerTo(local(origin.port)).accept, { method }).text()).toBe("0");
  });

  test("GET without a body has no framing field", async () => {
    const origin = await httpOrigin((request, response) =>
      response.end(JSON.stringify([request.headers["content-length"], request.headers["transfer-encoding"]])),
    );
    expect(await openStream(routerTo(local(origin.port)).accept).text()).toBe("[null,null]");
  });

  test.each(["GET", "DELETE", "POST"])("a %s body of declared length keeps its Content-Length", async (method) => {
    const origin = await httpOrigin(async (request, response) =>
      response.end(`${request.headers["content-length"]} ${await read(request)}`),
    );
    const stream = openStream(routerTo(local(origin.port)).accept, { method, contentLength: 5, end: false });
    stream.send("he");
    stream.send("llo");
    stream.finish();
    expect(await stream.text()).toBe("5 hello");
    expect(stream.consumed).toBe(5);
  });

  test("a body of unknown length is chunked", async () => {
    const origin = await httpOrigin(async (request, response) =>
      response.end(`${request.headers["transfer-encoding"]} ${await read(request)}`),
    );
    const stream = openStream(routerTo(local(origin.port)).accept, { method: "POST", end: false });
    stream.send("hello");
    stream.finish();
    expect(await stream.text()).toBe("chunked hello");
  });

  test("the head of a request whose body stays away reaches the origin nevertheless", async () => {
    const origin = await httpOrigin((_request, response) => response.end("answered before the body"));
    const stream = openStream(routerTo(local(origin.port)).accept, { method: "POST", end: false });
    expect(await stream.text()).toBe("answered before the body");
  });

  test("Expect: 100-continue reaches the origin, and its 100 stays behind", async () => {
    const server = createServer();
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      response.writeContinue();
      void read(request).then((body) => response.end(`${request.headers.expect} ${body}`));
    });
    const origin = await listening(server);
    const stream = openStream(routerTo(local(origin.port)).accept, {
      method: "POST",
      contentLength: 2,
      end: false,
      fields: ["Expect", "100-continue"],
    });
    stream.send("ok");
    stream.finish();
    expect(await stream.text()).toBe("100-continue ok");
    expect(stream.interim).toEqual([]);
  });

  test("several requests share one connection", async () => {
    const origin = await httpOrigin((_request, response) => response.end("x"));
    const router = routerTo(local(origin.port));
    for (let i = 0; i < 5; i++) expect(await openStream(router.accept).text()).toBe("x");
    expect(origin.accepted).toBe(1);
  });

  test("a unix socket is an origin", async () => {
    const path = join(temporaryFolder(), "origin.sock");
    await listening(
      createServer((request, response) => response.end(request.headers.host)),
      path,
    );
    expect(await openStream(routerTo(address(`unix:${path}`)).accept).text()).toBe("app.example.com");
  });
});

describe("TLS", () => {
  const certificate = certificateFor("wiki.internal");
  const tlsOrigin = (): ReturnType<typeof listening<ReturnType<typeof createTlsServer>>> =>
    listening(
      createTlsServer(certificate, (request, response) => response.end(String((request.socket as { servername?: string }).servername))),
    );

  test("the configured CA and server name are verified, and the name is sent", async () => {
    const { port } = await tlsOrigin();
    const router = routerTo(address(`https://127.0.0.1:${port}`), { ca: certificate.cert, serverName: "wiki.internal" });
    expect(await openStream(router.accept).text()).toBe("wiki.internal");
  });

  test("an unknown issuer is ORIGIN_TLS", async () => {
    const { port } = await tlsOrigin();
    const router = routerTo(address(`https://127.0.0.1:${port}`), { serverName: "wiki.internal" });
    expect(await openStream(router.accept).failure()).toMatchObject({ code: "ORIGIN_TLS", text: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  });

  test("a certificate for another name is ORIGIN_TLS", async () => {
    const { port } = await tlsOrigin();
    const router = routerTo(address(`https://127.0.0.1:${port}`), { ca: certificate.cert, serverName: "other.internal" });
    expect(await openStream(router.accept).failure()).toMatchObject({ code: "ORIGIN_TLS", text: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  test("a certificate is checked against an IP address when there is no name", async () => {
    const { port } = await tlsOrigin();
    const router = routerTo(address(`https://127.0.0.1:${port}`), { ca: certificate.cert });
    expect(await openStream(router.accept).failure()).toMatchObject({ code: "ORIGIN_TLS", text: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  test("insecureSkipVerify accepts anything, and warns", async () => {
    const { port } = await tlsOrigin();
    const router = routerTo(address(`https://127.0.0.1:${port}`), { insecureSkipVerify: true });
    expect((await openStream(router.accept).head()).status).toBe(200);
    expect(router.lines).toContainEqual(expect.objectContaining({ level: "warn", message: expect.stringContaining("NOT verified") }));
  });

  test("a plain origin behind https is ORIGIN_TLS", async () => {
    const origin = await httpOrigin((_request, response) => response.end());
    const router = routerTo(address(`https://127.0.0.1:${origin.port}`));
    expect(await openStream(router.accept).failure()).toMatchObject({ code: "ORIGIN_TLS" });
  });
});

describe("responses", () => {
  test("status, header order, duplicates and Content-Length are kept; hop-by-hop fields are not", async () => {
    const origin = await httpOrigin((_request, response) => {
      response.sendDate = false;
      response.writeHead(404, [
        "Set-Cookie",
        "a=1",
        "X-A",
        "1",
        "Set-Cookie",
        "b=2",
        "Keep-Alive",
        "timeout=5",
        "Connection",
        "keep-alive, X-Hop",
        "X-Hop",
        "1",
        "Content-Length",
        "2",
      ]);
      response.end("no");
    });
    const stream = openStream(routerTo(local(origin.port)).accept);
    expect(await stream.text()).toBe("no");
    expect(await stream.head()).toEqual({
      status: 404,
      fields: ["Set-Cookie", "a=1", "X-A", "1", "Set-Cookie", "b=2", "Content-Length", "2"],
    });
  });

  test("trailers are forwarded as trailers", async () => {
    const origin = await httpOrigin((_request, response) => {
      response.writeHead(200, { Trailer: "X-Sum" });
      response.write("data");
      response.addTrailers({ "X-Sum": "42" });
      response.end();
    });
    const stream = openStream(routerTo(local(origin.port)).accept);
    expect(await stream.text()).toBe("data");
    expect(stream.trailers).toEqual(["X-Sum", "42"]);
  });

  test("each event of a stream arrives when it is sent", async () => {
    const origin = await heldOrigin();
    const stream = openStream(routerTo(local(origin.port)).accept);
    const [, response] = await origin.next();
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    for (const event of ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]) {
      const before = stream.bytes;
      response.write(event);
      await stream.until(() => stream.bytes === before + event.length);
    }
    expect(stream.outcome).toBeUndefined();
    response.end();
    expect(await stream.done()).toEqual({ kind: "end", trailers: [] });
  });

  test("103 Early Hints go ahead of the head, at most 8 of them", async () => {
    const origin = await httpOrigin((_request, response) => {
      for (let i = 0; i < 12; i++) response.writeEarlyHints({ link: `</${i}.css>; rel=preload` });
      response.end("ok");
    });
    const stream = openStream(routerTo(local(origin.port)).accept);
    expect(await stream.text()).toBe("ok");
    expect(stream.interim.map(({ status }) => status)).toEqual(Array(8).fill(103));
  });

  test("HEAD keeps the Content-Length, has no body, and its connection is not used again", async () => {
    const origin = await httpOrigin((_request, response) => {
      response.setHeader("Content-Length", 10);
      response.end("0123456789");
    });
    const router = routerTo(local(origin.port));
    const stream = openStream(router.accept, { method: "HEAD" });
    const { fields } = await stream.head();
    expect(fields[fields.indexOf("Content-Length") + 1]).toBe("10");
    expect(stream.final?.end).toBe(true);
    expect(await openStream(router.accept).text()).toBe("0123456789");
    expect(origin.accepted).toBe(2);
  });

  test("a redirect is passed on, not followed", async () => {
    const origin = await httpOrigin((_request, response) => {
      response.writeHead(302, { Location: "http://169.254.169.254/latest" });
      response.end();
    });
    expect(await openStream(routerTo(local(origin.port)).accept).head()).toMatchObject({ status: 302 });
  });
});

describe("large bodies", () => {
  const CHUNK = randomBytes(65_536);
  const CHUNKS = 1_024;

  function expectedDigest(): string {
    const hash = createHash("sha256");
    for (let i = 0; i < CHUNKS; i++) hash.update(CHUNK);
    return hash.digest("hex");
  }

  test("64 MiB up arrive whole, and credit is returned only as the origin takes them", async () => {
    const origin = await httpOrigin(async (request, response) => {
      const hash = createHash("sha256");
      for await (const chunk of request) hash.update(chunk as Buffer);
      response.end(hash.digest("hex"));
    });
    const stream = openStream(routerTo(local(origin.port)).accept, { method: "PUT", contentLength: CHUNK.length * CHUNKS, end: false });
    for (let i = 0; i < CHUNKS; i++) await stream.upload(CHUNK);
    stream.finish();
    expect(await stream.text()).toBe(expectedDigest());
    expect(stream.consumed).toBe(stream.sent);
  });

  test("64 MiB down arrive whole", async () => {
    const origin = await httpOrigin(async (_request, response) => {
      for (let i = 0; i < CHUNKS; i++) if (!response.write(CHUNK)) await once(response, "drain");
      response.end();
    });
    const stream = openStream(routerTo(local(origin.port)).accept, { discard: true });
    const hash = createHash("sha256");
    stream.onBytes = (chunk) => void hash.update(chunk);
    expect(await stream.done()).toEqual({ kind: "end", trailers: [] });
    expect(hash.digest("hex")).toBe(expectedDigest());
  });

  test("a visitor that does not read stops the origin, and goes on where it stopped", async () => {
    const origin = await heldOrigin();
    const stream = openStream(routerTo(local(origin.port)).accept, { stalled: true, discard: true });
    const [, response] = await origin.next();
    let written = 0;
    const pump = (): void => {
      while (written < CHUNKS && response.write(CHUNK)) written++;
    };
    // Kernel buffers take some megabytes; then the origin's socket stays full.
    response.on("drain", pump);
    pump();
    await stream.until(() => stream.bytes >= 65_536);
    await settled(() => written);
    expect(written).toBeLessThan(CHUNKS / 2);
    expect(stream.bytes).toBeLessThan(1_048_576);
    response.removeListener("drain", pump);
    stream.read();
    response.end();
    expect(await stream.done()).toEqual({ kind: "end", trailers: [] });
  });

  test("an origin that does not read keeps the visitor's credit", async () => {
    const origin = await heldOrigin();
    const stream = openStream(routerTo(local(origin.port)).accept, { method: "POST", end: false });
    stream.send(CHUNK);
    const [request] = await origin.next();
    request.pause();
    // As a relay that ignored credit would: everything at once.
    for (let i = 0; i < 256; i++) stream.send(CHUNK);
    await settled(() => stream.consumed);
    expect(stream.sent - stream.consumed).toBeGreaterThan(4 * 1_048_576);
    request.resume();
    await stream.until(() => stream.consumed === stream.sent);
    stream.cancel();
  });
});

describe("the two ends of an exchange", () => {
  test("an early answer is delivered while the upload goes on, and the rest of it is thrown away", async () => {
    const origin = await httpOrigin((_request, response) => {
      response.writeHead(413, { Connection: "close" });
      response.end("too large");
    });
    const router = routerTo(local(origin.port));
    const stream = openStream(router.accept, { method: "POST", contentLength: 1_000_000, end: false });
    stream.send(new Uint8Array(1_000));
    expect(await stream.text()).toBe("too large");
    stream.send(new Uint8Array(1_000));
    await stream.until(() => stream.consumed === 2_000);
    stream.cancel();
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });

  test("a connection with an unfinished request is never used again", async () => {
    const origin = await httpOrigin((_request, response) => response.end("early"));
    const router = routerTo(local(origin.port));
    const first = openStream(router.accept, { method: "POST", contentLength: 10, end: false });
    first.send("01234");
    expect(await first.text()).toBe("early");
    expect(await openStream(router.accept).text()).toBe("early");
    expect(origin.accepted).toBe(2);
  });

  test("a visitor that goes away ends the request at the origin", async () => {
    const origin = await heldOrigin();
    const router = routerTo(local(origin.port));
    const stream = openStream(router.accept);
    const [request] = await origin.next();
    const gone = closed(request.socket);
    stream.cancel();
    await gone;
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
    expect(stream.outcome).toBeUndefined();
  });

  test("a visitor that goes away mid-response ends it too", async () => {
    const origin = await heldOrigin();
    const stream = openStream(routerTo(local(origin.port)).accept);
    const [request, response] = await origin.next();
    response.write("part");
    await stream.until(() => stream.bytes === 4);
    const gone = closed(request.socket);
    stream.cancel();
    await gone;
  });

  test("a body longer than declared is refused, and the origin sees no whole request", async () => {
    const origin = await heldOrigin();
    const stream = openStream(routerTo(local(origin.port)).accept, { method: "POST", contentLength: 4, end: false });
    stream.send("12");
    const [request] = await origin.next();
    const aborted = closed(request);
    stream.send("345");
    expect(await stream.failure()).toMatchObject({ code: "REQUEST_INVALID", text: "body is longer than declared" });
    await aborted;
    expect(request.complete).toBe(false);
  });

  test("a body shorter than declared is refused, and the origin sees no whole request", async () => {
    const origin = await heldOrigin();
    const stream = openStream(routerTo(local(origin.port)).accept, { method: "POST", contentLength: 4, end: false });
    stream.send("12");
    const [request] = await origin.next();
    const aborted = closed(request);
    stream.finish();
    expect(await stream.failure()).toMatchObject({ code: "REQUEST_INVALID", text: "body is shorter than declared" });
    await aborted;
    expect(request.complete).toBe(false);
  });
});

describe("errors and limits", () => {
  test("nobody listens: ORIGIN_UNREACHABLE with the system's code", async () => {
    const router = routerTo(local(await closedPort()));
    expect(await openStream(router.accept).failure()).toEqual({ code: "ORIGIN_UNREACHABLE", text: "ECONNREFUSED", http2Code: 0 });
    expect(router.health().get("app")).toEqual([expect.objectContaining({ state: "down", reason: "ECONNREFUSED", outstanding: 0 })]);
  });

  test("a missing socket file is ORIGIN_UNREACHABLE", async () => {
    const router = routerTo(address(`unix:${join(temporaryFolder(), "none.sock")}`));
    expect(await openStream(router.accept).failure()).toMatchObject({ code: "ORIGIN_UNREACHABLE", text: "ENOENT" });
  });

  test("a name that does not resolve is ORIGIN_UNREACHABLE", async () => {
    expect(await openStream(routerTo(address("http://nowhere.invalid")).accept).failure()).toMatchObject({ code: "ORIGIN_UNREACHABLE" });
  });

  test("a TLS server that never answers is ORIGIN_CONNECT_TIMEOUT at connectTimeout", async () => {
    const silent = await listening(createTcpServer(() => undefined));
    const clock = new ManualClock();
    const accepted = once(silent, "connection");
    const stream = openStream(routerTo(address(`https://127.0.0.1:${silent.port}`), { connectTimeoutMs: 3_000 }, clock).accept);
    await accepted;
    clock.advance(2_999);
    expect(stream.outcome).toBeUndefined();
    clock.advance(1);
    expect(await stream.failure()).toMatchObject({ code: "ORIGIN_CONNECT_TIMEOUT" });
    expect(clock.pendingTimers).toBe(0);
  });

  test("no response head within responseHeaderTimeout is ORIGIN_HEADER_TIMEOUT", async () => {
    const origin = await heldOrigin();
    const clock = new ManualClock();
    const stream = openStream(routerTo(local(origin.port), { responseHeaderTimeoutMs: 5_000 }, clock).accept);
    const [request] = await origin.next();
    const gone = closed(request.socket);
    clock.advance(4_999);
    expect(stream.outcome).toBeUndefined();
    clock.advance(1);
    expect(await stream.failure()).toMatchObject({ code: "ORIGIN_HEADER_TIMEOUT" });
    await gone;
  });

  test("responseHeaderTimeout does not end a response that has begun", async () => {
    const origin = await heldOrigin();
    const clock = new ManualClock();
    const stream = openStream(routerTo(local(origin.port), { responseHeaderTimeoutMs: 5_000 }, clock).accept);
    const [, response] = await origin.next();
    response.write("quiet from here");
    await stream.until(() => stream.bytes > 0);
    clock.advance(3_600_000);
    response.end();
    expect(await stream.done()).toEqual({ kind: "end", trailers: [] });
  });

  test("a promised body that stays away ends by the idle limit, counted from the last byte", async () => {
    const origin = await heldOrigin();
    const clock = new ManualClock();
    const stream = openStream(routerTo(local(origin.port), {}, clock).accept, { method: "POST", contentLength: 10, end: false });
    stream.send("1");
    const [request] = await origin.next();
    clock.advance(59_000);
    stream.send("2");
    clock.advance(59_000);
    expect(stream.outcome).toBeUndefined();
    const gone = closed(request.socket);
    clock.advance(1_000);
    expect(await stream.failure()).toMatchObject({ code: "IDLE_TIMEOUT" });
    await gone;
  });

  test("the idle limit spares gRPC and uploads whose answer has begun", async () => {
    const origin = await heldOrigin();
    const clock = new ManualClock();
    const router = routerTo(local(origin.port), {}, clock);
    const grpc = openStream(router.accept, { method: "POST", end: false, fields: ["Content-Type", "application/grpc+proto"] });
    grpc.send("1");
    await origin.next();
    const duplex = openStream(router.accept, { method: "POST", end: false });
    duplex.send("1");
    const [, response] = await origin.next();
    response.write("begun");
    await duplex.head();
    clock.advance(600_000);
    expect([grpc.outcome, duplex.outcome]).toEqual([undefined, undefined]);
    grpc.cancel();
    duplex.cancel();
  });

  test("beyond maxConnections requests wait, and beyond the queue they are refused", async () => {
    const origin = await heldOrigin();
    const router = routerTo(local(origin.port), { maxConnections: 1, maxQueuedRequests: 1 });
    const first = openStream(router.accept);
    const [, response] = await origin.next();
    const second = openStream(router.accept);
    const third = openStream(router.accept);
    expect(await third.failure()).toMatchObject({ code: "OVERLOAD" });
    const secondArrived = origin.next();
    response.end("one");
    expect(await first.text()).toBe("one");
    (await secondArrived)[1].end("two");
    expect(await second.text()).toBe("two");
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });

  test("a request that waits longer than connectTimeout for a free connection is refused", async () => {
    const origin = await heldOrigin();
    const clock = new ManualClock();
    const router = routerTo(local(origin.port), { maxConnections: 1 }, clock);
    const first = openStream(router.accept);
    await origin.next();
    const second = openStream(router.accept);
    clock.advance(10_000);
    expect(await second.failure()).toMatchObject({ code: "OVERLOAD" });
    first.cancel();
  });

  test("a visitor that gives up in the queue leaves it", async () => {
    const origin = await heldOrigin();
    const router = routerTo(local(origin.port), { maxConnections: 1 });
    const first = openStream(router.accept);
    const [, response] = await origin.next();
    openStream(router.accept).cancel();
    response.end("one");
    await first.text();
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });
});

async function read(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}

/** Unlike events.once, takes no offence at an error before. */
function closed(emitter: EventEmitter): Promise<void> {
  return new Promise((resolve) => emitter.once("close", () => resolve()));
}

/** Resolves when a figure has not moved for 20 turns of the event loop that each polled for input. */
async function settled(figure: () => number): Promise<void> {
  let last = figure();
  for (let quiet = 0; quiet < 20; quiet++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (figure() === last) continue;
    last = figure();
    quiet = 0;
  }
}
