import { describe, expect, it } from "vitest";
import { FrameType, readFrames } from "../protocol/frame.ts";
import { SLAB_BYTES } from "./slab.ts";
import type { Transport } from "./transport.ts";
import { FrameWriter } from "./writer.ts";

interface Sent {
  readonly message: Uint8Array;
  readonly leave: () => void;
}

function writer(): { readonly frames: FrameWriter; readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const transport = {
    bufferedBytes: 0,
    send: (message, done = () => undefined) => void sent.push({ message, leave: done }),
  } as Partial<Transport>;
  return { frames: new FrameWriter(transport as Transport, () => undefined), sent };
}

function payloads(message: Uint8Array): string[] {
  const seen: string[] = [];
  readFrames(Buffer.from(message), {
    onFrame: (_type, _end, _id, bytes, start, stop) => void seen.push(bytes.toString("latin1", start, stop)),
  });
  return seen;
}

function say({ frames }: ReturnType<typeof writer>, text: string): void {
  frames.data(1, Buffer.from(text), 0, text.length);
  frames.flush();
}

describe("memory of outgoing messages", () => {
  it("is not written to again before the message has left, whatever is said meanwhile", () => {
    const one = writer();
    const texts = Array.from({ length: 40 }, (_, at) => String.fromCharCode(97 + (at % 26)).repeat(20_000));
    for (const text of texts) say(one, text);
    expect(one.sent.flatMap(({ message }) => payloads(message))).toEqual(texts);
    // The second half leaves, and is replaced; the first is still read from.
    for (const { leave } of one.sent.slice(20)) leave();
    const before = one.sent.slice(0, 20).map(({ message }) => Buffer.from(message));
    for (const text of texts) say(one, text.toUpperCase());
    expect(one.sent.slice(0, 20).map(({ message }) => Buffer.from(message))).toEqual(before);
  });

  it("is the same again once it has left, also for another connection", () => {
    const one = writer();
    say(one, "first");
    const memory = one.sent[0]?.message.buffer;
    one.sent[0]?.leave();
    const other = writer();
    say(other, "second");
    expect(other.sent[0]?.message.buffer).toBe(memory);
    expect(payloads(other.sent[0]?.message ?? new Uint8Array())).toEqual(["second"]);
    say(one, "third");
    expect(one.sent[1]?.message.buffer).not.toBe(memory);
  });

  it("stays with a message that was begun when the one before it left", () => {
    const one = writer();
    say(one, "first");
    one.frames.data(1, Buffer.from("begun"), 0, 5);
    one.sent[0]?.leave();
    const other = writer();
    say(other, "elsewhere");
    one.frames.flush();
    expect(payloads(one.sent[1]?.message ?? new Uint8Array())).toEqual(["begun"]);
    expect(other.sent[0]?.message.buffer).not.toBe(one.sent[1]?.message.buffer);
  });

  it("holds a frame that is larger than all of it", () => {
    const one = writer();
    const bytes = one.frames.frame(FrameType.HELLO, false, 0, SLAB_BYTES);
    bytes.fill("x", one.frames.payloadAt, one.frames.payloadAt + SLAB_BYTES);
    one.frames.flush();
    expect(payloads(one.sent[0]?.message ?? new Uint8Array())[0]?.length).toBe(SLAB_BYTES);
  });
});
