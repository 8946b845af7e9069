import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { connect, type ConnectionOptions } from "node:tls";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readClientHello } from "./client-hello.ts";

/** The first flight of node:tls itself. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const accepted = once(server, "connection");
  const client = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, ...options });
  client.on("error", () => {});
  const [socket] = (await accepted) as [Socket];
  const [bytes] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

/** The same message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.of(22, 3, 1, part.length >> 8, part.length & 0xff), part);
  }
  return Buffer.concat(records);
}

const named = await helloOf({ servername: "App.Example.test" });
const nameless = await helloOf({});

describe("the server name of a ClientHello", () => {
  it.each<readonly [string, ConnectionOptions]>([
    ["TLS 1.2", { maxVersion: "TLSv1.2" }],
    ["TLS 1.3", { minVersion: "TLSv1.3" }],
    ["ALPN", { ALPNProtocols: ["h2", "http/1.1"] }],
  ])("is read in lower case with %s", async (_title, options) => {
    expect(readClientHello(await helloOf({ servername: "App.Example.test", ...options }))).toEqual({
      kind: "hello",
      serverName: "app.example.test",
    });
  });

  it("is undefined where the client names none", () => {
    expect(readClientHello(nameless)).toEqual({ kind: "hello", serverName: undefined });
  });

  it("is the same however the hello is cut into records, and never guessed from a part of it", () => {
    for (const size of [1, 3, 50, 200]) {
      const cut = inRecords(named, size);
      expect(readClientHello(cut)).toEqual({ kind: "hello", serverName: "app.example.test" });
      const kinds = new Set(Array.from(cut.keys(), (end) => readClientHello(cut.subarray(0, end)).kind));
      expect([...kinds]).toEqual(["more"]);
    }
  });

  it("of other bytes is unreadable", () => {
    expect(readClientHello(Buffer.from("GET / HTTP/1.1\r\n\r\n"))).toEqual({ kind: "unreadable" });
    expect(readClientHello(Buffer.of(22, 3, 1, 0, 4, 2, 0, 0, 0))).toEqual({ kind: "unreadable" });
    expect(readClientHello(Buffer.of(22, 3, 1, 0, 0))).toEqual({ kind: "unreadable" });
    // A message that claims 16 MB is not waited for.
    expect(readClientHello(Buffer.of(22, 3, 1, 0, 4, 1, 255, 255, 255))).toEqual({ kind: "unreadable" });
  });

  it("never throws, whatever changed on the way", () => {
    const changes = fc.array(fc.tuple(fc.nat(named.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, fc.nat(named.length), (all, end) => {
        const bytes = Buffer.from(named);
        for (const [at, value] of all) bytes[at] = value;
        expect(["more", "hello", "unreadable"]).toContain(readClientHello(bytes.subarray(0, end)).kind);
      }),
      { numRuns: 5_000 },
    );
  });

  it("twice is unreadable: which one counts is nobody's guess", () => {
    const at = named.indexOf(Buffer.from("App.Example.test")) - 9;
    const extension = named.subarray(at, at + 9 + 16);
    expect(extension.readUInt16BE(0)).toBe(0);
    const body = named.subarray(9);
    const grown = Buffer.concat([body, extension]);
    // The length in front of all extensions.
    const list = 2 + 32 + 1 + (body[34] ?? 0) + 2 + body.readUInt16BE(35 + (body[34] ?? 0)) + 2;
    grown.writeUInt16BE(body.readUInt16BE(list) + extension.length, list);
    const head = Buffer.alloc(9);
    head.writeUInt8(22, 0);
    head.writeUInt16BE(0x0301, 1);
    head.writeUInt16BE(grown.length + 4, 3);
    head.writeUInt8(1, 5);
    head.writeUIntBE(grown.length, 6, 3);
    expect(readClientHello(Buffer.concat([head, grown]))).toEqual({ kind: "unreadable" });
  });
});
