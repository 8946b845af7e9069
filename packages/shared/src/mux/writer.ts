// Everything a connection sends. Frames that are ready in one event-loop turn leave in one message (one system call for
// many exchanges); heads and control frames go first, bodies take turns. Hot path: plain arithmetic on one slab, because
// building a Buffer per frame costs more than the frame (measured at 2 microseconds a request).

import { FRAME_HEADER_BYTES, FrameType, markFrameEnd, writeFrameHeader } from "../protocol/frame.ts";
import { TurnScheduler, type Turn } from "./scheduler.ts";
import { NO_SLAB, takeSlab, type Slab, type SlabOwner } from "./slab.ts";
import type { Transport } from "./transport.ts";
import { CONNECTION_WINDOW_BYTES } from "./window.ts";

/**
 * A message is closed when it has grown past this: half of what the receiver reads at once, because a message in two reads is
 * copied there into fresh memory (measured against 128 KiB: a quarter less CPU for a download, an eighth for an upload).
 */
const MESSAGE_TARGET_BYTES = 32_768;
/** Frames that one turn makes before bodies wait in their streams. */
const TURN_TARGET_BYTES = 131_072;
/** Bodies wait while this much is under way to the kernel, so that a small answer never queues behind more. */
export const HIGH_WATER_BYTES = 262_144;
/** Largest DATA payload we send; the receiver accepts eight times as much. */
export const MAX_DATA_BYTES = 32_768;

/** A message that is complete, and the memory it is in. */
interface Message {
  readonly bytes: Buffer;
  readonly slab: Slab;
}

export class FrameWriter implements SlabOwner {
  readonly #transport: Transport;
  readonly #scheduler = new TurnScheduler();
  readonly #schedule: (task: () => void) => void;
  readonly #flushTask: () => void;
  #slab: Slab = NO_SLAB;
  /** The message being built is slab[#start, #at). */
  #start = 0;
  #at = 0;
  #ready: Message[] = [];
  #readyBytes = 0;
  #lastFrameAt = -1;
  #lastFrameStream = 0;
  #flushScheduled = false;
  #blocked = false;
  #closed = false;
  /** DATA bytes the peer still accepts on the whole connection. */
  creditBytes: number = CONNECTION_WINDOW_BYTES;

  /** @param schedule runs a task at the end of this event-loop turn (setImmediate) */
  constructor(transport: Transport, schedule: (task: () => void) => void) {
    this.#transport = transport;
    this.#schedule = schedule;
    this.#flushTask = () => {
      this.#flushScheduled = false;
      this.flush();
    };
  }

  /** True while bodies should wait in their streams: the socket is full, or this turn has made enough already. */
  get blocked(): boolean {
    return this.#blocked || this.backlogBytes >= TURN_TARGET_BYTES;
  }

  /** Bytes of frames not handed to the transport yet. */
  get backlogBytes(): number {
    return this.#readyBytes + this.#at - this.#start;
  }

  /** No stream is in line for a turn. */
  get nobodyWaits(): boolean {
    return this.#scheduler.waiting === 0;
  }

  /** Anything not handed to the transport yet. */
  get pending(): boolean {
    return this.#at > this.#start || this.#ready.length > 0 || this.#scheduler.waiting > 0;
  }

  /** Room for one frame in the current message: writes the header, returns the slab; payload starts at {@link payloadAt}. */
  frame(type: number, end: boolean, streamId: number, payloadBytes: number): Buffer {
    const size = FRAME_HEADER_BYTES + payloadBytes;
    if (this.#at + size > this.#slab.bytes.length) this.#newSlab(size);
    const at = this.#at;
    const { bytes } = this.#slab;
    writeFrameHeader(bytes, at, type, payloadBytes, end, streamId);
    this.#lastFrameAt = at;
    this.#lastFrameStream = type === FrameType.WINDOW || type === FrameType.RESET ? 0 : streamId;
    this.#at = at + size;
    if (this.#at - this.#start >= MESSAGE_TARGET_BYTES) this.#closeMessage();
    this.#wake();
    return bytes;
  }

  /** Offset of the payload of the frame just begun with {@link frame}; valid until the next one. */
  get payloadAt(): number {
    return this.#lastFrameAt + FRAME_HEADER_BYTES;
  }

  /** Room for DATA of this many bytes, as with {@link frame}. */
  dataFrame(streamId: number, bytes: number): Buffer {
    this.creditBytes -= bytes;
    return this.frame(FrameType.DATA, false, streamId, bytes);
  }

  data(streamId: number, chunk: Uint8Array, from: number, to: number): void {
    const slab = this.dataFrame(streamId, to - from);
    slab.set(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to), this.payloadAt);
  }

  /** Ends a stream's half: on the frame just written when it was this stream's (saves a frame per exchange), else by END. */
  end(streamId: number): void {
    if (this.#lastFrameStream === streamId && this.#lastFrameAt >= this.#start) markFrameEnd(this.#slab.bytes, this.#lastFrameAt);
    else this.frame(FrameType.END, true, streamId, 0);
  }

  /** Puts a stream with queued bytes and credit in line. */
  enqueue(turn: Turn): void {
    this.#scheduler.add(turn);
    this.#wake();
  }

  /** The peer granted connection credit. */
  creditReturned(): void {
    if (this.#scheduler.waiting > 0) this.#wake();
  }

  drained(): void {
    this.#blocked = false;
    if (this.pending) this.flush();
  }

  /** Sends what is ready now instead of at the end of the turn. */
  flush(): void {
    if (this.#closed) return;
    this.#takeTurns();
    this.#sendMessages();
    if (this.#transport.bufferedBytes >= HIGH_WATER_BYTES) this.#blocked = true;
    else if (this.#scheduler.waiting > 0 && this.creditBytes > 0) this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#ready = [];
    this.#readyBytes = 0;
    this.#letSlabGo();
  }

  slabUnused(): void {
    // With a message begun it is the next one's turn to leave.
    if (this.#at === this.#start) this.#letSlabGo();
  }

  #takeTurns(): void {
    if (this.#scheduler.waiting === 0) return;
    const room = HIGH_WATER_BYTES - this.#transport.bufferedBytes;
    while (this.#scheduler.waiting > 0 && this.creditBytes > 0 && this.backlogBytes < room) this.#scheduler.runTurn();
  }

  #sendMessages(): void {
    if (this.#at > this.#start) this.#closeMessage();
    if (this.#ready.length === 0) return;
    const ready = this.#ready;
    this.#ready = [];
    this.#readyBytes = 0;
    for (let i = 0; i < ready.length; i++) {
      const { bytes, slab } = ready[i] as Message;
      this.#transport.send(bytes, slab.sent);
    }
  }

  #closeMessage(): void {
    this.#slab.sending();
    this.#ready.push({ bytes: this.#slab.bytes.subarray(this.#start, this.#at), slab: this.#slab });
    this.#readyBytes += this.#at - this.#start;
    this.#start = this.#at;
  }

  #newSlab(size: number): void {
    if (this.#at > this.#start) this.#closeMessage();
    this.#letSlabGo();
    this.#slab = takeSlab(size, this);
  }

  #letSlabGo(): void {
    if (this.#slab !== NO_SLAB) this.#slab.letGo();
    this.#slab = NO_SLAB;
    this.#start = this.#at = 0;
    this.#lastFrameAt = -1;
  }

  #wake(): void {
    if (this.#flushScheduled || this.#blocked || this.#closed) return;
    this.#flushScheduled = true;
    this.#schedule(this.#flushTask);
  }
}
