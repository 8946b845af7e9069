// Connections to one origin over HTTP/1.1, each an undici Client on a socket that dial() opened. Own pool instead
// of undici's, because R-D4 needs to know whether a request went over a reused connection, and whether a byte of
// the response had come; and because connecting is then one piece of code for every engine.
// Must not know requests, services or streams.

import type { Socket } from "node:net";

import { Client } from "undici";

import { dial } from "./dial.ts";
import type { DialOptions } from "./dial.ts";
import type { OriginFailure } from "./exchange.ts";

/** Response heads (and trailers) beyond this are refused (I10). */
export const MAX_RESPONSE_HEAD_BYTES = 65_536;

/** One connection; lent to one exchange at a time. */
export interface PooledConnection {
  readonly client: Client;
  readonly socket: Socket;
  /** It carried an exchange before this one. */
  readonly reused: boolean;
}

interface Lease extends PooledConnection {
  reused: boolean;
}

export class Http1Pool {
  readonly #dialOptions: DialOptions;
  readonly #idleMs: number;
  /** The last used is taken first: the others may time out. */
  readonly #idle: Lease[] = [];
  #closed = false;

  constructor(dialOptions: DialOptions, idleMs: number) {
    this.#dialOptions = dialOptions;
    this.#idleMs = idleMs;
  }

  /** A kept connection, or undefined. */
  takeIdle(): PooledConnection | undefined {
    for (;;) {
      const lease = this.#idle.pop();
      if (lease === undefined || isUsable(lease)) return lease;
    }
  }

  /** Opens a connection. The callbacks are called later. @returns gives up. */
  connect(connected: (connection: PooledConnection) => void, failed: (failure: OriginFailure) => void): () => void {
    return dial(this.#dialOptions, { connected: (socket) => connected(this.#adopt(socket)), failed });
  }

  /**
   * Takes a connection back after a complete exchange. undici destroys the socket when the request was not sent
   * wholly or the connection must close; such a one is dropped.
   */
  release(connection: PooledConnection): void {
    const lease = connection as Lease;
    lease.reused = true;
    // undici decides about the socket after it has told that the response is complete: look when it has.
    process.nextTick(() => {
      if (this.#closed || this.#idleMs === 0 || !isUsable(lease)) return discard(lease);
      this.#idle.push(lease);
    });
  }

  discard(connection: PooledConnection): void {
    discard(connection);
  }

  /** Closes the idle ones; those that are lent close on release. */
  close(): void {
    this.#closed = true;
    for (const lease of this.#idle.splice(0)) discard(lease);
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  #adopt(socket: Socket): Lease {
    let taken = false;
    // The URL is never dialled or sent: the socket is there, and each request brings its Host. Plain http also
    // keeps undici from comparing the Host with the TLS name and reconnecting where they differ.
    const client = new Client("http://origin.invalid", {
      connect: (_options, callback) => {
        // A second call means that the socket died between two exchanges; the owner opens the next connection itself.
        if (taken) return callback(new ConnectionGone(), null);
        taken = true;
        // undici does not go on when it is called back at once; a microtask is before anything can happen to the socket.
        queueMicrotask(() => callback(null, socket));
      },
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_RESPONSE_HEAD_BYTES,
      keepAliveTimeout: Math.max(1, this.#idleMs),
      keepAliveMaxTimeout: Math.max(1, this.#idleMs),
      allowH2: false,
    });
    const lease: Lease = { client, socket, reused: false };
    client.on("disconnect", () => this.#forget(lease));
    return lease;
  }

  #forget(lease: Lease): void {
    const at = this.#idle.indexOf(lease);
    if (at !== -1) this.#idle.splice(at, 1);
    discard(lease);
  }
}

/** The kept connection had closed before the next request was written to it. */
export class ConnectionGone extends Error {
  readonly code = "ORIGIN_CONNECTION_GONE";
}

function isUsable({ socket }: PooledConnection): boolean {
  return !socket.destroyed && socket.readable && socket.writable;
}

function discard({ client, socket }: PooledConnection): void {
  socket.destroy();
  // Fails what is queued on it; the promise only tells when the socket is closed.
  client.destroy().catch(ignore);
}

function ignore(): void {}
