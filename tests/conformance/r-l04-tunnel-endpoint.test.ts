// R-L4: the tunnel endpoint as a WebSocket, in the hands of a stranger and of a connector that went bad: what breaks the
// WebSocket protocol, or overdoes it, ends that connection and nothing else.

import { randomBytes } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import { encodeFrame, FrameType, PROTOCOL_V1, TUNNEL_PATH } from "@sallyport/shared/protocol/frame";
import { describe, expect, test } from "vitest";
import { eventually, within } from "../harness/scratch.ts";
import { AUTH_HOST, useBed } from "./support/bed.ts";
import { dialTunnel, RogueConnector } from "./support/rogue-connector.ts";
import { expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

/** A WebSocket whose frames are written by hand. */
class RawWebSocket implements AsyncDisposable {
  readonly head: string;
  readonly #socket: TLSSocket;
  readonly #closed: Promise<void>;
  #received = Buffer.alloc(0);

  private constructor(socket: TLSSocket, head: string) {
    this.#socket = socket;
    this.head = head;
    this.#closed = new Promise((resolve) => void socket.once("close", () => resolve()));
    socket.on("data", (chunk: Buffer) => void (this.#received = Buffer.concat([this.#received, chunk])));
  }

  static async dial(...fields: readonly string[]): Promise<RawWebSocket> {
    const socket = connect({ host: "127.0.0.1", port: bed().tlsPort, servername: AUTH_HOST, ca: bed().ca });
    socket.on("error", () => {});
    const lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    lines.push(`Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`, `Sec-WebSocket-Protocol: ${PROTOCOL_V1}`, ...fields);
    socket.write(write(TUNNEL_PATH, { host: AUTH_HOST, close: false, fields: lines }));
    const head = await within(
      5_000,
      "the answer to the upgrade",
      new Promise<string>((resolve) => {
        let text = "";
        const read = (chunk: Buffer): void => {
          text += chunk.toString("latin1");
          if (!text.includes("\r\n\r\n")) return;
          socket.off("data", read);
          resolve(text);
        };
        socket.on("data", read);
      }),
    );
    return new RawWebSocket(socket, head);
  }

  send(...frames: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(frames));
  }

  /** How the relay ended it: the code of its close frame, undefined where it only cut. */
  async closeCode(timeoutMs = 8_000): Promise<number | undefined> {
    await within(timeoutMs, "the relay to close", this.#closed);
    for (let at = 0; at + 4 <= this.#received.length;) {
      const length = this.#received.readUInt8(at + 1);
      if ((this.#received.readUInt8(at) & 0x0f) === 0x8) return this.#received.readUInt16BE(at + 2);
      at += length < 126 ? 2 + length : 4 + this.#received.readUInt16BE(at + 2);
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }
}

/** First byte as given; masked as a client has to, unless said otherwise. */
function frame(first: number, payload: Buffer = Buffer.alloc(0), masked = true): Buffer {
  const length = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 0xff];
  length[0] = (length[0] as number) | (masked ? 0x80 : 0);
  // A mask of zeroes leaves the payload readable.
  return Buffer.concat([Buffer.of(first, ...length), Buffer.alloc(masked ? 4 : 0), payload]);
}

const BINARY = 0x82;
const PING = 0x89;
/** A frame that says it is 2^64-1 bytes long. */
const ENDLESS = Buffer.of(BINARY, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);
const CLAIMS_2_GIB = Buffer.of(BINARY, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0);

describe("R-L4: a stranger", () => {
  test.each<readonly [string, number | undefined, readonly Buffer[]]>([
    ["a frame that is not masked", 1002, [frame(BINARY, Buffer.from("x"), false)]],
    ["RSV1, the bit of compression", 1002, [frame(0xc2, Buffer.from("x"))]],
    ["RSV2 and RSV3", 1002, [frame(0xb2, Buffer.from("x"))]],
    ["an opcode that does not exist", 1002, [frame(0x83, Buffer.from("x"))]],
    ["a control opcode that does not exist", 1002, [frame(0x8b)]],
    ["a continuation of nothing", 1002, [frame(0x80, Buffer.from("x"))]],
    ["a control frame in fragments", 1002, [frame(0x09)]],
    ["a control frame of 126 bytes", 1002, [frame(PING, Buffer.alloc(126))]],
    ["a close frame of one byte", 1002, [frame(0x88, Buffer.of(3))]],
    ["a close code that may not be sent", 1002, [frame(0x88, Buffer.of(3, 0xed))]],
    ["a length of 2^64-1", 1009, [ENDLESS]],
    ["a length of 2 GiB", 1009, [CLAIMS_2_GIB]],
    ["65 fragments of a message", 1008, [frame(0x02), ...Array.from({ length: 65 }, () => frame(0x00, Buffer.from("x")))]],
  ])("%s ends the connection", async (_name, code, frames) => {
    await using socket = await RawWebSocket.dial();
    socket.send(...frames);
    expect(await socket.closeCode()).toBe(code);
    await expectForwarded(bed(), write("/visitor"));
  });

  test("who pings a thousand times is cut off", async () => {
    await using socket = await RawWebSocket.dial();
    socket.send(...Array.from({ length: 1_000 }, () => frame(PING, Buffer.alloc(125))));
    await socket.closeCode();
    await expectForwarded(bed(), write("/visitor"));
  });

  test("who offers compression does not get it, whatever the offer says", async () => {
    for (const offer of [
      "permessage-deflate",
      "permessage-deflate; server_max_window_bits=8; client_max_window_bits",
      "constructor",
      "__proto__; x=y",
      `${"x-webkit-deflate-frame, ".repeat(300)}permessage-deflate`,
    ]) {
      await using socket = await RawWebSocket.dial(`Sec-WebSocket-Extensions: ${offer}`);
      expect(socket.head).toMatch(/^HTTP\/1\.1 (?:101|400) /);
      expect(socket.head.toLowerCase()).not.toContain("sec-websocket-extensions");
    }
    await expectForwarded(bed(), write("/visitor"));
  });
});

describe("R-L4: a connector that went bad", () => {
  test.each<readonly [string, (rogue: RogueConnector) => void]>([
    ["a text message", (rogue) => rogue.sendText("hello")],
    ["an empty message", (rogue) => rogue.sendRaw(Buffer.alloc(0))],
  ])("%s ends its connection, other tunnels go on", async (_name, attack) => {
    await using rogue = await RogueConnector.connect(bed(), bed().credentials.lab);
    attack(rogue);
    await rogue.ended();
    await expectForwarded(bed(), write("/visitor"));
  });

  test("a message over 1 MiB ends its connection, although every frame in it is one; four of them are a message", async () => {
    // Of an extension nobody knows: skipped, whatever is in them.
    const frame = encodeFrame(0x80, 0, Buffer.alloc(255 * 1024));
    await using rogue = await RogueConnector.connect(bed(), bed().credentials.lab);
    rogue.sendRaw(Buffer.concat(Array.from({ length: 4 }, () => frame)));
    rogue.send(FrameType.PING, 0, Buffer.alloc(8, 7));
    await eventually(() => rogue.frames.some(({ type }) => type === FrameType.PONG), { what: "the answer to a PING behind it" });
    rogue.sendRaw(Buffer.concat(Array.from({ length: 5 }, () => frame)));
    expect((await rogue.ended()).code).toBe(1009);
    await expectForwarded(bed(), write("/visitor"));
  });

  test("a thousand WebSocket pings end it", async () => {
    const socket = await dialTunnel(bed());
    const closed = new Promise<number>((resolve) => void socket.once("close", resolve));
    for (let i = 0; i < 1_000; i++) socket.ping();
    await within(8_000, "the relay to close", closed);
    await expectForwarded(bed(), write("/visitor"));
  });
});
