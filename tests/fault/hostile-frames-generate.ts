// Sessions that nobody recorded: frames drawn from the grammar, mostly in an order that makes sense, and pure noise.

import { encodeFrame, FrameType } from "@sallyport/shared/protocol/frame";
import { prepareHead, prepareOpen, writeHead, writeOpen } from "@sallyport/shared/protocol/head";
import { GET } from "./hostile-frames-record.ts";
import type { Random } from "./hostile-frames-random.ts";

function open(id: number, random: Random): Buffer {
  const head = { ...GET, assertion: random.once(30) ? random.below(5_000) : 0, fields: ["X", "y".repeat(random.below(50))] };
  const { text, payloadBytes } = prepareOpen(head);
  const payload = Buffer.alloc(payloadBytes);
  writeOpen(head, text, payload, 0);
  return encodeFrame(FrameType.OPEN, id, payload, random.once(3));
}

function head(id: number, random: Random): Buffer {
  const made = { status: random.pick([100, 103, 200, 204, 404, 502]), fields: ["X", "y".repeat(random.below(50))] };
  const { text, payloadBytes } = prepareHead(made);
  const payload = Buffer.alloc(payloadBytes);
  writeHead(made, text, payload, 0);
  return encodeFrame(FrameType.HEAD, id, payload, random.once(8));
}

function control(random: Random): Buffer {
  return random.pick([
    () => encodeFrame(FrameType.PING, 0, random.bytes(8)),
    () => encodeFrame(FrameType.PONG, 0, random.bytes(8)),
    () => encodeFrame(FrameType.WINDOW, 0, Buffer.from([0, 0, random.below(256), 1])),
    () => encodeFrame(0x80 + random.below(128), random.below(9), random.bytes(random.below(30))),
    () => encodeFrame(FrameType.GOAWAY, 0, Buffer.alloc(10)),
  ])();
}

function onStream(id: number, random: Random): Buffer {
  const choice = random.below(12);
  if (choice < 7) return encodeFrame(FrameType.DATA, id, Buffer.alloc(1 + random.below(3_000)), random.once(12));
  if (choice < 9) return encodeFrame(FrameType.WINDOW, id, Buffer.from([0, 0, 1, random.below(256)]));
  if (choice === 9) return encodeFrame(FrameType.END, id, Buffer.alloc(0), true);
  return encodeFrame(FrameType.RESET, id, Buffer.from([0, random.below(30), 0, 0, 0, 0]));
}

/** What a connector might say to a relay that opened `streams`. */
export function generateToRelay(length: number, streams: number, random: Random): Buffer[] {
  const unheard = Array.from({ length: streams }, (_, i) => i + 1);
  return Array.from({ length }, () => {
    if (random.once(300)) return random.bytes(1 + random.below(40));
    if (random.once(6)) return control(random);
    const fresh = unheard.length > 0 && random.once(3) ? unheard.shift() : undefined;
    if (fresh !== undefined) return head(fresh, random);
    const heard = streams - unheard.length;
    return heard === 0 ? control(random) : onStream(1 + random.below(heard), random);
  });
}

/** What a relay might say to a connector. */
export function generateToConnector(length: number, random: Random): Buffer[] {
  let opened = 0;
  return Array.from({ length }, () => {
    if (random.once(300)) return random.bytes(1 + random.below(40));
    if (random.once(8)) return control(random);
    return opened === 0 || random.once(5) ? open(++opened, random) : onStream(1 + random.below(opened), random);
  });
}
