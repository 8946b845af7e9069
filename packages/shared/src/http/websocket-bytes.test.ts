// The codec against `ws` as a foreign implementation in both roles, against every cut of its input, and its violations.

import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as ws from "ws";
import { encodeClose, encodeEnd, encodeFrame, type FrameMask, WebSocketBytesReader } from "./websocket-bytes.ts";

/** Exported by ws, unknown to its types. */
const { Receiver, Sender } = ws as unknown as {
  readonly Receiver: new (options: object) => NodeJS.WritableStream;
  readonly Sender: new (socket: unknown) => { send(data: Uint8Array, options: object, done: () => void): void };
};

interface Seen {
  bytes: number[];
  events: string[];
  problem: string | undefined;
}

function read(masked: boolean, chunks: readonly Uint8Array[]): Seen {
  const seen: Seen = { bytes: [], events: [], problem: undefined };
  const reader = new WebSocketBytesReader(masked, {
    onBytes: (chunk) => seen.bytes.push(...chunk),
    onEnd: () => seen.events.push("end"),
    onPing: (payload) => seen.events.push(`ping ${Buffer.from(payload).toString()}`),
    onClose: (code, reason) => seen.events.push(`close ${code} ${reason}`),
  });
  for (const chunk of chunks) seen.problem ??= reader.push(chunk);
  return seen;
}

/** Cuts a message at these places, in any order. */
function cut(message: Uint8Array, places: readonly number[]): Uint8Array[] {
  const borders = [0, ...places.map((place) => place % (message.length + 1)).toSorted((a, b) => a - b), message.length];
  return borders.slice(1).map((end, index) => message.subarray(borders[index], end));
}

const masks = fc.constantFrom<FrameMask>("none", "zero", "random");

describe("bytes over WebSocket", () => {
  it("come out as they went in, however they are framed, masked and cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 }),
        masks,
        fc.array(fc.nat(5_000)),
        (chunks, mask, places) => {
          const frames = chunks.flatMap((chunk) => [encodeFrame("data", chunk, mask), encodeFrame("ping", Buffer.from("p"), mask)]);
          const message = Buffer.concat([...frames, encodeEnd(mask), encodeClose(1000, "bye", mask)]);
          const seen = read(mask !== "none", cut(message, places));
          expect(seen.problem).toBeUndefined();
          expect(seen.bytes).toEqual(chunks.flatMap((chunk) => [...chunk]));
          expect(seen.events).toEqual([...chunks.map(() => "ping p"), "end", "close 1000 bye"]);
        },
      ),
    );
  });

  it.each([0, 1, 125, 126, 65_535, 65_536])("a payload of %i bytes is read by ws, and what ws sends is read here", async (size) => {
    const payload = Buffer.alloc(size, 7);
    const receiver = new Receiver({ isServer: true, binaryType: "nodebuffer", maxPayload: 1 << 20 });
    const received = new Promise<Buffer>((resolve) => receiver.once("message", (data: Buffer) => resolve(data)));
    receiver.write(encodeFrame("data", payload, "random"));
    expect((await received).equals(payload)).toBe(true);

    const socket = new PassThrough();
    const sender = new Sender(socket);
    sender.send(payload, { binary: true, mask: true, fin: true, compress: false }, () => undefined);
    const chunks: Buffer[] = [];
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) chunks.push(chunk);
    const seen = read(true, chunks);
    expect([seen.bytes.length, seen.problem]).toEqual([size, undefined]);
    expect(seen.events).toEqual(size === 0 ? ["end"] : []);
  });

  it("fragments of one message are one run of bytes, and an empty fragment is not the end", () => {
    const first = Buffer.from([0x02, 1, 65]);
    const empty = Buffer.from([0x00, 0]);
    const last = Buffer.from([0x80, 1, 66]);
    expect(read(false, [first, empty, last])).toEqual({ bytes: [65, 66], events: [], problem: undefined });
  });

  it.each([
    ["reserved bits", [0xc2, 0]],
    ["masked frame", [0x82, 0x80, 0, 0, 0, 0]],
    ["message is not binary", [0x81, 0]],
    ["message is not binary", [0x83, 0]],
    ["unknown opcode", [0x8b, 0]],
    ["control frame too long", [0x89, 126, 0, 126]],
    ["control frame too long", [0x09, 0]],
    ["frames out of order", [0x80, 0]],
    ["frames out of order", [0x02, 0, 0x82, 0]],
    ["frame too long", [0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["bytes after the end", [0x82, 0, 0x82, 1]],
  ])("%s: %j is a violation, and nothing after it counts", (problem, bytes) => {
    const seen = read(false, [Buffer.from(bytes), Buffer.from([0x82, 1, 65])]);
    expect([seen.problem, seen.bytes]).toEqual([problem, []]);
  });

  it("a client's frames have a mask", () => {
    expect(read(true, [Buffer.from([0x82, 0])]).problem).toBe("frame without mask");
  });

  it("a close without a code is 1005", () => {
    expect(read(false, [Buffer.from([0x88, 0])]).events).toEqual(["close 1005 "]);
  });

  it("random bytes never throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, masked) => {
        read(masked, [bytes]);
      }),
    );
  });
});
