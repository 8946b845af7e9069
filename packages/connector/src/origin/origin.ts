// One origin of a service: its engine, its share of connections, and what is known about its health.
// Must not know streams of the tunnel, nor the other origins.

import type { Clock, Timer } from "@sallyport/shared/clock";

import { createBuiltinEngine } from "./builtin.ts";
import type { NetworkAddress } from "./dial.ts";
import type { OriginEngine, OriginFailure } from "./exchange.ts";
import { createHttp1Engine } from "./http1-engine.ts";
import { Http2Engine } from "./http2-engine.ts";
import { formatOrigin } from "./options.ts";
import type { OriginAddress, OriginOptions } from "./options.ts";

/** What is known about an origin without asking it. */
export interface OriginHealth {
  /** The form {@link formatOrigin} writes. */
  readonly origin: string;
  /**
   * - `up`: health checks pass, or nothing speaks against it.
   * - `down`: the last connection was refused, or health checks fail.
   */
  readonly state: "up" | "down";
  /** Why it is down, for example ECONNREFUSED or "health check: status 500"; undefined when up. */
  readonly reason: string | undefined;
  /** Exchanges under way. */
  readonly outstanding: number;
}

/** After a failed connection an origin is left alone this long while others can answer. */
const RETRY_AFTER_MS = 2_000;

interface Waiter {
  readonly granted: () => void;
  readonly timer: Timer;
}

export class Origin {
  readonly address: OriginAddress;
  readonly name: string;
  /** Undefined for tcp, which has no exchanges. */
  readonly engine: OriginEngine | undefined;
  /** For a WebSocket: HTTP/1.1 also where requests go over HTTP/2. */
  readonly upgradeEngine: OriginEngine | undefined;
  readonly #options: OriginOptions;
  readonly #clock: Clock;
  #outstanding = 0;
  readonly #waiting: Waiter[] = [];
  #refused: { readonly atMs: number; readonly reason: string } | undefined;
  #unhealthy: string | undefined;

  constructor(address: OriginAddress, options: OriginOptions, clock: Clock) {
    this.address = address;
    this.name = formatOrigin(address);
    this.#options = options;
    this.#clock = clock;
    if (address.kind === "status" || address.kind === "hello") {
      this.engine = createBuiltinEngine(address, clock);
      this.upgradeEngine = this.engine;
    } else if (address.kind !== "tcp") {
      const http1 = createHttp1Engine(this.dialOptions(address), options.poolIdleMs);
      this.engine = address.http2 ? new Http2Engine(this.dialOptions(address), options.poolIdleMs) : http1;
      this.upgradeEngine = http1;
    }
  }

  dialOptions<Address extends NetworkAddress>(
    address: Address,
  ): { readonly address: Address; readonly options: OriginOptions; readonly clock: Clock } {
    return { address, options: this.#options, clock: this.#clock };
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  /**
   * Asks for one of the origin's connections. Exactly one of the callbacks runs, `granted` at once when there is
   * one free; {@link release} follows a grant.
   * @returns gives up waiting; of no effect after the grant
   */
  acquire(granted: () => void, refused: () => void): () => void {
    if (this.#outstanding < this.#options.maxConnections) {
      this.#outstanding++;
      granted();
      return ignore;
    }
    if (this.#waiting.length >= this.#options.maxQueuedRequests) {
      refused();
      return ignore;
    }
    const leave = (): void => {
      waiter.timer.cancel();
      const at = this.#waiting.indexOf(waiter);
      if (at !== -1) this.#waiting.splice(at, 1);
    };
    const timer = this.#clock.after(this.#options.connectTimeoutMs, () => {
      leave();
      refused();
    });
    const waiter: Waiter = { granted, timer };
    this.#waiting.push(waiter);
    return leave;
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#outstanding--;
      return;
    }
    next.timer.cancel();
    next.granted();
  }

  /** A connection did not come about. */
  connectFailed(failure: OriginFailure): void {
    this.#refused = { atMs: this.#clock.monotonic(), reason: failure.text };
  }

  connectSucceeded(): void {
    this.#refused = undefined;
  }

  /** @param reason why it is unhealthy; undefined when checks pass */
  setHealth(reason: string | undefined): void {
    this.#unhealthy = reason;
    if (reason === undefined) this.#refused = undefined;
  }

  /** Whether to prefer it over others. A refused one becomes available again by time alone, since only trying tells. */
  get available(): boolean {
    if (this.#unhealthy !== undefined) return false;
    return this.#refused === undefined || this.#clock.monotonic() - this.#refused.atMs >= RETRY_AFTER_MS;
  }

  get health(): OriginHealth {
    const reason = this.#unhealthy ?? this.#refused?.reason;
    return { origin: this.name, state: reason === undefined ? "up" : "down", reason, outstanding: this.#outstanding };
  }

  close(): void {
    this.engine?.close();
    if (this.upgradeEngine !== this.engine) this.upgradeEngine?.close();
  }
}

function ignore(): void {}
