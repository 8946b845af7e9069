// A TCP forwarder that misbehaves on request: delays, narrows, stalls, cuts. Stands between any two programs of a
// test; must not know what flows through it.

import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

export interface Faults {
  /** Held back this long in each direction, milliseconds; order is kept. */
  readonly delayMs?: number;
  /** Bytes per second in each direction, per connection. */
  readonly bytesPerSecond?: number;
}

/** Of a narrow line: a chunk of a socket would else arrive in one piece, after seconds of silence. */
const PIECES_PER_SECOND = 10;

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

export class FaultForwarder implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #target: { readonly host: string; readonly port: number };
  #faults: Faults;
  #stalled = false;
  #refusing = false;
  /** Bytes forwarded towards the target and back. */
  forwarded: { up: number; down: number } = { up: 0, down: 0 };
  accepted = 0;

  private constructor(target: { readonly host: string; readonly port: number }, faults: Faults) {
    this.#target = target;
    this.#faults = faults;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  static async listen(target: { readonly host?: string; readonly port: number }, faults: Faults = {}): Promise<FaultForwarder> {
    const forwarder = new FaultForwarder({ host: target.host ?? "127.0.0.1", port: target.port }, faults);
    await new Promise<void>((resolve) => forwarder.#server.listen(0, "127.0.0.1", resolve));
    return forwarder;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Holds for chunks that arrive from now on. */
  set faults(faults: Faults) {
    this.#faults = faults;
  }

  /** Everything stops to flow, nothing is closed: a peer that has silently gone. */
  stall(): void {
    this.#stalled = true;
    for (const pair of this.#pairs) for (const socket of [pair.near, pair.far]) socket.pause();
  }

  unstall(): void {
    this.#stalled = false;
    for (const pair of this.#pairs) for (const socket of [pair.near, pair.far]) socket.resume();
  }

  /** Resets every connection at once (RST, not FIN). */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of [pair.near, pair.far]) socket.resetAndDestroy();
  }

  /** From now on new connections are reset at once; those there are stay. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  #accept(near: Socket): void {
    this.accepted += 1;
    near.on("error", () => {});
    if (this.#refusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ ...this.#target, allowHalfOpen: true });
    const pair: Pair = { near, far };
    this.#pairs.add(pair);
    far.on("error", () => near.resetAndDestroy());
    near.on("error", () => far.resetAndDestroy());
    near.on("close", () => this.#pairs.delete(pair));
    this.#pump(near, far, (count) => (this.forwarded.up += count));
    this.#pump(far, near, (count) => (this.forwarded.down += count));
    if (this.#stalled) for (const socket of [near, far]) socket.pause();
  }

  /** One direction. Each chunk leaves at its own time, never before the one in front of it. */
  #pump(from: Socket, to: Socket, count: (bytes: number) => void): void {
    let freeAtMs = 0;
    const waiting: (() => void)[] = [];
    const leave = (bytes: number, task: () => void): void => {
      const { delayMs = 0, bytesPerSecond } = this.#faults;
      const nowMs = performance.now();
      freeAtMs = Math.max(freeAtMs, nowMs) + (bytesPerSecond === undefined ? 0 : (bytes / bytesPerSecond) * 1000);
      const waitMs = freeAtMs - nowMs + delayMs;
      if (waitMs <= 0 && waiting.length === 0) {
        task();
        return;
      }
      // Each timer lets the oldest go, whoever's timer it is: order holds even when the faults change meanwhile.
      waiting.push(task);
      setTimeout(() => waiting.shift()?.(), waitMs);
    };
    const forward = (piece: Buffer, last: boolean): void =>
      leave(piece.length, () => {
        count(piece.length);
        if (to.destroyed) return;
        const room = to.write(piece);
        if (!last) return;
        if (!room) {
          from.pause();
          to.once("drain", () => this.#go(from));
        } else this.#go(from);
      });
    from.on("data", (chunk: Buffer) => {
      const { bytesPerSecond } = this.#faults;
      if (bytesPerSecond === undefined) return forward(chunk, true);
      // A narrow line holds its sender back instead of storing what it sends, and what it takes trickles through.
      from.pause();
      const size = Math.max(1, Math.floor(bytesPerSecond / PIECES_PER_SECOND));
      for (let at = 0; at < chunk.length; at += size) forward(chunk.subarray(at, at + size), at + size >= chunk.length);
    });
    from.on("end", () => leave(0, () => to.end()));
    from.on("close", (hadError) => {
      if (hadError) to.resetAndDestroy();
    });
  }

  #go(socket: Socket): void {
    if (!this.#stalled) socket.resume();
  }
}
