import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { constants, createSecureServer, createServer } from "node:http2";
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import type { Server } from "node:net";

import { describe, expect, test } from "vitest";

import { openStream } from "./testing/memory-stream.ts";
import { address, certificateFor, httpOrigin, listening, rawOrigin, routerTo } from "./testing/origins.ts";

type OnStream = (stream: ServerHttp2Stream, raw: readonly string[]) => void;

async function h2Origin(
  onStream: OnStream,
  server: Http2Server = createServer(),
): Promise<{ readonly port: number; readonly sessions: ServerHttp2Session[] }> {
  const sessions: ServerHttp2Session[] = [];
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream, _headers, _flags, raw) => {
    stream.on("error", () => undefined);
    onStream(stream as ServerHttp2Stream, raw as unknown as string[]);
  });
  const { port } = await listening(server as unknown as Server);
  return { port, sessions };
}

const h2c = (port: number): ReturnType<typeof address> => address(`h2c://127.0.0.1:${port}`);
const GRPC = ["content-type", "application/grpc", "te", "trailers"];

// An origin made of frames (RFC 9113 section 4.1), for what node:http2's server does not do.

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const ACK = 1;
const END_HEADERS = 4;

describe("HTTP/2 origins", () => {
  test("a request has pseudo-fields from the decision, lower-case names, order and duplicates", async () => {
    const origin = await h2Origin((stream, raw) => {
      stream.respond({ ":status": 200 });
      stream.end(JSON.stringify(raw));
    });
    const stream = openStream(routerTo(h2c(origin.port)).accept, {
      path: "/p?q",
      fields: ["X-B", "1", "X-A", "2", "x-b", "3", "TE", "gzip, trailers"],
    });
    expect(JSON.parse(await stream.text())).toEqual([
      ...[":method", "GET", ":scheme", "http", ":authority", "app.example.com", ":path", "/p?q"],
      ...["x-b", "1", "x-a", "2", "x-b", "3", "te", "trailers"],
    ]);
  });

  test.each([
    ["longer", ["12", "345"], "body is longer than declared"],
    ["shorter", ["12"], "body is shorter than declared"],
  ])("a body %s than declared is refused, and the origin sees no whole request (R-D2)", async (_name, parts, text) => {
    const arrived = Promise.withResolvers<ServerHttp2Stream>();
    const origin = await h2Origin((request) => arrived.resolve(request));
    const stream = openStream(routerTo(h2c(origin.port)).accept, { method: "POST", contentLength: 4, end: false });
    const [first, ...others] = parts as [string, ...string[]];
    stream.send(first);
    const request = await arrived.promise;
    const closed = once(request, "close");
    for (const part of others) stream.send(part);
    stream.finish();
    expect(await stream.failure()).toMatchObject({ code: "REQUEST_INVALID", text });
    await closed;
    expect(request.rstCode).toBe(constants.NGHTTP2_CANCEL);
  });

  test("over TLS h2 is chosen by ALPN", async () => {
    const certificate = certificateFor("grpc.internal");
    const origin = await h2Origin((stream) => {
      stream.respond({ ":status": 200 });
      stream.end(stream.session?.alpnProtocol);
    }, createSecureServer(certificate));
    const router = routerTo(address(`https://127.0.0.1:${origin.port}`, true), { ca: certificate.cert, serverName: "grpc.internal" });
    expect(await openStream(router.accept).text()).toBe("h2");
  });

  test("a TLS origin without h2 is ORIGIN_TLS and says so", async () => {
    const certificate = certificateFor("web.internal");
    const origin = await listening(createTlsServer(certificate));
    const router = routerTo(address(`https://127.0.0.1:${origin.port}`, true), { ca: certificate.cert, serverName: "web.internal" });
    expect(await openStream(router.accept).failure()).toMatchObject({
      code: "ORIGIN_TLS",
      text: expect.stringMatching(/h2|NO_APPLICATION_PROTOCOL/),
    });
  });

  test("an HTTP/1.1 origin behind h2c is an error of the origin", async () => {
    const origin = await httpOrigin((_request, response) => response.end());
    const { code } = await openStream(routerTo(h2c(origin.port)).accept).failure();
    expect(code).toMatch(/^ORIGIN_(?:PROTOCOL|CLOSED)$/);
  });

  test("a gRPC answer carries its status in trailers", async () => {
    const origin = await h2Origin((stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "grpc-message": "fine" }));
      stream.on("data", (chunk) => stream.write(chunk));
      stream.on("end", () => stream.end());
    });
    const stream = openStream(routerTo(h2c(origin.port)).accept, { method: "POST", end: false, fields: GRPC });
    stream.send("ping");
    stream.finish();
    expect(await stream.text()).toBe("ping");
    expect(stream.trailers).toEqual(["grpc-status", "0", "grpc-message", "fine"]);
  });

  test("a trailers-only answer ends with its head", async () => {
    const origin = await h2Origin((stream) => stream.respond({ ":status": 200, "grpc-status": "5" }, { endStream: true }));
    const stream = openStream(routerTo(h2c(origin.port)).accept, { method: "POST", end: false, fields: GRPC });
    stream.send("ping");
    expect((await stream.head()).fields).toEqual(expect.arrayContaining(["grpc-status", "5"]));
    expect(stream.final?.end).toBe(true);
  });

  test("both directions of a bidirectional stream flow before either has ended", async () => {
    const origin = await h2Origin((stream) => {
      stream.respond({ ":status": 200 });
      stream.on("data", (chunk) => stream.write(chunk));
      stream.on("end", () => stream.end());
    });
    const stream = openStream(routerTo(h2c(origin.port)).accept, { method: "POST", end: false, fields: GRPC });
    await stream.head();
    for (let i = 1; i <= 3; i++) {
      stream.send("x");
      await stream.until(() => stream.bytes === i);
    }
    stream.finish();
    expect(await stream.text()).toBe("xxx");
  });

  test("a visitor's cancel reaches the origin with its code", async () => {
    const codes: number[] = [];
    const seen = Promise.withResolvers<void>();
    const origin = await h2Origin((stream) => {
      stream.on("close", () => {
        codes.push(stream.rstCode);
        seen.resolve();
      });
    });
    const stream = openStream(routerTo(h2c(origin.port)).accept, { method: "POST", end: false, fields: GRPC });
    stream.send("x");
    await stream.until(() => stream.consumed === 1);
    stream.cancel();
    await seen.promise;
    expect(codes).toEqual([constants.NGHTTP2_CANCEL]);
  });

  test.each([
    ["before the head", []],
    ["after the head", [frame(HEADERS, END_HEADERS, 1, [0x88]), data("part")]],
  ])("the origin's RST_STREAM %s is ORIGIN_CLOSED with its code", async (_name, before) => {
    const port = await framesOrigin([...before, frame(RST_STREAM, 0, 1, [0, 0, 0, constants.NGHTTP2_ENHANCE_YOUR_CALM])]);
    expect(await openStream(routerTo(h2c(port)).accept).failure()).toMatchObject({
      code: "ORIGIN_CLOSED",
      http2Code: constants.NGHTTP2_ENHANCE_YOUR_CALM,
    });
  });

  test("RST_STREAM(NO_ERROR) does not make a short body whole", async () => {
    // :status 200, and content-length 10 as a literal with an indexed name (RFC 7541 section 6.2.2).
    const head = frame(HEADERS, END_HEADERS, 1, [0x88, 0x0f, 0x0d, 2, 0x31, 0x30]);
    const port = await framesOrigin([head, data("part"), frame(RST_STREAM, 0, 1, [0, 0, 0, 0])]);
    expect(await openStream(routerTo(h2c(port)).accept).failure()).toMatchObject({ code: "ORIGIN_CLOSED" });
  });

  test("an origin that dies mid-response leaves no answer that looks whole", async () => {
    const origin = await h2Origin((stream) => {
      stream.respond({ ":status": 200 });
      stream.write("part");
    });
    const stream = openStream(routerTo(h2c(origin.port)).accept);
    await stream.until(() => stream.bytes === 4);
    for (const session of origin.sessions) session.destroy();
    expect(await stream.failure()).toMatchObject({ code: "ORIGIN_CLOSED" });
  });

  test("requests share one session, and one that goes away is replaced while its streams finish", async () => {
    const held: ServerHttp2Stream[] = [];
    const origin = await h2Origin((stream) => {
      stream.respond({ ":status": 200 });
      if (held.length === 0) held.push(stream);
      else stream.end("new");
    });
    const router = routerTo(h2c(origin.port));
    const first = openStream(router.accept);
    await first.head();
    expect(await openStream(router.accept).text()).toBe("new");
    expect(origin.sessions.length).toBe(1);
    origin.sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR);
    held[0]?.write("on");
    await first.until(() => first.bytes === 2);
    expect(await openStream(router.accept).text()).toBe("new");
    expect(origin.sessions.length).toBe(2);
    held[0]?.end(" and done");
    expect(await first.text()).toBe("on and done");
  });

  test("a stream beyond the origin's limit goes over another session", async () => {
    const held: ServerHttp2Stream[] = [];
    const origin = await h2Origin(
      (stream) => {
        stream.respond({ ":status": 200 });
        held.push(stream);
      },
      createServer({ settings: { maxConcurrentStreams: 1 } }),
    );
    const router = routerTo(h2c(origin.port));
    const streams = [openStream(router.accept)];
    await streams[0]?.head();
    streams.push(openStream(router.accept));
    await streams[1]?.head();
    expect(origin.sessions.length).toBe(2);
    for (const stream of held) stream.end("x");
    expect(await Promise.all(streams.map((stream) => stream.text()))).toEqual(["x", "x"]);
  });

  test("REFUSED_STREAM is tried once more, also for POST without a body", async () => {
    let count = 0;
    const origin = await h2Origin((stream) => {
      if (++count === 1) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
      stream.respond({ ":status": 200 });
      stream.end("second");
    });
    expect(await openStream(routerTo(h2c(origin.port)).accept, { method: "POST" }).text()).toBe("second");
  });

  test("103 Early Hints are passed on", async () => {
    const origin = await h2Origin((stream) => {
      stream.additionalHeaders({ ":status": 103, link: "</a.css>" });
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
    const stream = openStream(routerTo(h2c(origin.port)).accept);
    expect(await stream.text()).toBe("ok");
    expect(stream.interim).toEqual([{ status: 103, fields: ["link", "</a.css>"] }]);
  });

  test("16 MiB each way arrive whole, with credit only as the origin takes bytes", async () => {
    const chunk = randomBytes(65_536);
    const origin = await h2Origin((stream) => {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    });
    const stream = openStream(routerTo(h2c(origin.port)).accept, { method: "POST", end: false, discard: true });
    const [sent, received] = [createHash("sha256"), createHash("sha256")];
    stream.onBytes = (bytes) => void received.update(bytes);
    for (let i = 0; i < 256; i++) {
      sent.update(chunk);
      await stream.upload(chunk);
    }
    stream.finish();
    await stream.done();
    expect(stream.bytes).toBe(256 * 65_536);
    expect(received.digest("hex")).toBe(sent.digest("hex"));
  });

  test("a stalled visitor stops its own stream and no other", async () => {
    const chunk = randomBytes(16_384);
    let written = 0;
    const origin = await h2Origin((stream, raw) => {
      stream.respond({ ":status": 200 });
      if (!raw.includes("/big")) return void stream.end("small");
      const pump = (): void => {
        while (written < 16_777_216 && stream.write(chunk)) written += chunk.length;
      };
      stream.on("drain", pump);
      pump();
    });
    const router = routerTo(h2c(origin.port));
    const big = openStream(router.accept, { path: "/big", stalled: true, discard: true });
    await big.until(() => big.bytes >= 65_536);
    for (let i = 0; i < 20; i++) expect(await openStream(router.accept).text()).toBe("small");
    expect(big.bytes).toBeLessThan(262_144);
    expect(written).toBeLessThan(1_048_576);
    const before = big.bytes;
    big.read();
    await big.until(() => big.bytes > before);
    big.cancel();
  });

  test("a whole answer before the end of the upload is delivered, and the upload is cancelled at the origin", async () => {
    const closed = Promise.withResolvers<number>();
    const origin = await h2Origin((stream) => {
      stream.respond({ ":status": 413 });
      stream.end("too large");
      stream.on("close", () => closed.resolve(stream.rstCode));
    });
    const stream = openStream(routerTo(h2c(origin.port)).accept, { method: "POST", end: false });
    stream.send("x");
    expect(await stream.text()).toBe("too large");
    await closed.promise;
    stream.send("y");
    await stream.until(() => stream.consumed === 2);
  });

  test("a kept session that died is replaced for a GET", async () => {
    const origin = await h2Origin((stream) => {
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
    const router = routerTo(h2c(origin.port));
    expect(await openStream(router.accept).text()).toBe("ok");
    const [session] = origin.sessions;
    if (session !== undefined) {
      const closed = once(session, "close");
      session.destroy();
      await closed;
    }
    expect(await openStream(router.accept).text()).toBe("ok");
    expect(origin.sessions.length).toBe(2);
  });

  test("a peer that answers garbage is an error of the origin", async () => {
    const origin = await rawOrigin((socket) => socket.end("garbage"));
    const { code } = await openStream(routerTo(h2c(origin.port)).accept).failure();
    expect(code).toMatch(/^ORIGIN_(?:PROTOCOL|CLOSED)$/);
  });
});

function frame(type: number, flags: number, streamId: number, payload: readonly number[]): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
}

function data(text: string): Buffer {
  return frame(0, 0, 1, [...Buffer.from(text)]);
}

/** Sends these frames once the request is there. */
async function framesOrigin(frames: readonly Buffer[]): Promise<number> {
  const { port } = await listening(
    createTcpServer((socket) => {
      let received = Buffer.alloc(0);
      socket.on("error", () => undefined);
      socket.write(Buffer.concat([frame(SETTINGS, 0, 0, []), frame(SETTINGS, ACK, 0, [])]));
      socket.on("data", (chunk: Buffer) => {
        const before = hasRequest(received);
        received = Buffer.concat([received, chunk]);
        if (!before && hasRequest(received)) socket.write(Buffer.concat(frames));
      });
    }),
  );
  return port;
}

/** Whether a HEADERS frame follows the preface. */
function hasRequest(received: Buffer): boolean {
  for (let at = 24; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3)) if (received[at + 3] === HEADERS) return true;
  return false;
}
