// HTTP/1.1 to origins behind TLS: the same engine on sockets that decrypt. Certificates and names are tested in
// http1.test.ts.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import type { RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:tls";
import type { TLSSocket } from "node:tls";

import { acceptKey } from "@sallyport/shared/http/upgrade";
import { StreamKind } from "@sallyport/shared/protocol/head";
import { describe, expect, test } from "vitest";

import { openStream } from "./testing/memory-stream.ts";
import { address, certificateFor, listening, routerTo } from "./testing/origins.ts";
import type { TestRouter } from "./testing/origins.ts";

const certificate = certificateFor("wiki.internal");
const CHUNK = randomBytes(65_536);
const CHUNKS = 256;

async function overHttps(listener: RequestListener): Promise<{ readonly router: TestRouter; readonly accepted: () => number }> {
  const server = await listening(createServer(certificate, listener));
  return { router: trusting(server.port), accepted: () => server.accepted };
}

interface RawTls {
  readonly router: TestRouter;
  /** Ends all connections without a word of TLS. */
  readonly reset: () => void;
}

async function overTls(serve: (socket: TLSSocket) => void): Promise<RawTls> {
  const server = createTlsServer({ ...certificate, allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", () => serve(socket));
  });
  const { port, sockets } = await listening(server);
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return { router: trusting(port), reset };
}

function trusting(port: number): TestRouter {
  return routerTo(address(`https://127.0.0.1:${port}`), { ca: certificate.cert, serverName: "wiki.internal" });
}

function expectedDigest(): string {
  const hash = createHash("sha256");
  for (let i = 0; i < CHUNKS; i++) hash.update(CHUNK);
  return hash.digest("hex");
}

describe("over TLS", () => {
  test("bodies of 16 MiB arrive whole in both directions, over one connection", async () => {
    const { router, accepted } = await overHttps(async (request, response) => {
      const hash = createHash("sha256");
      for await (const chunk of request) hash.update(chunk as Buffer);
      response.setHeader("X-Received", hash.digest("hex"));
      for (let i = 0; i < CHUNKS; i++) if (!response.write(CHUNK)) await once(response, "drain");
      response.end();
    });
    for (let round = 0; round < 2; round++) {
      const stream = openStream(router.accept, { method: "PUT", end: false, discard: true });
      const hash = createHash("sha256");
      stream.onBytes = (chunk) => void hash.update(chunk);
      for (let i = 0; i < CHUNKS; i++) await stream.upload(CHUNK);
      stream.finish();
      expect((await stream.head()).fields).toContain(expectedDigest());
      expect(await stream.done()).toEqual({ kind: "end", trailers: [] });
      expect(hash.digest("hex")).toBe(expectedDigest());
    }
    expect(accepted()).toBe(1);
  });

  test("a visitor that does not read stops the origin, and goes on where it stopped", async () => {
    const { router } = await overHttps(async (_request, response) => {
      for (let i = 0; i < CHUNKS; i++) if (!response.write(CHUNK)) await once(response, "drain");
      response.end();
    });
    const stream = openStream(router.accept, { stalled: true, discard: true });
    await stream.until(() => stream.bytes >= 65_536);
    const before = stream.bytes;
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect([before < 1_048_576, stream.bytes < 1_048_576]).toEqual([true, true]);
    stream.read();
    await stream.done();
    expect(stream.bytes).toBe(CHUNKS * CHUNK.length);
  });

  test("a body that lasts until the connection ends is whole at its end, and a reset is none", async () => {
    const whole = await overTls((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nall of it"));
    expect(await openStream(whole.router.accept).text()).toBe("all of it");
    const cut = await overTls((socket) => socket.write("HTTP/1.1 200 OK\r\n\r\npart"));
    const stream = openStream(cut.router.accept);
    await stream.until(() => stream.bytes === 4);
    cut.reset();
    expect(await stream.failure()).toMatchObject({ code: "ORIGIN_CLOSED" });
  });

  test("a WebSocket carries bytes both ways, and each half ends by itself", async () => {
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    const { router } = await overTls((socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\nfirst `,
      );
      socket.on("data", (chunk) => socket.write(chunk));
      socket.on("end", () => socket.end(" after your end"));
    });
    const stream = openStream(router.accept, {
      kind: StreamKind.UPGRADE,
      fields: ["Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", key],
      end: false,
    });
    expect((await stream.head()).status).toBe(101);
    stream.send("echo");
    await stream.until(() => stream.received === "first echo");
    stream.finish();
    expect(await stream.text()).toBe("first echo after your end");
    expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
  });
});
