// One authenticated connection between a connector and a relay: the table of its streams, and what happens to the
// connection as a whole (going away, liveness, violations, loss). Frames in go through dispatch(), frames out through
// FrameWriter. Both programs use it; the role decides who may open streams and who sends heads.

import { systemClock, type Clock } from "../clock.ts";
import { SallyportError } from "../errors.ts";
import { CloseCode, GoawayReason, ResetCode } from "../protocol/codes.ts";
import { FIRST_EXTENSION_TYPE, FrameType, MAX_FRAME_PAYLOAD_BYTES, MAX_STREAM_ID, readFrames, type FrameSink } from "../protocol/frame.ts";
import { prepareOpen, readHead, readOpen, readTrailers, writeOpen, type OpenHead } from "../protocol/head.ts";
import { openProblem } from "../protocol/open-grammar.ts";
import { ProtocolViolation, type ViolationCode } from "../protocol/violation.ts";
import type { BufferBudget } from "./budget.ts";
import { encodeAssertion, encodeGoaway, readAssertion, readCredit, readGoaway, readReset, type Goaway } from "../protocol/control.ts";
import { FloodGuard, MAX_CONTROLS_PER_PERIOD, MAX_IDLE_CREDITS_PER_PERIOD } from "./flood.ts";
import { Liveness, type LivenessHost } from "./liveness.ts";
import { MuxStream, type StreamHost } from "./mux-stream.ts";
import { StreamTable } from "./stream-table.ts";
import type { Stream, StreamAcceptor, StreamHandler } from "./stream.ts";
import type { Transport, TransportReceiver } from "./transport.ts";
import { addCredit, CONNECTION_WINDOW_BYTES, INITIAL_STREAM_WINDOW_BYTES } from "./window.ts";
import { FrameWriter } from "./writer.ts";

/** What each side accepts; announced in HELLO. */
export interface MuxLimits {
  /** Streams open at once. Default 10,000. */
  readonly maxStreams: number;
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
}

export const DEFAULT_MUX_LIMITS: MuxLimits = {
  maxStreams: 10_000,
  streamWindowBytes: INITIAL_STREAM_WINDOW_BYTES,
  connectionWindowBytes: CONNECTION_WINDOW_BYTES,
};

/** Why a connection ended. */
export type CloseCause =
  /** Drained after GOAWAY, or closed by this side's close(). */
  | { readonly kind: "closed" }
  /** This side found the peer in violation, or a fault of its own. */
  | { readonly kind: "violation"; readonly violation: ProtocolViolation }
  /** The peer was silent for too long. */
  | { readonly kind: "dead" }
  /** The WebSocket ended: by the peer, or by the network (code 1006). */
  | { readonly kind: "lost"; readonly code: number; readonly reason: string };

export interface MuxHandler {
  /** Connector side: a new stream. Relay side: never called. */
  readonly acceptStream?: StreamAcceptor;
  /** The peer takes no more streams, and why. Streams it did not take on have been reset with REFUSED already. */
  onGoaway?(goaway: Goaway): void;
  /** A HELLO after the handshake: the relay's grants or the connector's services changed (JSON text, not parsed). */
  onHello?(json: string): void;
  /** The signed key manifest (compact JWS, not verified). */
  onKeys?(manifest: string): void;
  /** A handler threw; the stream was reset with INTERNAL. */
  onFault?(error: unknown): void;
  /** Once, last. All streams have been told before. */
  onClosed(cause: CloseCause): void;
}

export interface MuxOptions {
  readonly role: "relay" | "connector";
  readonly transport: Transport;
  readonly handler: MuxHandler;
  readonly budget: BufferBudget;
  readonly clock?: Clock;
  /** What this side accepts, as announced. */
  readonly limits?: MuxLimits;
  /** What the peer announced. */
  readonly peerLimits?: MuxLimits;
  /** For tests of exhaustion. Default 1. */
  readonly firstStreamId?: number;
  /** Runs a task at the end of this event-loop turn. Default setImmediate. */
  readonly schedule?: (task: () => void) => void;
}

/** The relay says GOAWAY this many ids before they are used up. */
const EXHAUSTION_MARGIN = 1_000;
/** Heads and control frames waiting for a peer that does not read. Bodies wait in their streams and are not in it. */
const MAX_BACKLOG_BYTES = 33_554_432;

export class MuxConnection implements TransportReceiver, FrameSink, StreamHost, LivenessHost {
  readonly role: "relay" | "connector";
  readonly writer: FrameWriter;
  readonly #transport: Transport;
  readonly #handler: MuxHandler;
  readonly budget: BufferBudget;
  readonly #clock: Clock;
  readonly #limits: MuxLimits;
  readonly #peerLimits: MuxLimits;
  readonly #liveness: Liveness;
  readonly #streams = new StreamTable<MuxStream>();
  readonly #assertions = new Map<number, string>();
  #nextStreamId: number;
  /** Highest id opened (relay) or taken on (connector). */
  #lastStreamId = 0;
  #receiveCreditBytes: number;
  #receivedBytes = 0;
  #goawaySent = false;
  #goawayReceived = false;
  #closed = false;
  readonly #controls: FloodGuard;
  readonly #idleCredits: FloodGuard;

  constructor(options: MuxOptions) {
    this.role = options.role;
    this.#transport = options.transport;
    this.#handler = options.handler;
    this.budget = options.budget;
    this.#clock = options.clock ?? systemClock;
    this.#limits = options.limits ?? DEFAULT_MUX_LIMITS;
    this.#peerLimits = options.peerLimits ?? DEFAULT_MUX_LIMITS;
    this.#nextStreamId = options.firstStreamId ?? 1;
    this.#receiveCreditBytes = this.#limits.connectionWindowBytes;
    this.writer = new FrameWriter(options.transport, options.schedule ?? ((task) => void setImmediate(task)));
    this.writer.creditBytes = this.#peerLimits.connectionWindowBytes;
    this.#controls = new FloodGuard(this.#clock, MAX_CONTROLS_PER_PERIOD);
    this.#idleCredits = new FloodGuard(this.#clock, MAX_IDLE_CREDITS_PER_PERIOD);
    this.#liveness = new Liveness(this.#clock, this);
    this.#liveness.start();
    options.transport.setReceiver(this);
  }

  /** Streams open now. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether new streams may be opened (relay) or are taken on (connector). */
  get accepting(): boolean {
    return !this.#closed && !this.#goawaySent && !this.#goawayReceived;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get roundTripMs(): number {
    return this.#liveness.roundTripMs;
  }

  nowMs(): number {
    return this.#clock.monotonic();
  }

  /**
   * Relay side: opens a stream and sends its head. `end`: the request has no body.
   * @returns undefined when this connection takes no more streams: choose another one
   * @throws RangeError when the head cannot be expressed
   */
  openStream(head: OpenHead, end: boolean, handler: StreamHandler): Stream | undefined {
    if (!this.accepting || this.#streams.size >= this.#peerLimits.maxStreams || this.writer.backlogBytes > MAX_BACKLOG_BYTES)
      return undefined;
    const prepared = prepareOpen(head);
    const id = this.#nextStreamId++;
    this.#lastStreamId = id;
    const stream = new MuxStream(id, this, this.#peerLimits.streamWindowBytes, this.#limits.streamWindowBytes, true);
    stream.handler = handler;
    this.#streams.set(id, stream);
    const slab = this.writer.frame(FrameType.OPEN, end, id, prepared.payloadBytes);
    writeOpen(head, prepared.text, slab, this.writer.payloadAt);
    if (end) stream.openedWithEnd(true);
    if (id >= MAX_STREAM_ID - EXHAUSTION_MARGIN) this.goaway(GoawayReason.EXHAUSTED, 0, "stream ids are used up; connect again");
    return stream;
  }

  /** Relay side: defines or redefines an assertion for the OPENs that follow. @throws RangeError */
  defineAssertion(number: number, token: string): void {
    this.#control(FrameType.ASSERTION, encodeAssertion(number, token));
  }

  /** Connector side: the token behind an assertion number of an OPEN. */
  assertion(number: number): string | undefined {
    return this.#assertions.get(number);
  }

  /** Tells changed grants (relay) or services (connector). @throws RangeError when they do not fit a frame */
  sendHello(json: string): void {
    this.#control(FrameType.HELLO, Buffer.from(json));
  }

  /** @throws RangeError when it does not fit a frame */
  sendKeys(manifest: string): void {
    this.#control(FrameType.KEYS, Buffer.from(manifest, "latin1"));
  }

  /** Takes no more streams; those open finish, then the connection closes. Idempotent. */
  goaway(reason: GoawayReason, delayMs: number, text: string): void {
    if (this.#closed || this.#goawaySent) return;
    this.#sendGoaway(reason, delayMs, text);
    this.#closeWhenDrained();
  }

  /** Ends now: GOAWAY, every stream reset, WebSocket closed. */
  close(reason: GoawayReason, text: string, code: CloseCode = CloseCode.GOING_AWAY): void {
    if (this.#closed) return;
    this.#sendGoaway(reason, 0, text);
    this.#finish({ kind: "closed" }, code, text);
  }

  // From liveness -----------------------------------------------------------------------------------------------

  get busy(): boolean {
    return this.#streams.size > 0;
  }

  get arrivingBytes(): number {
    return this.#transport.arrivingBytes;
  }

  sendPing(payload: Buffer): void {
    this.#control(FrameType.PING, payload);
  }

  onDead(): void {
    this.#finish({ kind: "dead" }, CloseCode.LIVENESS_TIMEOUT, "the peer is silent");
  }

  // From the transport ------------------------------------------------------------------------------------------

  onMessage(message: Buffer): void {
    if (this.#closed) return;
    if (this.writer.backlogBytes > MAX_BACKLOG_BYTES)
      return this.#finish({ kind: "dead" }, CloseCode.LIVENESS_TIMEOUT, "the peer does not read");
    this.#liveness.heard();
    try {
      readFrames(message, this);
    } catch (error) {
      this.#failed(error);
    }
  }

  onInvalidMessage(code: ViolationCode): void {
    this.#failed(new ProtocolViolation(code, "not a message of this protocol"));
  }

  onDrain(): void {
    this.writer.drained();
  }

  onClose(code: number, reason: string): void {
    this.#finish({ kind: "lost", code, reason }, undefined);
  }

  onFrame(type: number, end: boolean, streamId: number, message: Buffer, start: number, stop: number): void {
    if (this.#closed) return;
    switch (type) {
      case FrameType.DATA:
        return this.#data(streamId, end, message, start, stop);
      case FrameType.OPEN:
        return this.#open(streamId, end, message, start, stop);
      case FrameType.HEAD:
        if (this.role !== "relay") throw unexpected("HEAD");
        return this.#guard(this.#find(streamId), (stream) => stream.receiveHead(readHead(message, start, stop), end));
      case FrameType.END:
        return this.#guard(this.#find(streamId), (stream) => stream.receiveEnd(readTrailers(message, start, stop)));
      case FrameType.RESET: {
        const { code, detail } = readReset(message, start, stop);
        return this.#guard(this.#find(streamId), (stream) => stream.receiveReset(code, detail));
      }
      case FrameType.WINDOW:
        return this.#credit(streamId, readCredit(message, start, stop));
      default:
        if (type >= FIRST_EXTENSION_TYPE) return;
        if (type < FrameType.CHALLENGE || type > FrameType.ASSERTION)
          throw new ProtocolViolation("ERR_PROTOCOL_FRAME_UNKNOWN", `frame type ${type}`);
        return this.#connectionFrame(type, streamId, message, start, stop);
    }
  }

  #connectionFrame(type: number, streamId: number, message: Buffer, start: number, stop: number): void {
    if (streamId !== 0) throw new ProtocolViolation("ERR_PROTOCOL_STREAM_ID", `frame type ${type} with a stream id`);
    switch (type) {
      case FrameType.PING:
      case FrameType.PONG:
        return this.#ping(type, message.subarray(start, stop));
      case FrameType.GOAWAY:
        return this.#goaway(readGoaway(message, start, stop));
      case FrameType.ASSERTION: {
        if (this.role !== "connector") throw unexpected("ASSERTION");
        const { number, token } = readAssertion(message, start, stop);
        this.#assertions.set(number, token);
        return;
      }
      case FrameType.HELLO:
        this.#assertNoFlood(this.#controls);
        return this.#handler.onHello?.(message.toString("utf8", start, stop));
      case FrameType.KEYS:
        if (this.role !== "connector") throw unexpected("KEYS");
        this.#assertNoFlood(this.#controls);
        return this.#handler.onKeys?.(message.toString("latin1", start, stop));
      default:
        // CHALLENGE and PROOF, or OPEN and its like, which onFrame() has taken already.
        throw new ProtocolViolation("ERR_PROTOCOL_FRAME_UNEXPECTED", `frame type ${type} after the handshake`);
    }
  }

  // Inbound frames ----------------------------------------------------------------------------------------------

  #open(streamId: number, end: boolean, message: Buffer, start: number, stop: number): void {
    if (this.role !== "connector") throw unexpected("OPEN");
    if (streamId === 0) throw new ProtocolViolation("ERR_PROTOCOL_STREAM_ID", "OPEN without a stream id");
    if (this.#goawayReceived) throw new ProtocolViolation("ERR_PROTOCOL_FRAME_UNEXPECTED", "OPEN after GOAWAY");
    if (streamId <= this.#lastStreamId) throw new ProtocolViolation("ERR_PROTOCOL_STREAM_REUSED", `OPEN of stream ${streamId}`);
    // After our GOAWAY the id stays above the last one told, so the relay knows it was not processed. Before, it counts as taken on
    // even if it is a violation: the relay is not to try the same bytes on all its other connections.
    if (!this.#goawaySent) this.#lastStreamId = streamId;
    const head = readWellFormedOpen(end, message, start, stop);
    if (head.assertion !== 0 && !this.#assertions.has(head.assertion)) {
      throw new ProtocolViolation("ERR_PROTOCOL_ASSERTION_UNKNOWN", `assertion ${head.assertion} was not sent`);
    }
    if (this.#goawaySent) return;
    const stream = new MuxStream(streamId, this, this.#peerLimits.streamWindowBytes, this.#limits.streamWindowBytes, false);
    this.#streams.set(streamId, stream);
    if (end) stream.openedWithEnd(false);
    const accept = this.#handler.acceptStream;
    if (accept === undefined || this.#streams.size > this.#limits.maxStreams) stream.reset(ResetCode.REFUSED, { text: "too many streams" });
    else this.#guard(stream, () => void (stream.handler = accept(stream, head, end)));
  }

  #data(streamId: number, end: boolean, message: Buffer, start: number, stop: number): void {
    const bytes = stop - start;
    if (bytes === 0 && !end) throw new ProtocolViolation("ERR_PROTOCOL_PAYLOAD", "DATA without bytes");
    const stream = this.#find(streamId);
    this.#receiveCreditBytes -= bytes;
    if (this.#receiveCreditBytes < 0) throw new ProtocolViolation("ERR_PROTOCOL_CREDIT_EXCEEDED", "the connection's credit was exceeded");
    this.#receivedBytes += bytes;
    if (this.#receivedBytes >= this.#limits.connectionWindowBytes / 2) this.#returnConnectionCredit();
    if (stream === undefined) return;
    const chunk = message.subarray(start, stop);
    try {
      stream.receiveData(chunk, end);
    } catch (error) {
      this.#streamFault(stream, error);
    }
  }

  #returnConnectionCredit(): void {
    const slab = this.writer.frame(FrameType.WINDOW, false, 0, 4);
    slab.writeUInt32BE(this.#receivedBytes, this.writer.payloadAt);
    this.#receiveCreditBytes += this.#receivedBytes;
    this.#receivedBytes = 0;
  }

  #credit(streamId: number, bytes: number): void {
    if (streamId === 0) {
      const credit = addCredit(this.writer.creditBytes, bytes);
      if (credit === undefined) throw new ProtocolViolation("ERR_PROTOCOL_CREDIT_OVERFLOW", "credit of the connection over 2^31 - 1");
      this.writer.creditBytes = credit;
      this.writer.creditReturned();
      return;
    }
    const stream = this.#find(streamId);
    if (stream !== undefined) stream.receiveCredit(bytes);
    else this.#assertNoFlood(this.#idleCredits);
  }

  #ping(type: number, payload: Buffer): void {
    if (payload.length !== 8) throw new ProtocolViolation("ERR_PROTOCOL_PAYLOAD", "PING or PONG of a wrong length");
    if (type === FrameType.PONG) return this.#liveness.pong(payload);
    this.#assertNoFlood(this.#controls);
    this.#control(FrameType.PONG, payload);
  }

  #assertNoFlood(guard: FloodGuard): void {
    if (guard.hit()) throw new ProtocolViolation("ERR_PROTOCOL_FLOOD", "control frames beyond their rate");
  }

  #goaway(goaway: Goaway): void {
    // Each one walks the table of streams.
    this.#assertNoFlood(this.#controls);
    this.#goawayReceived = true;
    if (this.role === "relay") {
      for (const stream of this.#streams.all()) {
        if (stream.id > goaway.lastStreamId)
          this.#guard(stream, () => stream.receiveReset(ResetCode.REFUSED, { http2Code: 0, text: "connection going away" }));
      }
    }
    this.#handler.onGoaway?.(goaway);
  }

  /** @returns undefined for a stream that existed and is closed. @throws ProtocolViolation for one that never was. */
  #find(streamId: number): MuxStream | undefined {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) return stream;
    if (streamId === 0) throw new ProtocolViolation("ERR_PROTOCOL_STREAM_ID", "frame of a stream without a stream id");
    // After our GOAWAY a connector skips OPENs, so later frames of those streams are expected.
    if (streamId > this.#lastStreamId && !(this.role === "connector" && this.#goawaySent)) {
      throw new ProtocolViolation("ERR_PROTOCOL_STREAM_UNKNOWN", `stream ${streamId} was never opened`);
    }
    return undefined;
  }

  /** Runs a stream's handler: its faults end the stream, violations end the connection. */
  #guard(stream: MuxStream | undefined, run: (stream: MuxStream) => void): void {
    if (stream === undefined) return;
    try {
      run(stream);
    } catch (error) {
      this.#streamFault(stream, error);
    }
  }

  #streamFault(stream: MuxStream, error: unknown): void {
    if (error instanceof ProtocolViolation) throw error;
    this.fault(stream, error);
  }

  #sendGoaway(reason: GoawayReason, delayMs: number, text: string): void {
    this.#goawaySent = true;
    this.#control(FrameType.GOAWAY, encodeGoaway({ lastStreamId: this.#lastStreamId, reason, delayMs, text }));
  }

  // For streams -------------------------------------------------------------------------------------------------

  fault(stream: MuxStream, error: unknown): void {
    stream.reset(ResetCode.INTERNAL, { text: error instanceof SallyportError ? error.code : "" });
    this.#handler.onFault?.(error);
  }

  forget(stream: MuxStream): void {
    this.#streams.delete(stream.id);
    if (this.#goawaySent && this.#streams.size === 0) this.#closeWhenDrained();
  }

  // The end -----------------------------------------------------------------------------------------------------

  #control(type: number, payload: Uint8Array): void {
    if (this.#closed) return;
    if (payload.length > MAX_FRAME_PAYLOAD_BYTES) throw new RangeError(`frame type ${type} of ${payload.length} bytes`);
    const slab = this.writer.frame(type, false, 0, payload.length);
    slab.set(payload, this.writer.payloadAt);
  }

  /** What ended the last stream is still in the writer: it goes out first. */
  #closeWhenDrained(): void {
    if (this.#streams.size > 0 || this.#closed) return;
    setImmediate(() => {
      if (this.#streams.size === 0) this.#finish({ kind: "closed" }, CloseCode.NORMAL);
    });
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    const violation = error instanceof ProtocolViolation ? error : undefined;
    if (violation === undefined) this.#handler.onFault?.(error);
    const text = violation === undefined ? "internal error" : `${violation.code}: ${violation.message}`;
    this.#sendGoaway(GoawayReason.PROTOCOL_ERROR, 0, text);
    const cause: CloseCause = violation === undefined ? { kind: "closed" } : { kind: "violation", violation };
    this.#finish(cause, CloseCode.PROTOCOL_ERROR, text);
  }

  #finish(cause: CloseCause, code: CloseCode | undefined, text = ""): void {
    if (this.#closed) return;
    this.writer.flush();
    // The flush ran onDrain() of streams, and one of them may have closed the connection.
    if (this.closed) return;
    this.#closed = true;
    this.writer.close();
    this.#liveness.stop();
    for (const stream of this.#streams.all()) {
      try {
        stream.receiveReset(ResetCode.CONNECTION_LOST, { http2Code: 0, text: "" });
      } catch (error) {
        this.#handler.onFault?.(error);
      }
    }
    this.#streams.clear();
    if (code !== undefined) this.#transport.close(code, text);
    if (cause.kind === "dead") this.#transport.terminate();
    this.#handler.onClosed(cause);
  }
}

/** A relay judges what visitors send by the same grammar: one that lets this through is broken or in wrong hands (R-D3). */
function readWellFormedOpen(end: boolean, message: Buffer, start: number, stop: number): OpenHead {
  const open = readOpen(message, start, stop);
  const problem = openProblem(open, end);
  if (problem !== undefined) throw new ProtocolViolation("ERR_PROTOCOL_HEAD_MALFORMED", problem);
  return open;
}

function unexpected(what: string): ProtocolViolation {
  return new ProtocolViolation("ERR_PROTOCOL_FRAME_UNEXPECTED", `${what} is not sent by this side`);
}
