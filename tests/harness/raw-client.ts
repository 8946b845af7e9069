// A visitor that sends exactly the bytes it is told to, and keeps exactly the bytes that come back: for input that
// no HTTP library would send.

import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { within } from "./scratch.ts";

export interface RawTarget {
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** TLS with this name and authority; plain TCP without. */
  readonly tls?: { readonly serverName: string; readonly ca: string; readonly alpn?: readonly string[] };
}

export class RawClient implements Disposable {
  readonly #socket: Socket;
  readonly closed: Promise<void>;
  #received: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    // A reset is an answer like any other here; what arrived before it is what counts.
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#wake();
        resolve();
      });
    });
  }

  static async connect(target: RawTarget): Promise<RawClient> {
    const address = { host: target.host ?? "127.0.0.1", port: target.port };
    const { tls } = target;
    const socket =
      tls === undefined
        ? connect(address)
        : connectTls({ ...address, servername: tls.serverName, ca: tls.ca, ALPNProtocols: [...(tls.alpn ?? ["http/1.1"])] });
    await new Promise<void>((resolve, reject) => {
      socket.once(tls === undefined ? "connect" : "secureConnect", () => resolve());
      socket.once("error", reject);
    });
    return new RawClient(socket);
  }

  /** Strings go out as latin1: one character, one byte. */
  send(bytes: string | Uint8Array): void {
    if (typeof bytes === "string") this.#socket.write(bytes, "latin1");
    else this.#socket.write(bytes);
  }

  /** Half-closes. */
  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** What has arrived so far, as latin1. */
  get received(): string {
    return this.#received.toString("latin1");
  }

  /** Waits until what arrived matches, or the other side closes, or time is up (an error). */
  async until(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    await within(timeoutMs, `an answer that matches ${pattern}`, this.#untilMatch(pattern));
    return this.received;
  }

  /** Everything up to the close by the other side. */
  async untilClosed(timeoutMs = 10_000): Promise<string> {
    await within(timeoutMs, "the other side to close", this.closed);
    return this.received;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #untilMatch(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.received)) {
      if (this.#socket.destroyed) throw new Error(`closed before anything matched ${pattern}: ${JSON.stringify(this.received)}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
