// The kept connections to one origin (R-D4): last used, first lent; unused for poolIdle or the origin's own hint, closed.
// Must not know requests, exchanges or how a connection is opened.

import type { Clock, Timer } from "@sallyport/shared/clock";

import type { ConnectionOwner, Http1Connection } from "./http1-connection.ts";

/** The origin counts from another moment than we do, and its FIN takes a while: its hint is used up so much earlier. */
const HINT_MARGIN_MS = 1_000;

export class Http1Pool implements ConnectionOwner {
  readonly #idleMs: number;
  readonly #clock: Clock;
  /** In the order of their return. Bounded by the connections cap of the origin. */
  readonly #idle: Http1Connection[] = [];
  /** One for all of them, while there are any. */
  #sweep: Timer | undefined;
  #closed = false;

  /** @param idleMs how long an unused connection is kept; 0 keeps none */
  constructor(idleMs: number, clock: Clock) {
    this.#idleMs = idleMs;
    this.#clock = clock;
  }

  /** No connection will be kept. */
  get keepsNone(): boolean {
    return this.#closed || this.#idleMs === 0;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  /** A kept connection, or undefined. */
  take(): Http1Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return undefined;
      if (connection.idleUntilMs > this.#clock.monotonic() && connection.usable) return connection;
      connection.destroy();
    }
  }

  free(connection: Http1Connection, keepAliveTimeoutS: number | undefined): void {
    const hintMs = keepAliveTimeoutS === undefined ? Infinity : keepAliveTimeoutS * 1_000 - HINT_MARGIN_MS;
    const idleMs = Math.min(this.#idleMs, hintMs);
    if (this.#closed || idleMs <= 0) return connection.destroy();
    connection.idleUntilMs = this.#clock.monotonic() + idleMs;
    this.#idle.push(connection);
    this.#sweep ??= this.#clock.after(idleMs, this.#onSweep);
  }

  gone(connection: Http1Connection): void {
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  /** Closes the idle ones; those that are lent close on return. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#sweep?.cancel();
    this.#sweep = undefined;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  readonly #onSweep = (): void => {
    const nowMs = this.#clock.monotonic();
    let nextMs = Infinity;
    for (const connection of this.#idle.splice(0)) {
      if (connection.idleUntilMs <= nowMs) connection.destroy();
      else {
        this.#idle.push(connection);
        nextMs = Math.min(nextMs, connection.idleUntilMs);
      }
    }
    this.#sweep = nextMs === Infinity ? undefined : this.#clock.after(nextMs - nowMs, this.#onSweep);
  };
}
