// One stream: its queue, its credit and its state. What arrives is told to the handler by receive*(); what leaves goes to
// the FrameWriter. Knows nothing of HTTP beyond "a final head comes before a body".

import { NO_FIELDS, type Fields } from "../http/fields.ts";
import { ResetCode } from "../protocol/codes.ts";
import { FrameType, MAX_INTERIM_HEADS, MAX_RESET_TEXT_BYTES } from "../protocol/frame.ts";
import { prepareHead, prepareTrailers, writeHead, writeTrailers, type EncodedText, type ResponseHead } from "../protocol/head.ts";
import { ProtocolViolation } from "../protocol/violation.ts";
import type { BufferBudget, Holder } from "./budget.ts";
import { ownCopy, ReceiveMemory } from "./receive-memory.ts";
import type { Turn, TurnResult } from "./scheduler.ts";
import { SendQueue } from "./send-queue.ts";
import { canReceive, canSend, transition, type StreamEvent, type StreamState } from "./state.ts";
import type { ResetDetail, Stream, StreamHandler } from "./stream.ts";
import { addCredit, MIN_STREAM_WINDOW_BYTES, ReceiveWindow } from "./window.ts";
import { MAX_DATA_BYTES, type FrameWriter } from "./writer.ts";

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly writer: FrameWriter;
  readonly roundTripMs: number;
  readonly budget: BufferBudget;
  nowMs(): number;
  /** The handler threw: resets the stream and reports. */
  fault(stream: MuxStream, error: unknown): void;
  /** The stream is closed in both directions: forget it. */
  forget(stream: MuxStream): void;
}

/** write() returns false from here on: little, because a thousand stalled readers each hold it (T13). */
const QUEUE_HIGH_BYTES = 16_384;
/** onDrain() comes when the queue is below this. */
const QUEUE_LOW_BYTES = 8_192;
/**
 * write() returns false, too, with less credit than this, and onDrain() comes with more: what is read without credit waits
 * here for as long as the peer's reader does. Not more than half of the smallest window, because the peer grants by halves:
 * credit might never come to more. A quarter of the window where that is less.
 */
const LOW_CREDIT_BYTES = MIN_STREAM_WINDOW_BYTES / 2;
/** Chunks up to this size go out before streams that wait for their turn. */
const DIRECT_BYTES = 16_384;
const NO_DETAIL: ResetDetail = { http2Code: 0, text: "" };

export class MuxStream implements Stream, Turn, Holder {
  readonly id: number;
  readonly #host: StreamHost;
  readonly #window: ReceiveWindow;
  handler: StreamHandler | undefined;
  state: StreamState = "open";
  deficitBytes = 0;
  scheduled = false;
  unconsumedBytes = 0;
  stalledSinceMs = 0;
  #creditBytes: number;
  readonly #lowCreditBytes: number;
  /** Made when something has to wait; most streams never need one. */
  #queue: SendQueue | undefined;
  #endQueued = false;
  #trailers: Fields = NO_FIELDS;
  #trailerText: EncodedText | undefined;
  #drainWanted = false;
  /** Which side of the exchange's heads we are on: the receiver of heads must see a final one before a body. */
  #headsLeft: number;
  /** The same for what we send: counts down as heads leave, 0 after the final one. */
  #headsToSend: number;
  #stalled = false;
  #memory: ReceiveMemory | undefined;
  /** The budget counts the window. */
  #windowUsed = false;

  constructor(id: number, host: StreamHost, sendCreditBytes: number, receiveWindowBytes: number, expectsHead: boolean) {
    this.id = id;
    this.#host = host;
    this.#creditBytes = sendCreditBytes;
    this.#lowCreditBytes = Math.min(LOW_CREDIT_BYTES, sendCreditBytes / 4);
    this.#window = new ReceiveWindow(receiveWindowBytes);
    this.#headsLeft = expectsHead ? MAX_INTERIM_HEADS + 1 : 0;
    this.#headsToSend = expectsHead ? 0 : MAX_INTERIM_HEADS + 1;
  }

  get open(): boolean {
    return this.state !== "closed";
  }

  get #queuedBytes(): number {
    return this.#queue?.bytes ?? 0;
  }

  sendHead(head: ResponseHead, end: boolean): void {
    if (!canSend(this.state) || this.#endQueued) return;
    if (this.#headsToSend === 0) throw new Error("a final head was sent already");
    const interim = isInterim(head);
    // The peer takes no more of them, and nothing depends on them.
    if (interim && this.#headsToSend === 1) return;
    const prepared = prepareHead(head);
    this.#headsToSend = interim ? this.#headsToSend - 1 : 0;
    const slab = this.#host.writer.frame(FrameType.HEAD, end && !interim, this.id, prepared.payloadBytes);
    writeHead(head, prepared.text, slab, this.#host.writer.payloadAt);
    if (end && !interim) this.#sentEnd();
  }

  write(chunk: Uint8Array): boolean {
    if (!canSend(this.state) || this.#endQueued || chunk.length === 0) return true;
    if (this.#headsToSend > 0) return this.#headMissing();
    const writer = this.#host.writer;
    const mayPass = chunk.length <= DIRECT_BYTES || writer.nobodyWaits;
    const sentBytes = this.#queuedBytes === 0 && mayPass ? this.#sendNow(chunk) : 0;
    if (sentBytes < chunk.length) {
      (this.#queue ??= new SendQueue()).push(chunk, sentBytes);
      if (this.#creditBytes > 0) writer.enqueue(this);
    }
    if (this.#queuedBytes < QUEUE_HIGH_BYTES && this.#creditBytes - this.#queuedBytes >= this.#lowCreditBytes) return true;
    this.#drainWanted = true;
    return false;
  }

  /** @returns how much of the chunk credit and the socket let pass right away */
  #sendNow(chunk: Uint8Array): number {
    const { writer } = this.#host;
    let from = 0;
    while (from < chunk.length && !writer.blocked) {
      const size = Math.min(chunk.length - from, MAX_DATA_BYTES, this.#creditBytes, writer.creditBytes);
      if (size <= 0) break;
      writer.data(this.id, chunk, from, from + size);
      this.#creditBytes -= size;
      from += size;
    }
    return from;
  }

  end(trailers: Fields = NO_FIELDS): void {
    if (!canSend(this.state) || this.#endQueued) return;
    if (this.#headsToSend > 0) return void this.#headMissing();
    // Here and not when they are written, so that a RangeError meets the caller.
    if (trailers.length > 0) this.#trailerText = prepareTrailers(trailers);
    this.#endQueued = true;
    this.#trailers = trailers;
    if (this.#queuedBytes > 0) return;
    this.#writeEnd();
    // onDrain() is due and never comes from within: it comes with a turn.
    if (this.#drainWanted) this.#host.writer.enqueue(this);
  }

  reset(code: ResetCode, detail: Partial<ResetDetail> = NO_DETAIL): void {
    if (this.state !== "closed") {
      const text = (detail.text ?? "").slice(0, MAX_RESET_TEXT_BYTES).replace(/[^\x20-\x7e]/g, "?");
      const slab = this.#host.writer.frame(FrameType.RESET, false, this.id, 6 + text.length);
      const at = slab.writeUInt32BE((detail.http2Code ?? 0) >>> 0, slab.writeUInt16BE(code, this.#host.writer.payloadAt));
      slab.write(text, at, "latin1");
      this.#move("reset");
    }
    this.#releaseAll();
  }

  consume(bytes: number): void {
    const released = Math.min(bytes, this.unconsumedBytes);
    if (released === 0) return;
    this.unconsumedBytes -= released;
    this.#memory?.release(released);
    this.#host.budget.release(released);
    if (this.#stalled) this.#progress();
    if (canReceive(this.state) && this.#window.consume(released)) this.#grant();
  }

  /** A turn of the scheduler: sends queued bytes within the stream's and the connection's credit. */
  take(allowanceBytes: number): TurnResult {
    let sentBytes = 0;
    const { writer } = this.#host;
    const queue = this.#queue;
    while (queue !== undefined && sentBytes < allowanceBytes && queue.bytes > 0) {
      const size = Math.min(queue.bytes, MAX_DATA_BYTES, this.#creditBytes, writer.creditBytes);
      if (size <= 0) break;
      queue.take(size, writer.dataFrame(this.id, size), writer.payloadAt);
      this.#creditBytes -= size;
      sentBytes += size;
    }
    this.#afterTake();
    return { sentBytes, more: this.#queuedBytes > 0 && this.#creditBytes > 0 };
  }

  evict(): void {
    const handler = this.handler;
    this.reset(ResetCode.OVERLOAD);
    try {
      handler?.onReset(ResetCode.OVERLOAD, { http2Code: 0, text: "buffer budget spent" });
    } catch (error) {
      // It is another stream's frame that is being read: that one is not at fault.
      this.#host.fault(this, error);
    }
  }

  receiveHead(head: ResponseHead, end: boolean): void {
    this.#assertReceiving();
    const interim = isInterim(head);
    if (this.#headsLeft === 0 || (interim && (end || --this.#headsLeft === 0))) {
      throw new ProtocolViolation("ERR_PROTOCOL_HEAD_ORDER", "a head out of order");
    }
    if (!interim) this.#headsLeft = 0;
    if (end) this.#move("end-received");
    this.handler?.onHead(head, end);
  }

  receiveData(chunk: Buffer, end: boolean): void {
    this.#assertReceiving();
    this.#assertHeadReceived();
    if (!this.#window.receive(chunk.length))
      throw new ProtocolViolation("ERR_PROTOCOL_CREDIT_EXCEEDED", `stream ${this.id} exceeded its credit`);
    if (chunk.length > 0) this.#deliver(chunk);
    if (end && this.state !== "closed") this.#receivedEnd(NO_FIELDS);
  }

  receiveEnd(trailers: Fields): void {
    this.#assertReceiving();
    this.#assertHeadReceived();
    this.#receivedEnd(trailers);
  }

  /** RESET from the peer, or the loss of the connection. */
  receiveReset(code: ResetCode, detail: ResetDetail): void {
    if (this.state === "closed") return;
    this.#move("reset");
    this.#releaseAll();
    this.handler?.onReset(code, detail);
  }

  receiveCredit(bytes: number): void {
    const credit = addCredit(this.#creditBytes, bytes);
    if (credit === undefined) throw new ProtocolViolation("ERR_PROTOCOL_CREDIT_OVERFLOW", `credit of stream ${this.id} over 2^31 - 1`);
    this.#creditBytes = credit;
    if (this.#queuedBytes > 0) this.#host.writer.enqueue(this);
    else if (this.#drainWanted && credit >= this.#lowCreditBytes) this.#tellDrain();
  }

  #deliver(chunk: Buffer): void {
    this.unconsumedBytes += chunk.length;
    this.#host.budget.hold(chunk.length);
    const { handler } = this;
    if (handler?.releases === true) handler.onData((this.#memory ??= new ReceiveMemory()).copy(chunk));
    else handler?.onData(ownCopy(chunk));
    if (this.unconsumedBytes > 0 && !this.#stalled) this.#stall();
    else if (this.#stalled) this.#host.budget.stall(this);
  }

  #stall(): void {
    this.#stalled = true;
    this.stalledSinceMs = this.#host.nowMs();
    this.#host.budget.stall(this);
  }

  #progress(): void {
    if (this.unconsumedBytes > 0) {
      this.stalledSinceMs = this.#host.nowMs();
      return;
    }
    this.#stalled = false;
    this.#host.budget.settle(this);
  }

  #grant(): void {
    const { budget } = this.#host;
    if (!this.#windowUsed) budget.windowUsed(this.#window.sizeBytes);
    this.#windowUsed = true;
    const before = this.#window.sizeBytes;
    const credit = this.#window.grant(this.#host.nowMs(), this.#host.roundTripMs, budget);
    if (this.#window.sizeBytes !== before) budget.windowResized(this.#window.sizeBytes - before);
    if (credit === 0) return;
    const slab = this.#host.writer.frame(FrameType.WINDOW, false, this.id, 4);
    slab.writeUInt32BE(credit, this.#host.writer.payloadAt);
  }

  #afterTake(): void {
    if (this.#queuedBytes === 0 && this.#endQueued) this.#writeEnd();
    if (!this.#drainWanted || this.#queuedBytes >= QUEUE_LOW_BYTES) return;
    if (this.#endQueued || this.#creditBytes - this.#queuedBytes >= this.#lowCreditBytes) this.#tellDrain();
  }

  #tellDrain(): void {
    this.#drainWanted = false;
    try {
      this.handler?.onDrain();
    } catch (error) {
      // Nobody further up knows of this stream: it is the writer's turn, or the peer's grant.
      this.#host.fault(this, error);
    }
  }

  /** A body before its head would be a violation and cost every stream of the connection: it costs this one. */
  #headMissing(): true {
    this.reset(ResetCode.INTERNAL, { text: "body without a head" });
    return true;
  }

  #writeEnd(): void {
    if (!canSend(this.state)) return;
    const prepared = this.#trailerText;
    if (prepared === undefined) this.#host.writer.end(this.id);
    else {
      const slab = this.#host.writer.frame(FrameType.END, true, this.id, prepared.payloadBytes);
      writeTrailers(this.#trailers, prepared.text, slab, this.#host.writer.payloadAt);
    }
    this.#sentEnd();
  }

  #sentEnd(): void {
    this.#endQueued = true;
    this.#move("end-sent");
  }

  /** OPEN carried E: the request has no body. */
  openedWithEnd(sentHere: boolean): void {
    if (sentHere) this.#sentEnd();
    else this.#move("end-received");
  }

  #receivedEnd(trailers: Fields): void {
    this.#move("end-received");
    this.handler?.onEnd(trailers);
  }

  #assertReceiving(): void {
    if (!canReceive(this.state)) throw new ProtocolViolation("ERR_PROTOCOL_STREAM_ENDED", `frame for stream ${this.id} after its end`);
  }

  #assertHeadReceived(): void {
    if (this.#headsLeft > 0) throw new ProtocolViolation("ERR_PROTOCOL_HEAD_ORDER", `body of stream ${this.id} before its head`);
  }

  #move(event: StreamEvent): void {
    const next = transition(this.state, event);
    if (next === this.state) return;
    this.state = next;
    if (next !== "closed") return;
    if (this.#windowUsed) this.#host.budget.windowLeft(this.#window.sizeBytes);
    this.#windowUsed = false;
    this.#queue?.clear();
    // It may still be in line for a turn; nothing is told after a reset. After a clean end onDrain() is due: owners consume on it.
    if (event === "reset") this.#drainWanted = false;
    this.#host.forget(this);
  }

  #releaseAll(): void {
    this.#host.budget.release(this.unconsumedBytes);
    this.unconsumedBytes = 0;
    // What it holds may still be on its way to a socket: it is left to the collector.
    this.#memory = undefined;
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#host.budget.settle(this);
  }
}

/** 101 is final: what follows are raw bytes. */
function isInterim(head: ResponseHead): boolean {
  return head.status < 200 && head.status !== 101;
}
