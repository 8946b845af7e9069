import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { OutgoingBytes } from "./outgoing-bytes.ts";

const LARGE_BYTES = 32_768;

interface Bed {
  readonly out: OutgoingBytes;
  readonly socket: Socket;
  /** Reads nothing until resumed. */
  readonly visitor: Socket;
  readonly drains: () => number;
}

async function bed(): Promise<Bed> {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const visitor = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  visitor.pause();
  const [socket] = (await once(server, "connection")) as [Socket];
  server.close();
  let drains = 0;
  const out = new OutgoingBytes(socket, () => drains++);
  return { out, socket, visitor, drains: () => drains };
}

describe("bytes on their way to a visitor", () => {
  it("says that a large piece is the giver's again when the kernel has it, and not before (T13)", async () => {
    const { out, socket, visitor, drains } = await bed();
    const given: Buffer[] = [];
    const give = (): boolean => {
      const piece = Buffer.alloc(LARGE_BYTES, given.length % 251);
      given.push(piece);
      out.text("size\r\n");
      out.bytes(piece);
      out.text("\r\n");
      return out.handOver();
    };
    // The kernel takes the first ones whole; what is written over afterwards is not what was sent.
    while (give()) given.at(-1)?.fill(0xff);
    expect(socket.writableLength).toBeGreaterThan(0);
    const passed = given.length - 1;
    expect(passed).toBeGreaterThan(0);
    give();
    expect(drains()).toBe(0);
    const received: Buffer[] = [];
    let receivedBytes = 0;
    visitor.on("data", (chunk: Buffer) => {
      received.push(chunk);
      receivedBytes += chunk.length;
    });
    visitor.resume();
    await expect.poll(drains).toBe(1);
    expect(socket.writableLength).toBe(0);
    await expect.poll(() => receivedBytes).toBe(given.length * (LARGE_BYTES + 8));
    const all = Buffer.concat(received);
    given.forEach((_, i) => {
      const piece = all.subarray(i * (LARGE_BYTES + 8) + 6, i * (LARGE_BYTES + 8) + 6 + LARGE_BYTES);
      expect(piece.equals(Buffer.alloc(LARGE_BYTES, i % 251))).toBe(true);
    });
    socket.destroy();
    visitor.destroy();
  });

  it("calls drained() also when it was found empty again before the socket told so", async () => {
    const { out, socket, visitor, drains } = await bed();
    const piece = Buffer.alloc(LARGE_BYTES);
    do out.bytes(piece);
    while (out.handOver());
    const given = once(visitor, "end");
    visitor.resume();
    await expect.poll(() => socket.writableLength).toBe(0);
    // Whoever got false waits for drained(), whatever was answered since.
    out.bytes(Buffer.from("small"));
    out.handOver();
    out.flush();
    await expect.poll(drains).toBe(1);
    socket.end();
    await given;
  });

  it("takes small pieces over, and joins those of a turn", async () => {
    const { out, socket, visitor } = await bed();
    const small = Buffer.from("body");
    out.text("head ");
    out.bytes(small);
    expect([out.handOver(), socket.writableLength]).toEqual([true, 0]);
    const [received] = (await once(visitor.resume(), "data")) as [Buffer];
    expect(received.toString()).toBe("head body");
    socket.destroy();
    visitor.destroy();
  });
});
