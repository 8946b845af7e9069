import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unmask, WsMessages } from "./ws-messages.ts";

const MAX_BYTES = 200_000;

interface Frame {
  readonly first: number;
  readonly payload: Buffer;
  readonly key: Buffer | undefined;
}

/** RFC 6455 section 5.2; the mask is applied octet by octet. */
function encode({ first, payload, key }: Frame): Buffer {
  const { length } = payload;
  const bits = key === undefined ? 0 : 0x80;
  const head = length < 126 ? Buffer.from([first, bits | length]) : Buffer.alloc(length < 65_536 ? 4 : 10);
  if (length >= 126) {
    head[0] = first;
    head[1] = bits | (length < 65_536 ? 126 : 127);
    if (length < 65_536) head.writeUInt16BE(length, 2);
    else head.writeBigUInt64BE(BigInt(length), 2);
  }
  return key === undefined
    ? Buffer.concat([head, payload])
    : Buffer.concat([head, key, payload.map((byte, i) => byte ^ (key[i & 3] as number))]);
}

class Owner {
  readonly messages: Buffer[] = [];
  readonly passed: Buffer[] = [];
  onBinary(message: Buffer): void {
    this.messages.push(Buffer.from(message));
    // The next one may find the same memory.
    message.fill(0xdb);
  }
  passOn(bytes: Buffer): void {
    this.passed.push(Buffer.from(bytes));
  }
}

/** Gives `bytes` in pieces of these sizes, in turn, each in memory of its own. */
function give(reader: WsMessages, bytes: Buffer, pieces: readonly number[]): void {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = pieces[i % pieces.length] as number;
    reader.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
}

const BINARY = 0x82;
const PING = 0x89;
const CLOSE = 0x88;

describe("binary messages of a WebSocket", () => {
  it("finds each of them, and passes all other frames on octet by octet, however the socket cuts them", () => {
    const payload = fc
      .oneof(fc.nat(130), fc.nat(2_000), fc.constantFrom(125, 126, 65_535, 65_536, 70_000, 150_000))
      .map((bytes) => Buffer.alloc(bytes, "0123456789abc"));
    const binary = payload.map((bytes) => [{ first: BINARY, payload: bytes }]);
    const control = fc.constantFrom(PING, 0x8a).map((first) => [{ first, payload: Buffer.from("ping") }]);
    const text = payload.map((bytes) => [{ first: 0x81, payload: bytes }]);
    const large = fc.constant([{ first: BINARY, payload: Buffer.alloc(MAX_BYTES + 1) }]);
    const fragments = fc
      .tuple(payload, control, payload, payload)
      .map(([one, ping, two, three]) => [
        { first: 0x02, payload: one },
        ...ping,
        { first: 0x00, payload: two },
        { first: 0x80, payload: three },
      ]);
    const reserved = payload.map((bytes) => [{ first: 0xc2, payload: bytes }]);
    const frames = fc.array(fc.oneof({ weight: 6, arbitrary: binary }, control, text, fragments, reserved, large), { maxLength: 12 });
    const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 70_000 })), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(frames, pieces, fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.boolean(), (parts, sizes, keyBytes, masked) => {
        const owner = new Owner();
        const reader = new WsMessages(owner, masked, MAX_BYTES);
        const key = masked ? Buffer.from(keyBytes) : undefined;
        const all = parts.flat().map((frame) => ({ ...frame, key }));
        // A cut of one octet each over 200 KB would take the test's time for itself.
        const total = all.reduce((sum, { payload: { length } }) => sum + length, 0);
        give(reader, Buffer.concat(all.map(encode)), total > 100_000 ? [...sizes, 40_000] : sizes);
        const mine = all.filter(({ first, payload: { length } }) => first === BINARY && length <= MAX_BYTES);
        expect(owner.messages.length).toBe(mine.length);
        mine.forEach((frame, i) => expect(owner.messages[i]?.equals(frame.payload)).toBe(true));
        const others = Buffer.concat(all.filter((frame) => !mine.includes(frame)).map(encode));
        expect(Buffer.concat(owner.passed).equals(others)).toBe(true);
        expect(reader.atBoundary).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("leaves a message that is masked, or is not, against the rule for ws to refuse", () => {
    for (const masked of [true, false]) {
      const owner = new Owner();
      const frame = encode({ first: BINARY, payload: Buffer.from("abc"), key: masked ? undefined : Buffer.from("keys") });
      new WsMessages(owner, masked, MAX_BYTES).push(frame);
      expect([owner.messages.length, Buffer.concat(owner.passed).equals(frame)]).toEqual([0, true]);
    }
  });

  it("looks at nothing behind a close frame, nor after stop()", () => {
    const message = encode({ first: BINARY, payload: Buffer.from("late"), key: undefined });
    for (const payload of ["", "\u0003\u00e8bye"]) {
      const owner = new Owner();
      const close = encode({ first: CLOSE, payload: Buffer.from(payload, "latin1"), key: undefined });
      give(new WsMessages(owner, false, MAX_BYTES), Buffer.concat([message, close, message, close]), [3]);
      expect([owner.messages.length, Buffer.concat(owner.passed).equals(close)]).toEqual([1, true]);
    }
    const owner = new Owner();
    const reader = new WsMessages(owner, false, MAX_BYTES);
    reader.push(message.subarray(0, 4));
    reader.stop();
    reader.push(message.subarray(4));
    expect([owner.messages, owner.passed]).toEqual([[], []]);
  });

  it("tells whether the memory of a read is free: not when ws was given a part of it", () => {
    const message = encode({ first: BINARY, payload: Buffer.alloc(1_000), key: undefined });
    const ping = encode({ first: PING, payload: Buffer.alloc(4), key: undefined });
    const reader = new WsMessages(new Owner(), false, MAX_BYTES);
    expect(reader.push(Buffer.concat([message, message.subarray(0, 500)]))).toBe(true);
    expect(reader.push(Buffer.concat([message.subarray(500), ping]))).toBe(false);
    expect(reader.push(Buffer.from(message))).toBe(true);
  });

  it("keeps its place when the owner throws", () => {
    let faults = 0;
    const reader = new WsMessages({ onBinary: () => raise(), passOn: () => undefined }, false, MAX_BYTES);
    const bytes = encode({ first: BINARY, payload: Buffer.alloc(100), key: undefined });
    for (const piece of [bytes, bytes.subarray(0, 50), bytes.subarray(50), bytes]) {
      try {
        reader.push(Buffer.from(piece));
      } catch {
        faults++;
      }
    }
    expect([faults, reader.atBoundary]).toEqual([3, true]);
  });
});

function raise(): never {
  throw new Error("owner");
}

describe("unmask()", () => {
  it("does what section 5.3 says, at any offset in memory and of any length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.nat(9), (bytes, key, offset) => {
        const memory = Buffer.alloc(offset + bytes.length + 5, 0xaa);
        memory.set(bytes, offset);
        unmask(memory.subarray(offset, offset + bytes.length), key);
        expect([...memory.subarray(offset, offset + bytes.length)]).toEqual([...bytes].map((byte, i) => byte ^ (key[i & 3] as number)));
        expect([...memory.subarray(0, offset), ...memory.subarray(offset + bytes.length)].every((byte) => byte === 0xaa)).toBe(true);
      }),
    );
  });
});
