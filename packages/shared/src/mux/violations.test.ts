// What a peer, or a handler of ours, can do wrong, and what it costs: one stream, or one connection, never more.

import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock.ts";
import { NO_FIELDS } from "../http/fields.ts";
import { CloseCode, GoawayReason, ResetCode } from "../protocol/codes.ts";
import { encodeAssertion, encodeGoaway, readGoaway, readReset } from "../protocol/control.ts";
import { encodeFrame, FrameType, MAX_CREDIT_BYTES, readFrames } from "../protocol/frame.ts";
import { prepareHead, prepareOpen, StreamKind, writeHead, writeOpen, type OpenHead } from "../protocol/head.ts";
import { BufferBudget } from "./budget.ts";
import { MuxConnection, type CloseCause, type MuxOptions } from "./connection.ts";
import { memoryTransports, type MemoryTransport } from "./memory-transport.ts";
import type { Stream, StreamHandler } from "./stream.ts";

const GET: OpenHead = {
  kind: StreamKind.HTTP,
  service: "s",
  assertion: 0,
  method: "GET",
  path: "/",
  authority: "a",
  fields: [],
  contentLength: undefined,
};

function open(id: number, change: Partial<OpenHead> = {}, end = false): Buffer {
  const head = { ...GET, ...change };
  const { text, payloadBytes } = prepareOpen(head);
  const payload = Buffer.alloc(payloadBytes);
  writeOpen(head, text, payload, 0);
  return encodeFrame(FrameType.OPEN, id, payload, end);
}

function head(id: number, status: number, end = false): Buffer {
  const { text, payloadBytes } = prepareHead({ status, fields: [] });
  const payload = Buffer.alloc(payloadBytes);
  writeHead({ status, fields: [] }, text, payload, 0);
  return encodeFrame(FrameType.HEAD, id, payload, end);
}

const data = (id: number, bytes: number, end = false): Buffer => encodeFrame(FrameType.DATA, id, Buffer.alloc(bytes), end);
const end = (id: number): Buffer => encodeFrame(FrameType.END, id, Buffer.alloc(0), true);
const window = (id: number, credit: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(credit);
  return encodeFrame(FrameType.WINDOW, id, payload);
};
const reset = (id: number, code = 0): Buffer => encodeFrame(FrameType.RESET, id, Buffer.from([code >> 8, code & 0xff, 0, 0, 0, 0]));
const goaway = (lastStreamId = 0): Buffer =>
  encodeFrame(FrameType.GOAWAY, 0, encodeGoaway({ lastStreamId, reason: GoawayReason.SHUTDOWN, delayMs: 0, text: "" }));
const ping = (): Buffer => encodeFrame(FrameType.PING, 0, Buffer.alloc(8));

class Recorder implements StreamHandler {
  stream: Stream | undefined;
  readonly told: string[] = [];
  readonly chunks: Uint8Array[] = [];
  consumes = false;
  onHead(): void {
    this.told.push("head");
  }
  onData(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    if (this.consumes) this.stream?.consume(chunk.length);
  }
  onEnd(): void {
    this.told.push("end");
  }
  onReset(code: ResetCode): void {
    this.told.push(`reset ${code}`);
  }
  onDrain(): void {
    this.told.push("drain");
  }
}

interface Sent {
  readonly type: number;
  readonly end: boolean;
  readonly id: number;
  readonly payload: Buffer;
}

/** One connection whose peer is the test: frames go in by give(), what comes out is in `sent` after turn(). */
class Bench {
  readonly near: MemoryTransport;
  readonly far: MemoryTransport;
  readonly budget: BufferBudget;
  readonly mux: MuxConnection;
  readonly clock = new ManualClock();
  readonly sent: Sent[] = [];
  readonly causes: CloseCause[] = [];
  readonly faults: unknown[] = [];
  readonly accepted: Recorder[] = [];
  closeCode = 0;

  constructor(role: "relay" | "connector", options: Partial<MuxOptions> & { readonly budgetBytes?: number } = {}) {
    [this.near, this.far] = memoryTransports();
    this.budget = new BufferBudget(options.budgetBytes);
    this.mux = new MuxConnection({
      role,
      transport: this.near,
      budget: this.budget,
      clock: this.clock,
      handler: {
        acceptStream: (stream) => {
          const handler = new Recorder();
          handler.stream = stream;
          this.accepted.push(handler);
          return handler;
        },
        onFault: (error) => this.faults.push(error),
        onClosed: (cause) => this.causes.push(cause),
      },
      ...options,
    });
    this.far.setReceiver({
      onMessage: (message) =>
        readFrames(message, {
          onFrame: (type, isEnd, id, bytes, start, stop) =>
            this.sent.push({ type, end: isEnd, id, payload: Buffer.from(bytes.subarray(start, stop)) }),
        }),
      onInvalidMessage: () => undefined,
      onDrain: () => undefined,
      onClose: (code) => (this.closeCode = code),
    });
  }

  give(...frames: readonly Buffer[]): void {
    this.near.inject(Buffer.concat(frames));
  }

  /** Opens a stream as the relay. */
  open(endNow = true, change: Partial<OpenHead> = {}): Recorder {
    const handler = new Recorder();
    handler.stream = this.mux.openStream({ ...GET, ...change }, endNow, handler);
    return handler;
  }

  async turn(): Promise<void> {
    for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  get violation(): string | undefined {
    const [cause] = this.causes;
    return cause?.kind === "violation" ? cause.violation.code : undefined;
  }

  frames(type: number): Sent[] {
    return this.sent.filter((frame) => frame.type === type);
  }

  resetCodes(): number[] {
    return this.frames(FrameType.RESET).map(({ payload }) => readReset(payload, 0, payload.length).code);
  }
}

describe("violations", () => {
  const oversized = Buffer.alloc(16);
  oversized.writeUInt32BE((FrameType.DATA << 24) | 262_145, 0);
  const cases: ReadonlyArray<readonly [string, "relay" | "connector", readonly Buffer[], string]> = [
    ["half a header", "connector", [Buffer.alloc(7)], "FRAME_TRUNCATED"],
    ["an empty message", "relay", [], "FRAME_TRUNCATED"],
    ["a length over the limit", "relay", [oversized], "FRAME_TOO_LARGE"],
    ["type 0", "relay", [encodeFrame(0, 0, Buffer.alloc(0))], "FRAME_UNKNOWN"],
    ["type 15 on a stream", "connector", [encodeFrame(15, 3, Buffer.alloc(0))], "FRAME_UNKNOWN"],
    ["type 127", "connector", [encodeFrame(127, 0, Buffer.alloc(0))], "FRAME_UNKNOWN"],
    ["OPEN at the relay (R-K8)", "relay", [open(1)], "FRAME_UNEXPECTED"],
    ["HEAD at the connector", "connector", [open(1), head(1, 200)], "FRAME_UNEXPECTED"],
    ["ASSERTION at the relay", "relay", [encodeFrame(FrameType.ASSERTION, 0, encodeAssertion(1, "t"))], "FRAME_UNEXPECTED"],
    ["KEYS at the relay", "relay", [encodeFrame(FrameType.KEYS, 0, Buffer.from("k"))], "FRAME_UNEXPECTED"],
    ["201 HELLOs at once", "relay", Array.from({ length: 201 }, () => encodeFrame(FrameType.HELLO, 0, Buffer.from("{}"))), "FLOOD"],
    ["PROOF after the handshake", "relay", [encodeFrame(FrameType.PROOF, 0, Buffer.alloc(100))], "FRAME_UNEXPECTED"],
    ["CHALLENGE after the handshake", "connector", [encodeFrame(FrameType.CHALLENGE, 0, Buffer.alloc(32))], "FRAME_UNEXPECTED"],
    ["OPEN after the relay's GOAWAY", "connector", [open(1), goaway(), open(2)], "FRAME_UNEXPECTED"],
    ["OPEN of stream 0", "connector", [open(0)], "STREAM_ID"],
    ["DATA of stream 0", "connector", [data(0, 1)], "STREAM_ID"],
    ["PING of a stream", "relay", [encodeFrame(FrameType.PING, 1, Buffer.alloc(8))], "STREAM_ID"],
    ["GOAWAY of a stream", "relay", [encodeFrame(FrameType.GOAWAY, 1, Buffer.alloc(10))], "STREAM_ID"],
    ["OPEN twice", "connector", [open(1), open(1)], "STREAM_REUSED"],
    ["OPEN of a lower id", "connector", [open(5), open(3)], "STREAM_REUSED"],
    ["OPEN of an id that is closed", "connector", [open(1), reset(1), open(1)], "STREAM_REUSED"],
    ["DATA of a stream never opened", "connector", [data(1, 1)], "STREAM_UNKNOWN"],
    ["RESET of a stream never opened", "relay", [reset(9)], "STREAM_UNKNOWN"],
    ["WINDOW of a stream never opened", "connector", [open(1), window(2, 1)], "STREAM_UNKNOWN"],
    ["DATA after END", "connector", [open(1), end(1), data(1, 1)], "STREAM_ENDED"],
    ["DATA after OPEN with E", "connector", [open(1, {}, true), data(1, 1)], "STREAM_ENDED"],
    ["END twice", "connector", [open(1), data(1, 1, true), end(1)], "STREAM_ENDED"],
    ["OPEN too short", "connector", [encodeFrame(FrameType.OPEN, 1, Buffer.alloc(13))], "PAYLOAD"],
    ["DATA without bytes", "connector", [open(1), data(1, 0)], "PAYLOAD"],
    ["trailers that do not add up", "connector", [open(1), encodeFrame(FrameType.END, 1, Buffer.from([0, 1, 0, 5, 0, 0]))], "PAYLOAD"],
    ["PING of nine bytes", "relay", [encodeFrame(FrameType.PING, 0, Buffer.alloc(9))], "PAYLOAD"],
    ["WINDOW without credit", "connector", [window(0, 0)], "PAYLOAD"],
    ["a path with a line break (R-D3)", "connector", [open(1, { path: "/a\r\nX: y" })], "HEAD_MALFORMED"],
    ["a field name with a space (R-D3)", "connector", [open(1), open(2, { fields: ["X A", "1"] })], "HEAD_MALFORMED"],
    ["a declared body that OPEN says is not there (R-D3)", "connector", [open(1, { contentLength: 3 }, true)], "HEAD_MALFORMED"],
    ["an assertion never sent", "connector", [open(1, { assertion: 3 })], "ASSERTION_UNKNOWN"],
    ["DATA beyond the stream's credit", "connector", [open(1), data(1, 65_536), data(1, 1)], "CREDIT_EXCEEDED"],
    ["credit of the connection over 2^31 - 1", "connector", [window(0, MAX_CREDIT_BYTES)], "CREDIT_OVERFLOW"],
    ["credit of a stream over 2^31 - 1", "connector", [open(1), window(1, MAX_CREDIT_BYTES)], "CREDIT_OVERFLOW"],
    ["201 pings at once", "relay", Array.from({ length: 201 }, ping), "FLOOD"],
    ["201 goaways at once", "relay", Array.from({ length: 201 }, () => goaway(9)), "FLOOD"],
    [
      "10,001 credits for a closed stream",
      "connector",
      [open(1), reset(1), ...Array.from({ length: 10_001 }, () => window(1, 1))],
      "FLOOD",
    ],
  ];

  it.each(cases)("takes %s for one (%s)", async (_title, role, frames, code) => {
    const bench = new Bench(role);
    bench.give(...frames);
    await bench.turn();
    expect(bench.violation).toBe(`ERR_PROTOCOL_${code}`);
    expect(bench.closeCode).toBe(CloseCode.PROTOCOL_ERROR);
    const said = bench.frames(FrameType.GOAWAY).map(({ payload }) => readGoaway(payload, 0, payload.length));
    expect(said).toMatchObject([{ reason: GoawayReason.PROTOCOL_ERROR, text: expect.stringContaining(`ERR_PROTOCOL_${code}`) }]);
    expect([bench.faults, bench.causes.length, bench.mux.streamCount, bench.budget.heldBytes, bench.clock.pendingTimers]).toEqual([
      [],
      1,
      0,
      0,
      0,
    ]);
  });

  it("an OPEN that is one counts as taken on: a relay does not try it on its other connections, only what came behind it", async () => {
    const bench = new Bench("connector");
    bench.give(open(1), open(2, { path: "x" }), open(3));
    await bench.turn();
    const [said] = bench.frames(FrameType.GOAWAY).map(({ payload }) => readGoaway(payload, 0, payload.length));
    expect(said?.lastStreamId).toBe(2);
  });

  it.each<[string, (id: number) => readonly Buffer[], string]>([
    ["DATA before HEAD", (id) => [data(id, 1)], "HEAD_ORDER"],
    ["END before HEAD", (id) => [end(id)], "HEAD_ORDER"],
    ["DATA after an interim HEAD", (id) => [head(id, 103), data(id, 1)], "HEAD_ORDER"],
    ["a second final HEAD", (id) => [head(id, 200), head(id, 200)], "HEAD_ORDER"],
    ["an interim HEAD after the final one", (id) => [head(id, 200), head(id, 103)], "HEAD_ORDER"],
    ["an interim HEAD with E", (id) => [head(id, 103, true)], "HEAD_ORDER"],
    ["nine interim HEADs", (id) => Array.from({ length: 9 }, () => head(id, 103)), "HEAD_ORDER"],
    ["HEAD after HEAD with E", (id) => [head(id, 200, true), head(id, 200)], "STREAM_ENDED"],
    ["a status of 600", (id) => [encodeFrame(FrameType.HEAD, id, Buffer.from([2, 0x58, 0, 0]))], "PAYLOAD"],
  ])("takes %s at the relay for one", (_title, frames, code) => {
    const bench = new Bench("relay");
    const { stream } = bench.open(false);
    bench.give(...frames(stream?.id ?? 0));
    expect(bench.violation).toBe(`ERR_PROTOCOL_${code}`);
  });

  it("counts DATA of closed streams against the connection, and takes what exceeds it for one (R-K7)", () => {
    const limits = { maxStreams: 10, streamWindowBytes: 262_144, connectionWindowBytes: 65_536 };
    const bench = new Bench("connector", { limits });
    bench.give(open(1), data(1, 65_537));
    expect(bench.violation).toBe("ERR_PROTOCOL_CREDIT_EXCEEDED");
    const skipped = new Bench("connector", { limits });
    skipped.give(open(1), reset(1), data(1, 60_000));
    skipped.give(data(1, 60_000));
    expect(skipped.violation).toBeUndefined();
    skipped.give(data(1, 65_537));
    expect(skipped.violation).toBe("ERR_PROTOCOL_CREDIT_EXCEEDED");
  });

  it("is said although a GOAWAY was said before", async () => {
    const bench = new Bench("relay");
    bench.open();
    bench.mux.goaway(GoawayReason.SHUTDOWN, 0, "restart");
    bench.give(encodeFrame(0, 0, Buffer.alloc(0)));
    await bench.turn();
    const reasons = bench.frames(FrameType.GOAWAY).map(({ payload }) => readGoaway(payload, 0, payload.length).reason);
    expect(reasons).toEqual([GoawayReason.SHUTDOWN, GoawayReason.PROTOCOL_ERROR]);
  });
});

describe("what is no violation", () => {
  it("is anything for a stream that has just been closed", () => {
    const bench = new Bench("relay");
    const { stream } = bench.open(false);
    const id = stream?.id ?? 0;
    stream?.reset(ResetCode.CANCEL);
    bench.give(head(id, 200), data(id, 100), window(id, 5), reset(id), end(id), head(id, 200));
    expect(bench.causes).toEqual([]);
  });

  it("is an extension, with or without a stream", () => {
    const bench = new Bench("connector");
    bench.give(encodeFrame(0x80, 0, Buffer.alloc(9)), encodeFrame(0xff, 77, Buffer.alloc(0), true), ping());
    expect(bench.causes).toEqual([]);
  });

  it("is a stream that the relay opened before it knew of the connector's GOAWAY", async () => {
    const bench = new Bench("connector");
    bench.give(open(1));
    bench.mux.goaway(GoawayReason.SHUTDOWN, 0, "restart");
    bench.give(open(2), data(2, 10), window(2, 1), end(2), reset(2), open(3, {}, true));
    expect(bench.accepted).toHaveLength(1);
    bench.give(reset(1));
    await bench.turn();
    expect(bench.causes).toEqual([{ kind: "closed" }]);
    expect(bench.closeCode).toBe(CloseCode.NORMAL);
  });
});

describe("a fault of a handler", () => {
  it("in onDrain ends its stream, not the process", async () => {
    const bench = new Bench("connector");
    bench.give(open(1));
    const [handler] = bench.accepted as [Recorder];
    handler.onDrain = () => {
      throw new Error("handler fault");
    };
    handler.stream?.sendHead({ status: 200, fields: [] }, false);
    expect(handler.stream?.write(Buffer.alloc(200_000))).toBe(false);
    bench.give(window(1, 1_000_000));
    await bench.turn();
    expect(bench.faults).toHaveLength(1);
    expect(bench.resetCodes()).toEqual([ResetCode.INTERNAL]);
    expect(bench.causes).toEqual([]);
  });

  it("when it is evicted ends that stream, not the one whose bytes came in", () => {
    const bench = new Bench("connector", { budgetBytes: 50_000 });
    bench.give(open(1), open(2));
    const [first, second] = bench.accepted as [Recorder, Recorder];
    first.onReset = () => {
      throw new Error("handler fault");
    };
    bench.give(data(1, 30_000));
    bench.clock.advance(10);
    bench.give(data(2, 30_000));
    expect([bench.faults.length, first.stream?.open, second.stream?.open, bench.budget.heldBytes]).toEqual([1, false, true, 30_000]);
    bench.mux.close(GoawayReason.SHUTDOWN, "");
    expect(bench.budget.heldBytes).toBe(0);
  });

  it("that closes the connection from within the last flush closes it once", async () => {
    const bench = new Bench("connector");
    bench.give(open(1));
    const [handler] = bench.accepted as [Recorder];
    handler.onDrain = () => bench.mux.close(GoawayReason.SHUTDOWN, "from within");
    handler.stream?.sendHead({ status: 200, fields: [] }, false);
    handler.stream?.write(Buffer.alloc(140_000));
    bench.give(window(1, 1_000_000));
    bench.mux.close(GoawayReason.SHUTDOWN, "from without");
    await bench.turn();
    expect(bench.causes).toEqual([{ kind: "closed" }]);
  });

  it.each<[string, (stream: Stream) => void]>([
    ["a body before a head", (stream) => void stream.write(Buffer.from("x"))],
    ["an end before a head", (stream) => stream.end()],
    [
      "a body after an interim head",
      (stream) => (stream.sendHead({ status: 103, fields: [] }, false), void stream.write(Buffer.from("x"))),
    ],
  ])("that sends %s costs its stream, since the relay would close the connection", async (_title, act) => {
    const bench = new Bench("connector");
    bench.give(open(1));
    act(bench.accepted[0]?.stream as Stream);
    await bench.turn();
    expect([bench.resetCodes(), bench.frames(FrameType.DATA), bench.causes]).toEqual([[ResetCode.INTERNAL], [], []]);
  });

  it("that sends what cannot be expressed meets a RangeError, and nothing is sent", async () => {
    const bench = new Bench("connector");
    bench.give(open(1));
    const stream = bench.accepted[0]?.stream as Stream;
    expect(() => stream.sendHead({ status: 999, fields: [] }, false)).toThrow(RangeError);
    expect(() => stream.sendHead({ status: 200, fields: ["a", "\u0100"] }, false)).toThrow(RangeError);
    stream.sendHead({ status: 200, fields: [] }, false);
    stream.write(Buffer.alloc(100_000));
    expect(() => stream.end(["a", "\u0100"])).toThrow(RangeError);
    stream.reset(ResetCode.CANCEL, { http2Code: -1, text: "\u0100\n" });
    await bench.turn();
    expect(bench.frames(FrameType.HEAD)).toHaveLength(1);
    expect(bench.frames(FrameType.RESET)[0]?.payload.toString("hex")).toBe(`0000ffffffff${Buffer.from("??").toString("hex")}`);
    expect(() => bench.mux.sendHello("x".repeat(262_145))).toThrow(RangeError);
    expect(bench.causes).toEqual([]);
  });

  it("that sends interim heads without end has those the relay takes passed on", async () => {
    const bench = new Bench("connector");
    bench.give(open(1));
    const stream = bench.accepted[0]?.stream as Stream;
    for (let i = 0; i < 20; i++) stream.sendHead({ status: 103, fields: [] }, false);
    stream.sendHead({ status: 200, fields: [] }, true);
    await bench.turn();
    expect(bench.frames(FrameType.HEAD)).toHaveLength(9);
  });
});

describe("bounds", () => {
  it("tells nothing after a reset, not even that the queue drained", async () => {
    const bench = new Bench("connector");
    bench.give(open(1));
    const [handler] = bench.accepted as [Recorder];
    handler.stream?.sendHead({ status: 200, fields: [] }, false);
    expect(handler.stream?.write(Buffer.alloc(200_000))).toBe(false);
    bench.give(reset(1));
    await bench.turn();
    expect(handler.told).toEqual(["reset 0"]);
  });

  it("keeps of a large message only what a slow reader was given", () => {
    const bench = new Bench("connector");
    bench.give(open(1), open(2));
    bench.give(data(1, 10), encodeFrame(0x80, 0, Buffer.alloc(200_000)));
    bench.give(data(1, 10_000), data(2, 10_000));
    bench.give(data(1, 10_000), encodeFrame(0x80, 0, Buffer.alloc(200_000)));
    const behind = bench.accepted[0]?.chunks.map((chunk) => chunk.buffer.byteLength) ?? [];
    expect(behind).toHaveLength(3);
    expect(Math.max(...behind)).toBeLessThan(200_000);
  });

  it("stops a handler that writes in small pieces before its turn is a message long", async () => {
    const bench = new Bench("connector", { peerLimits: { maxStreams: 10, streamWindowBytes: 16 << 20, connectionWindowBytes: 16 << 20 } });
    bench.give(open(1));
    const stream = bench.accepted[0]?.stream as Stream;
    stream.sendHead({ status: 200, fields: [] }, false);
    let writtenBytes = 0;
    while (stream.write(Buffer.alloc(8_192))) writtenBytes += 8_192;
    expect(writtenBytes).toBeLessThan(300_000);
    stream.end();
    await bench.turn();
    const received = bench.frames(FrameType.DATA).reduce((sum, { payload }) => sum + payload.length, 0);
    expect(received).toBe(writtenBytes + 8_192);
  });

  it("asks for no more without credit to send it, and tells when there is some, and after the end (T13)", async () => {
    const bench = new Bench("connector");
    bench.give(open(1), open(2));
    for (const handler of bench.accepted) handler.stream?.sendHead({ status: 200, fields: [] }, false);
    const [stalled, ended] = bench.accepted as [Recorder, Recorder];
    // 65,000 of 65,536 bytes of credit: all is sent, nothing is queued, and still it is enough.
    expect(stalled.stream?.write(Buffer.alloc(65_000))).toBe(false);
    const pieces = Array.from({ length: 4 }, () => ended.stream?.write(Buffer.alloc(16_250)));
    expect(pieces).toEqual([true, true, true, false]);
    ended.stream?.end();
    expect(ended.told).toEqual([]);
    await bench.turn();
    expect([stalled.told, ended.told]).toEqual([[], ["drain"]]);
    bench.give(window(1, 1_000));
    expect(stalled.told).toEqual([]);
    bench.give(window(1, 32_768));
    expect(stalled.told).toEqual(["drain"]);
  });

  it("copies what has to wait, so that the memory written from can be used again (T13)", async () => {
    const bench = new Bench("connector");
    bench.give(open(1));
    const { stream } = bench.accepted[0] as Recorder;
    stream?.sendHead({ status: 200, fields: [] }, false);
    const chunk = Buffer.alloc(100_000, "a");
    stream?.write(chunk);
    // What waits for its turn and for credit is a copy, as small as it can be.
    chunk.fill("b");
    await bench.turn();
    bench.give(window(1, 65_536));
    await bench.turn();
    const received = Buffer.concat(bench.frames(FrameType.DATA).map(({ payload }) => payload));
    expect(received.equals(Buffer.alloc(100_000, "a"))).toBe(true);
  });

  it("lets windows grow only as far as the budget holds all of them when every reader stalls at once (R-L6)", async () => {
    const bench = new Bench("connector", { budgetBytes: 8 << 20 });
    const ids = Array.from({ length: 20 }, (_, at) => at + 1);
    bench.give(...ids.map((id) => open(id)));
    const creditBytes = new Map(ids.map((id) => [id, 65_536]));
    const spend = (id: number): void => {
      for (let left = creditBytes.get(id) ?? 0; left > 0; left -= 65_536) bench.give(data(id, Math.min(left, 65_536)));
      creditBytes.set(id, 0);
    };
    for (const reader of bench.accepted) reader.consumes = true;
    let seen = 0;
    for (let round = 0; round < 20; round++) {
      ids.forEach(spend);
      await bench.turn();
      for (const { id, payload } of bench.frames(FrameType.WINDOW).slice(seen))
        if (id > 0) creditBytes.set(id, (creditBytes.get(id) ?? 0) + payload.readUInt32BE(0));
      seen = bench.frames(FrameType.WINDOW).length;
    }
    expect(Math.max(...creditBytes.values())).toBeGreaterThan(65_536);
    for (const reader of bench.accepted) reader.consumes = false;
    ids.forEach(spend);
    expect(bench.budget.evictions).toBe(0);
    expect(bench.budget.heldBytes).toBeGreaterThan(20 * 65_536);
    for (const { stream } of bench.accepted) stream?.reset(ResetCode.CANCEL);
    expect(bench.budget.windowRoomBytes).toBe(2 << 20);
  });

  it("shrinks the windows of many slow readers to their share, so that all of them can stall and none is cut (R-L6, T13)", async () => {
    const bench = new Bench("connector", { budgetBytes: 4 << 20 });
    const ids = Array.from({ length: 40 }, (_, at) => at + 1);
    bench.give(...ids.map((id) => open(id)));
    const creditBytes = new Map(ids.map((id) => [id, 65_536]));
    let seen = 0;
    for (let round = 0; round < 40; round++) {
      for (const id of ids) {
        const bytes = Math.min(creditBytes.get(id) ?? 0, 16_384);
        if (bytes > 0) bench.give(data(id, bytes));
        creditBytes.set(id, (creditBytes.get(id) ?? 0) - bytes);
        bench.accepted[id - 1]?.stream?.consume(bytes);
      }
      await bench.turn();
      const windows = bench.frames(FrameType.WINDOW);
      for (const { id, payload } of windows.slice(seen))
        if (id > 0) creditBytes.set(id, (creditBytes.get(id) ?? 0) + payload.readUInt32BE(0));
      seen = windows.length;
      bench.clock.advance(100);
      bench.give(ping());
    }
    // 40 windows of 64 KiB are 2.5 MiB, a quarter of the budget is 1. What was granted is not taken back, only not given again.
    expect(bench.budget.windowRoomBytes).toBeGreaterThanOrEqual(0);
    expect(Math.min(...creditBytes.values())).toBeGreaterThanOrEqual(8_192);
    for (const id of ids) bench.give(data(id, creditBytes.get(id) ?? 0));
    expect(bench.budget.heldBytes).toBeLessThanOrEqual(1 << 20);
    expect([bench.budget.evictions, bench.causes]).toEqual([0, []]);
    for (const { stream } of bench.accepted) stream?.reset(ResetCode.CANCEL);
    expect([bench.budget.heldBytes, bench.budget.windowRoomBytes]).toEqual([0, 1 << 20]);
  });

  it("opens no more streams to a peer that does not read, and gives it up once it sends something", async () => {
    const bench = new Bench("relay");
    bench.near.stall();
    let opened = 0;
    // Bodies fill the socket first; from then on heads pile up.
    bench.open(false).stream?.write(Buffer.alloc(65_536));
    for (let i = 0; i < 4; i++) bench.open(false, { fields: ["a", "x".repeat(60_000)] }).stream?.write(Buffer.alloc(65_536));
    await bench.turn();
    expect(bench.mux.writer.blocked).toBe(true);
    const large = { fields: Array.from({ length: 8 }, () => "x".repeat(30_000)) };
    while (bench.open(true, large).stream !== undefined) opened++;
    expect(opened).toBeGreaterThan(50);
    expect(bench.mux.writer.backlogBytes).toBeLessThan(34 << 20);
    bench.give(ping());
    expect(bench.causes).toEqual([{ kind: "dead" }]);
    expect(bench.mux.streamCount).toBe(0);
  });

  it("refuses streams beyond the maximum, and takes new ones when some are done", async () => {
    const bench = new Bench("connector", { limits: { maxStreams: 2, streamWindowBytes: 65_536, connectionWindowBytes: 65_536 } });
    bench.give(open(1), open(2), open(3), reset(1), open(4));
    await bench.turn();
    expect(bench.accepted.map((handler) => handler.stream?.id)).toEqual([1, 2, 4]);
    expect(bench.frames(FrameType.RESET).map((frame) => frame.id)).toEqual([3]);
    expect(bench.resetCodes()).toEqual([ResetCode.REFUSED]);
  });

  it("notices a silent peer and leaves nothing behind", () => {
    const bench = new Bench("relay");
    const handler = bench.open();
    bench.clock.advance(15_000);
    expect(bench.causes).toEqual([{ kind: "dead" }]);
    expect([handler.told, bench.clock.pendingTimers]).toEqual([[`reset ${ResetCode.CONNECTION_LOST}`], 0]);
  });

  it("lets a finished stream be consumed later: its bytes leave the budget then, or by reset", () => {
    const bench = new Bench("connector");
    bench.give(open(1), data(1, 1_000), end(1), open(2), data(2, 1_000, true));
    const [first, second] = bench.accepted as [Recorder, Recorder];
    for (const { stream } of [first, second]) stream?.sendHead({ status: 204, fields: NO_FIELDS }, true);
    expect([bench.mux.streamCount, bench.budget.heldBytes]).toEqual([0, 2_000]);
    bench.mux.close(GoawayReason.SHUTDOWN, "");
    first.stream?.consume(600);
    first.stream?.consume(600);
    first.stream?.consume(600);
    expect(bench.budget.heldBytes).toBe(1_000);
    second.stream?.reset(ResetCode.CANCEL);
    second.stream?.consume(1_000);
    expect(bench.budget.heldBytes).toBe(0);
  });
});
