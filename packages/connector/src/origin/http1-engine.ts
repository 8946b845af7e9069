// HTTP/1.1 to one origin, on sockets that dial() opens: plain TCP, unix sockets and TLS alike, and servers within this
// process. The path of nearly all requests. Must not know streams of the tunnel or services.

import type { Duplex } from "node:stream";

import type { Clock } from "@sallyport/shared/clock";

import { dial } from "./dial.ts";
import type { DialOptions } from "./dial.ts";
import { isRepeatable } from "./exchange.ts";
import type { OpenOptions, OriginEngine, OriginExchange, OriginFailure, OriginHandler, OriginRequest } from "./exchange.ts";
import { Http1Connection } from "./http1-connection.ts";
import { Http1Exchange } from "./http1-exchange.ts";
import { Http1Pool } from "./http1-pool.ts";

export interface ConnectHandler {
  /** The socket is the receiver's; see {@link Http1Connection} for what it must be like. */
  connected(socket: Duplex): void;
  failed(failure: OriginFailure): void;
  /** What a socket of dial() has read, after `connected`; see {@link Http1Connection.read}. */
  read(bytes: Buffer): boolean;
}

/** Opens a connection; handlers are called later. @returns gives up. */
export type Connect = (handler: ConnectHandler) => () => void;

/** The engine of an origin that is dialled. */
export function createHttp1Engine(options: Omit<DialOptions, "protocol" | "halfOpen">, poolIdleMs: number): OriginEngine {
  // Half-open: after a switch the two halves end one by one, and before it the engine itself closes at the origin's end.
  const dialOptions: DialOptions = { ...options, protocol: "http/1.1", halfOpen: true };
  return new Http1Engine((handler) => dial(dialOptions, handler), poolIdleMs, options.clock);
}

export class Http1Engine implements OriginEngine {
  readonly #connect: Connect;
  readonly #pool: Http1Pool;

  /** @param poolIdleMs how long an unused connection is kept; 0 keeps none */
  constructor(connect: Connect, poolIdleMs: number, clock: Clock) {
    this.#connect = connect;
    this.#pool = new Http1Pool(poolIdleMs, clock);
  }

  open(request: OriginRequest, handler: OriginHandler, options?: OpenOptions): OriginExchange {
    const exchange = new Http1Exchange(request, handler);
    // A switch is for the life of the connection: nothing is won by a kept one, and it might be about to close.
    const kept = options?.fresh === true || request.upgrade ? undefined : this.#pool.take();
    if (kept === undefined) this.#startOnNew(exchange);
    // Later, as open() promises, and so that a body that came with the head leaves with it. What must not be sent twice
    // waits until the sockets were looked at: the origin may have closed this one a moment ago.
    else if (isRepeatable(request)) process.nextTick(startOn, exchange, kept);
    else setImmediate(startOn, exchange, kept);
    return exchange;
  }

  #startOnNew(exchange: Http1Exchange): void {
    let connection: Http1Connection | undefined;
    const giveUp = this.#connect({
      connected: (socket) => {
        connection = new Http1Connection(this.#pool, socket);
        exchange.start(connection, this.#pool.keepsNone);
      },
      failed: (reason) => exchange.failed(reason),
      read: (bytes) => connection === undefined || connection.read(bytes),
    });
    exchange.connecting(giveUp);
  }

  close(): void {
    this.#pool.close();
  }
}

function startOn(exchange: Http1Exchange, kept: Http1Connection): void {
  exchange.start(kept, false);
}
