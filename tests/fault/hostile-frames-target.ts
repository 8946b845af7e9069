// The two ends under attack: real multiplexers on a transport that swallows what they send, after having parsed it. Their
// handlers answer, stall, reset and drain as real ones do, so that hostile frames meet streams in every state.

import { ManualClock } from "@sallyport/shared/clock";
import type { BufferBudget } from "@sallyport/shared/mux/budget";
import { MuxConnection, type CloseCause } from "@sallyport/shared/mux/connection";
import type { Stream, StreamHandler } from "@sallyport/shared/mux/stream";
import type { Transport, TransportReceiver } from "@sallyport/shared/mux/transport";
import { GoawayReason, ResetCode } from "@sallyport/shared/protocol/codes";
import { MAX_MESSAGE_BYTES, readFrames } from "@sallyport/shared/protocol/frame";
import { GET, type Session } from "./hostile-frames-record.ts";
import type { Random } from "./hostile-frames-random.ts";

/** Takes everything and answers nothing; what a target sends must be valid itself. */
class SinkTransport implements Transport {
  receiver: TransportReceiver | undefined;
  readonly bufferedBytes = 0;
  readonly arrivingBytes = 0;
  bytesReceived = 0;
  bytesSent = 0;
  closes = 0;

  send(message: Uint8Array): void {
    if (message.length > MAX_MESSAGE_BYTES) throw new Error(`a message of ${message.length} bytes was sent`);
    this.bytesSent += message.length;
    readFrames(message as Buffer, { onFrame: () => undefined });
  }

  setReceiver(receiver: TransportReceiver | undefined): void {
    this.receiver = receiver;
  }

  limitMessages(): void {}

  close(): void {
    this.closes++;
  }

  terminate(): void {}
}

const BLOCK = Buffer.alloc(5_000, 0x7a);

class Actor implements StreamHandler {
  stream: Stream | undefined;
  readonly #random: Random;
  readonly #stalls: boolean;
  #over = false;
  /** What the contract of StreamHandler forbids and was seen nevertheless. */
  readonly #broken: string[];

  constructor(random: Random, broken: string[]) {
    this.#random = random;
    this.#stalls = random.once(8);
    this.#broken = broken;
  }

  onHead(): void {
    this.#told("head");
    this.act();
  }

  onData(chunk: Uint8Array): void {
    this.#told("data");
    if (!this.#stalls) this.stream?.consume(chunk.length);
    this.act();
  }

  onEnd(): void {
    this.#told("end");
    this.act();
  }

  onReset(): void {
    this.#told("reset");
    this.#over = true;
  }

  onDrain(): void {
    this.#told("drain");
    this.act();
  }

  /** The owner of a stream that ended with bytes not handed on lets go of them by reset. */
  letGo(): void {
    this.stream?.reset(ResetCode.CANCEL);
  }

  #told(what: string): void {
    if (this.#over) this.#broken.push(`${what} after a reset`);
  }

  /** Does something a proxy might do now. */
  act(): void {
    const { stream } = this;
    if (stream === undefined) return;
    const choice = this.#random.below(40);
    if (choice < 6) stream.write(BLOCK);
    else if (choice === 6) stream.end();
    else if (choice === 7) stream.end(["Grpc-Status", "0"]);
    else if (choice === 8) {
      stream.reset(ResetCode.CANCEL);
      this.#over = true;
    }
  }
}

export class Target {
  readonly clock = new ManualClock();
  readonly transport = new SinkTransport();
  readonly mux: MuxConnection;
  readonly causes: CloseCause[] = [];
  readonly faults: unknown[] = [];
  readonly broken: string[] = [];
  readonly #actors: Actor[] = [];
  #task: (() => void) | undefined;

  constructor(role: "relay" | "connector", session: Pick<Session, "opens">, budget: BufferBudget, random: Random) {
    this.mux = new MuxConnection({
      role,
      transport: this.transport,
      budget,
      clock: this.clock,
      schedule: (task) => (this.#task = task),
      handler: {
        acceptStream: (stream) => {
          const actor = this.#actor(random);
          actor.stream = stream;
          if (random.once(20)) stream.reset(ResetCode.SERVICE_UNKNOWN);
          else stream.sendHead({ status: 200, fields: ["Content-Type", "text/plain"] }, random.once(10));
          return actor;
        },
        onFault: (error) => this.faults.push(error),
        onClosed: (cause) => this.causes.push(cause),
      },
    });
    if (role === "connector") return;
    for (const { end } of session.opens) {
      const actor = this.#actor(random);
      actor.stream = this.mux.openStream(GET, end, actor);
      if (!end) actor.act();
    }
    if (random.once(15)) this.mux.goaway(GoawayReason.SHUTDOWN, 0, "restart");
  }

  get closed(): boolean {
    return this.causes.length > 0;
  }

  /** One message, and then the end of that turn of the event loop. */
  give(message: Buffer): void {
    this.transport.receiver?.onMessage(message);
    this.#turn();
  }

  /** The network goes away, if the connection has not ended before. */
  finish(): CloseCause | undefined {
    this.#turn();
    this.transport.receiver?.onClose(1006, "");
    this.#turn();
    for (const actor of this.#actors) actor.letGo();
    return this.causes[0];
  }

  #actor(random: Random): Actor {
    const actor = new Actor(random, this.broken);
    this.#actors.push(actor);
    return actor;
  }

  #turn(): void {
    const task = this.#task;
    this.#task = undefined;
    task?.();
  }
}
