import { once } from "node:events";
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from "node:http2";
import { connect as tlsConnect } from "node:tls";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { answer, END_STREAM, Exchanges, FrameType, makeCertificate, RawHttp2, startServer, stopServers } from "./test-support.ts";
import type { IngressServerOptions } from "./server.ts";
import type { Certificate } from "./tls.ts";

let certificate: Certificate;
const sessions: ClientHttp2Session[] = [];
beforeAll(() => void (certificate = makeCertificate("app.test")));
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await stopServers();
});

async function start(
  options: Partial<IngressServerOptions> & Pick<IngressServerOptions, "onExchange">,
): Promise<Awaited<ReturnType<typeof startServer>> & { client: ClientHttp2Session }> {
  const started = await startServer({ ...listening(), ...options });
  return { ...started, client: await connectTo(started.port) };
}

function listening(): Pick<IngressServerOptions, "listeners"> {
  return { listeners: [{ host: "127.0.0.1", port: 0, tls: { certificates: [certificate] } }] };
}

async function connectTo(port: number): Promise<ClientHttp2Session> {
  const session = connect("https://app.test", {
    createConnection: () =>
      tlsConnect({ port, host: "127.0.0.1", servername: "app.test", rejectUnauthorized: false, ALPNProtocols: ["h2"] }),
  });
  session.on("error", () => {});
  sessions.push(session);
  await once(session, "connect");
  return session;
}

function closed(stream: ClientHttp2Stream): Promise<void> {
  stream.on("error", () => {});
  return new Promise((resolve) => void stream.once("close", () => resolve()));
}

async function response(
  stream: ClientHttp2Stream,
): Promise<{ headers: IncomingHttpHeaders; raw: string[]; body: string; trailers: string[]; code: number }> {
  let body = "";
  let trailers: string[] = [];
  stream.on("error", () => {});
  stream.on("data", (chunk) => (body += chunk.toString("latin1")));
  stream.on("trailers", (...args: unknown[]) => (trailers = args[2] as string[]));
  let headers: IncomingHttpHeaders = {};
  let raw: string[] = [];
  stream.on("response", (...args: unknown[]) => {
    headers = args[0] as IncomingHttpHeaders;
    raw = args[2] as string[];
  });
  await closed(stream);
  return { headers, raw, body, trailers, code: stream.rstCode ?? 0 };
}

describe("an HTTP/2 exchange", () => {
  it("hands over the head as received and keeps order and duplicates both ways", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange });
    const stream = client.request({ ":path": "/a//b?c", ":method": "GET", "x-b": ["1", "2"], cookie: ["a=1", "b=2"] });
    const { exchange, recorder } = await exchanges.at(0);
    expect(exchange.request).toMatchObject({
      httpVersion: "2.0",
      method: "GET",
      target: "/a//b?c",
      authority: "app.test:443",
      scheme: "https",
      serverName: "app.test",
      upgrade: false,
      bodyless: true,
    });
    expect(exchange.request.fields).toEqual(["x-b", "1", "x-b", "2", "cookie", "a=1", "cookie", "b=2"]);
    exchange.sendHead(
      200,
      ["X-Z", "1", "x-y", "2", "X-Z", "3", "Connection", "x", "Keep-Alive", "5", "Transfer-Encoding", "chunked", "Upgrade", "h3"],
      false,
    );
    exchange.write(Buffer.from("hi"));
    exchange.end(["X-T", "1", "x-u", "2", "X-T", "3"]);
    const { raw, body, trailers } = await response(stream);
    expect(raw.slice(0, -2)).toEqual([":status", "200", "x-z", "1", "x-y", "2", "x-z", "3"]);
    expect(raw.at(-2)).toBe("date");
    expect(body).toBe("hi");
    expect(trailers).toEqual(["x-t", "1", "x-t", "3", "x-u", "2"]);
    await recorder.saw("close");
    expect(recorder.events).toEqual(["close"]);
  });

  it("passes on fields that an origin repeats where node:http2 expects one, also in 103 and trailers (R-D9)", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange });
    const stream = client.request();
    const interim: unknown[] = [];
    stream.on("headers", (...args: unknown[]) => void interim.push(args[2]));
    const { exchange } = await exchanges.at(0);
    const twice = ["etag", "a", "etag", "b", "retry-after", "1", "retry-after", "2"];
    exchange.sendInformational(103, twice);
    exchange.sendHead(200, twice, false);
    exchange.write(Buffer.from("hi"));
    exchange.end(twice);
    const { raw, body, trailers, code } = await response(stream);
    expect(interim).toEqual([[":status", "103", ...twice]]);
    expect(raw.slice(0, -2)).toEqual([":status", "200", ...twice]);
    expect([body, trailers, code]).toEqual(["hi", twice, 0]);
  });

  it("keeps a Date of the origin and adds none beside it", async () => {
    const { client } = await start({ onExchange: (exchange) => exchange.sendHead(200, ["Date", "Thu, 01 Jan 1970 00:00:00 GMT"], true) });
    const { raw } = await response(client.request());
    expect(raw.filter((text) => text === "date").length).toBe(1);
    expect(raw).toContain("Thu, 01 Jan 1970 00:00:00 GMT");
  });

  it("sends 103 before the head and 100 only when asked", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange });
    const stream = client.request({ ":method": "POST", expect: "100-continue" }, { endStream: false });
    const interim: number[] = [];
    stream.on("headers", (headers) => void interim.push(Number(headers[":status"])));
    const { exchange, recorder } = await exchanges.at(0);
    exchange.sendContinue();
    exchange.sendContinue();
    exchange.sendInformational(103, ["Link", "<a>", "Link", "<b>"]);
    exchange.resume();
    stream.end("abc");
    await recorder.saw("end");
    expect(recorder.text).toBe("abc");
    answer(exchange);
    expect((await response(stream)).body).toBe("ok");
    expect(interim).toEqual([100, 103]);
  });

  it("refuses to write fields that HTTP cannot carry, where nghttp2 would drop them silently", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange });
    const stream = client.request();
    const { exchange } = await exchanges.at(0);
    expect(() => exchange.sendHead(200, ["x-a", "1\r\nx-b: 2"], false)).toThrow(/cannot be written/);
    expect(() => exchange.sendHead(200, ["x a", "1"], false)).toThrow(/cannot be written/);
    answer(exchange);
    expect((await response(stream)).headers[":status"]).toBe(200);
  });

  it.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("sends no body for %s with %i", async (method, status) => {
    const { client } = await start({
      onExchange: (exchange) => {
        exchange.sendHead(status, ["Content-Length", "5"], false);
        exchange.write(Buffer.from("12345"));
        exchange.end();
      },
    });
    const { headers, body, code } = await response(client.request({ ":method": method }));
    expect([headers[":status"], body, code]).toEqual([status, "", 0]);
  });

  it("resets a stream whose body is shorter or longer than its declared length", async () => {
    for (const body of ["12", "12345678"]) {
      const { client } = await start({
        onExchange: (exchange) => {
          exchange.sendHead(200, ["Content-Length", "5"], false);
          exchange.write(Buffer.from(body));
          exchange.end();
        },
      });
      expect((await response(client.request())).code).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    }
  });

  it("tells the visitor that an answer was cut, with the code given", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange });
    const stream = client.request();
    const { exchange, recorder } = await exchanges.at(0);
    exchange.sendHead(200, [], false);
    exchange.write(Buffer.from("half"));
    await once(stream, "response");
    exchange.abort(constants.NGHTTP2_CANCEL);
    await closed(stream);
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    await recorder.saw("close");
    expect(recorder.events).toEqual(["close"]);
  });

  it("reports a visitor's reset with its code, flowing or not, and never as an end", async () => {
    const exchanges = new Exchanges();
    const { port } = await start({ onExchange: exchanges.onExchange });
    const visitor = new RawHttp2(port);
    for (const [index, [flows, code]] of (
      [
        [true, 8],
        [false, 8],
        [true, 0],
        [false, 0],
      ] as const
    ).entries()) {
      const id = index * 2 + 1;
      visitor.post(id).frame(FrameType.DATA, 0, id, Buffer.from("part"));
      const { exchange, recorder } = await exchanges.at(index);
      if (flows) {
        exchange.resume();
        await recorder.saw("data");
      }
      visitor.reset(id, code);
      await recorder.saw("close");
      expect(recorder.events).toEqual([...(flows ? ["data"] : []), `abort ${code}`, "close"]);
    }
    visitor.socket.destroy();
  });

  it("reports a connection that breaks in the middle of an upload", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange });
    const stream = client.request({ ":method": "POST" }, { endStream: false });
    stream.on("error", () => {});
    stream.write("part");
    const { exchange, recorder } = await exchanges.at(0);
    exchange.resume();
    await recorder.saw("data");
    client.destroy();
    await recorder.saw("close");
    expect(recorder.events.length).toBe(3);
    expect(recorder.events[1]).toMatch(/^abort/);
  });

  it("answers before the end of the body and stops the upload without an error", async () => {
    const { client } = await start({ onExchange: (exchange) => answer(exchange, "early", 413) });
    const stream = client.request({ ":method": "POST" }, { endStream: false });
    stream.write(Buffer.alloc(100_000));
    const { headers, body, code } = await response(stream);
    expect([headers[":status"], body, code]).toEqual([413, "early", constants.NGHTTP2_NO_ERROR]);
  });

  it("holds an upload back while its owner is paused, and does not stop its neighbours", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange });
    const upload = client.request({ ":method": "POST" }, { endStream: false });
    upload.on("error", () => {});
    upload.write(Buffer.alloc(8 * 1024 * 1024));
    const { exchange, recorder } = await exchanges.at(0);
    exchange.resume();
    await recorder.saw("data");
    exchange.pause();
    const seen = recorder.bytes;
    const neighbour = client.request({ ":method": "POST" });
    neighbour.end(Buffer.alloc(1024 * 1024));
    const second = await exchanges.at(1);
    second.exchange.resume();
    await second.recorder.saw("end");
    expect(second.recorder.bytes).toBe(1024 * 1024);
    expect(recorder.bytes - seen).toBeLessThanOrEqual(64 * 1024);
    exchange.resume();
    await recorder.until(() => recorder.bytes === 8 * 1024 * 1024);
    upload.close();
  });

  it("makes write return false towards a visitor that does not read, and drain follows", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange });
    const stream = client.request();
    stream.pause();
    const { exchange, recorder } = await exchanges.at(0);
    exchange.sendHead(200, [], false);
    let sent = 0;
    while (exchange.write(Buffer.alloc(64 * 1024))) {
      sent += 64 * 1024;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(sent).toBeLessThan(4 * 1024 * 1024);
    stream.resume();
    await recorder.saw("drain");
    exchange.end();
    await recorder.saw("close");
  });

  it("ends with 408 when the body stops coming", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange, limits: { requestBodyIdleMs: 60 } });
    const stream = client.request({ ":method": "POST" }, { endStream: false });
    stream.write("a");
    const { exchange, recorder } = await exchanges.at(0);
    exchange.resume();
    expect((await response(stream)).headers[":status"]).toBe(408);
    await recorder.saw("close");
    expect(recorder.events).toEqual(["data", "refused ERR_BODY_TIMEOUT", "abort 0", "close"]);
  });
});

describe("what the session itself refuses", () => {
  it("CONNECT, too many fields and too long targets are answered without the owner (R-L2)", async () => {
    const exchanges = new Exchanges();
    const refused: string[] = [];
    const { client } = await start({ onExchange: exchanges.onExchange, onRefused: ({ code }) => void refused.push(code) });
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`x-${index}`, "1"]));
    const statuses = [];
    for (const headers of [
      { ":method": "CONNECT", ":authority": "b:443" },
      { ":method": "TRACE" },
      many,
      { ":path": `/${"x".repeat(8_192)}` },
      { "x-a": "x".repeat(16_384) },
    ]) {
      statuses.push((await response(client.request(headers))).headers[":status"]);
    }
    expect(statuses).toEqual([405, 405, 431, 414, 431]);
    expect(refused.length).toBe(5);
    expect(exchanges.list).toEqual([]);
  });

  it("a content-length that the body does not keep resets the stream; the process and the session live (R-L3)", async () => {
    const exchanges = new Exchanges();
    const { client } = await start({ onExchange: exchanges.onExchange });
    const stream = client.request({ ":method": "POST", "content-length": "9" }, { endStream: false });
    const { exchange, recorder } = await exchanges.at(0);
    exchange.resume();
    stream.end("abc");
    await response(stream);
    await recorder.saw("close");
    expect(recorder.events).toContain("abort 1");
    expect(recorder.events).not.toContain("end");
    const next = client.request();
    answer((await exchanges.at(1)).exchange);
    expect((await response(next)).body).toBe("ok");
  });

  it("more than 100 resets in 10 s end the session with ENHANCE_YOUR_CALM (R-L3)", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ ...listening(), onExchange: exchanges.onExchange });
    const visitor = new RawHttp2(port);
    for (let id = 1; id <= 199; id += 2) visitor.post(id).reset(id, constants.NGHTTP2_CANCEL);
    const last = await exchanges.at(99);
    await last.recorder.saw("close");
    expect(visitor.socket.destroyed).toBe(false);
    visitor.post(201).reset(201, constants.NGHTTP2_CANCEL);
    expect(await visitor.goaway()).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await Promise.all(exchanges.list.map(({ recorder }) => recorder.saw("close")));
  });

  it("resets that the client provokes count as its own (MadeYouReset, R-L3)", async () => {
    const exchanges = new Exchanges();
    const { port } = await startServer({ ...listening(), onExchange: exchanges.onExchange, limits: { maxStreamResets: 10 } });
    const visitor = new RawHttp2(port);
    // A body shorter than its content-length makes the server reset the stream (RFC 9113 section 8.1.1).
    for (let id = 1; id <= 23; id += 2) visitor.post(id, "9").frame(FrameType.DATA, END_STREAM, id, Buffer.from("ab"));
    expect(await visitor.goaway()).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  it.each([
    ["SETTINGS", FrameType.SETTINGS, Buffer.from([0, 4, 0, 1, 0, 0])],
    ["PING", FrameType.PING, Buffer.alloc(8)],
  ])("a flood of %s ends the session the same way (R-L3)", async (_name, type, payload) => {
    const { port } = await startServer({ ...listening(), onExchange: answer, limits: { maxPingFrames: 50, maxSettingsFrames: 50 } });
    const visitor = new RawHttp2(port);
    for (let i = 0; i < 60; i++) visitor.frame(type, 0, 0, payload);
    expect(await visitor.goaway()).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  it("tells its limits in SETTINGS and offers no extended CONNECT", async () => {
    const { client } = await start({ onExchange: answer });
    if (client.remoteSettings.maxConcurrentStreams === undefined) await once(client, "remoteSettings");
    expect(client.remoteSettings).toMatchObject({ maxConcurrentStreams: 100, enableConnectProtocol: false });
  });

  it("an idle session ends like an idle connection, a busy one stays", async () => {
    const exchanges = new Exchanges();
    const { client, port } = await start({ onExchange: exchanges.onExchange, limits: { keepAliveTimeoutMs: 60 } });
    const stream = client.request();
    const { exchange } = await exchanges.at(0);
    const idle = await connectTo(port);
    await once(idle, "close");
    answer(exchange);
    expect((await response(stream)).body).toBe("ok");
    await once(client, "close");
  });
});

describe("closing", () => {
  it("sends GOAWAY, lets open streams finish, and resolves", async () => {
    const exchanges = new Exchanges();
    const { client, server } = await start({ onExchange: exchanges.onExchange });
    const stream = client.request();
    const { exchange } = await exchanges.at(0);
    const goaway = once(client, "goaway");
    const closed = server.close({ graceMs: 10_000 });
    expect((await goaway)[0]).toBe(constants.NGHTTP2_NO_ERROR);
    answer(exchange, "finished");
    expect((await response(stream)).body).toBe("finished");
    await closed;
    expect(server.stats()).toMatchObject({ connections: 0, http2Sessions: 0 });
  });

  it("cuts streams that outlive the grace", async () => {
    const exchanges = new Exchanges();
    const { client, server } = await start({ onExchange: exchanges.onExchange });
    client.request().on("error", () => {});
    const { recorder } = await exchanges.at(0);
    await server.close({ graceMs: 20 });
    await recorder.saw("close");
    expect(recorder.events[0]).toMatch(/^abort/);
  });
});
