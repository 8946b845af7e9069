// What an attacker makes of a valid session: frames cut, dropped, doubled, moved, relabelled, oversized, beyond their
// credit. Mostly few changes per session, so that the rest of it is understood and the change meets deep state.

import { encodeFrame, FrameType, MAX_CREDIT_BYTES } from "@sallyport/shared/protocol/frame";
import type { Random } from "./hostile-frames-random.ts";

const HEADER_BYTES = 8;
const TYPES: readonly number[] = [...Object.values(FrameType), 0, 15, 0x7f, 0x80, 0xff];

type Mutation = (frames: Buffer[], at: number, random: Random) => void;

function streamOf(frame: Buffer): number {
  return frame.length < HEADER_BYTES ? 0 : frame.readUInt32BE(4) & 0x7fff_ffff;
}

function payloadOf(frame: Buffer): Buffer {
  return frame.subarray(HEADER_BYTES);
}

function isEnd(frame: Buffer): boolean {
  return ((frame[4] ?? 0) & 0x80) !== 0;
}

/** The same frame with something else in it; the length is made to fit. */
function rewritten(
  frame: Buffer,
  change: { readonly type?: number; readonly id?: number; readonly payload?: Buffer; readonly end?: boolean },
): Buffer {
  return encodeFrame(
    change.type ?? frame[0] ?? 0,
    change.id ?? streamOf(frame),
    change.payload ?? payloadOf(frame),
    change.end ?? isEnd(frame),
  );
}

function credit(id: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes >>> 0);
  return encodeFrame(FrameType.WINDOW, id, payload);
}

function withByteChanged(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) copy[random.below(copy.length)] = random.below(256);
  return copy;
}

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  truncate: (frames, at, random) => {
    const frame = frames[at] as Buffer;
    frames[at] = frame.subarray(0, random.below(frame.length));
  },
  drop: (frames, at) => void frames.splice(at, 1),
  duplicate: (frames, at) => void frames.splice(at, 0, frames[at] as Buffer),
  repeatLater: (frames, at, random) => void frames.splice(at + random.below(frames.length - at), 0, frames[at] as Buffer),
  swap: (frames, at, random) => {
    const other = random.below(frames.length);
    [frames[at], frames[other]] = [frames[other] as Buffer, frames[at] as Buffer];
  },
  relabel: (frames, at, random) => void (frames[at] = rewritten(frames[at] as Buffer, { type: random.pick(TYPES) })),
  otherStream: (frames, at, random) => {
    const id = random.pick([0, 1, streamOf(frames[at] as Buffer) + 1, streamOf(random.pick(frames)), 0x7fff_ffff]);
    frames[at] = rewritten(frames[at] as Buffer, { id: id & 0x7fff_ffff });
  },
  flipEnd: (frames, at) => void (frames[at] = rewritten(frames[at] as Buffer, { end: !isEnd(frames[at] as Buffer) })),
  changePayload: (frames, at, random) =>
    void (frames[at] = rewritten(frames[at] as Buffer, { payload: withByteChanged(payloadOf(frames[at] as Buffer), random) })),
  changeAnyByte: (frames, at, random) => void (frames[at] = withByteChanged(frames[at] as Buffer, random)),
  resize: (frames, at, random) => {
    const payload = payloadOf(frames[at] as Buffer);
    frames[at] = rewritten(frames[at] as Buffer, {
      payload: random.once(2)
        ? payload.subarray(0, random.below(payload.length + 1))
        : Buffer.concat([payload, random.bytes(1 + random.below(20))]),
    });
  },
  oversize: (frames, at, random) => {
    const copy = rewritten(frames[at] as Buffer, {});
    copy.writeUIntBE(random.pick([262_145, 0xff_ffff, 0x80_0000]), 1, 3);
    frames[at] = copy;
  },
  overflowCredit: (frames, at, random) => {
    const id = random.once(3) ? 0 : streamOf(frames[at] as Buffer);
    frames.splice(at, 0, credit(id, random.pick([MAX_CREDIT_BYTES, MAX_CREDIT_BYTES - 1, 0xffff_ffff, 0])));
  },
  exceedCredit: (frames, at, random) => {
    const id = streamOf(frames[at] as Buffer);
    const data = encodeFrame(FrameType.DATA, id === 0 ? 1 : id, Buffer.alloc(20_000 + random.below(60_000)));
    for (let i = random.below(4); i >= 0; i--) frames.splice(at, 0, data);
  },
  flood: (frames, at, random) => {
    const frame = random.pick([
      encodeFrame(FrameType.PING, 0, Buffer.alloc(8)),
      encodeFrame(FrameType.GOAWAY, 0, Buffer.alloc(10)),
      credit(streamOf(frames[at] as Buffer), 1),
    ]);
    frames.splice(at, 0, ...Array.from({ length: random.pick([150, 201, 260]) }, () => frame));
  },
  manyHeads: (frames, at) =>
    void frames.splice(
      at,
      0,
      ...Array.from({ length: 10 }, () => encodeFrame(FrameType.HEAD, streamOf(frames[at] as Buffer) || 1, Buffer.from([0, 103, 0, 0]))),
    ),
  extension: (frames, at, random) =>
    void frames.splice(at, 0, encodeFrame(0x80 + random.below(128), random.below(100), random.bytes(random.below(40)))),
  noise: (frames, at, random) => void frames.splice(at, 0, random.bytes(1 + random.below(60))),
};
const ALL = Object.values(MUTATIONS);

/** One to three changes, anywhere in the session. */
export function mutate(session: readonly Buffer[], random: Random): Buffer[] {
  const frames = [...session];
  for (let changes = 1 + random.below(3); changes > 0 && frames.length > 0; changes--) {
    // Late rather than early: two draws, the later one counts.
    const at = Math.max(random.below(frames.length), random.below(frames.length));
    random.pick(ALL)(frames, at, random);
  }
  return frames;
}

/** Frames in messages of one to eight; sometimes a message is cut in two where it should not be. */
export function inMessages(frames: readonly Buffer[], random: Random): Array<{ readonly message: Buffer; readonly frames: number }> {
  const messages: Array<{ readonly message: Buffer; readonly frames: number }> = [];
  for (let at = 0; at < frames.length;) {
    const count = Math.min(1 + random.below(8), frames.length - at);
    const message = Buffer.concat(frames.slice(at, at + count));
    at += count;
    const cutAt = random.once(2_000) ? random.below(message.length + 1) : message.length;
    messages.push({ message: message.subarray(0, cutAt), frames: count });
    if (cutAt < message.length) messages.push({ message: message.subarray(cutAt), frames: 0 });
  }
  return messages;
}
