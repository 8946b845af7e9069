// The HTTP/1.1 side of one listener: our own strict engine on sockets that listener.ts hands in. It knows which
// connections are open, and how long each has been waiting for a head. Must not know routing, policy or tunnels.

import type { Socket } from "node:net";
import type { Timer } from "@sallyport/shared/clock";
import type { ConnectionInfo, EngineContext } from "../engine.ts";
import { Http1Connection } from "./connection.ts";

/** Waits are measured in sweeps: a limit is kept to an eighth of itself, at most a second. */
const SWEEPS_PER_LIMIT = 8;
const MAX_SWEEP_MS = 1_000;

export class Http1Engine {
  readonly #context: EngineContext;
  readonly #open = new Set<Http1Connection>();
  readonly #sweepMs: number;
  readonly #limits: { readonly headTicks: number; readonly idleTicks: number };
  readonly #currentTick = (): number => this.#tick;
  #tick = 0;
  #timer: Timer | undefined;

  constructor(context: EngineContext) {
    const { headerTimeoutMs, keepAliveTimeoutMs } = context.limits;
    this.#context = context;
    this.#sweepMs = Math.max(1, Math.min(MAX_SWEEP_MS, Math.ceil(Math.min(headerTimeoutMs, keepAliveTimeoutMs) / SWEEPS_PER_LIMIT)));
    this.#limits = {
      headTicks: Math.ceil(headerTimeoutMs / this.#sweepMs),
      idleTicks: Math.ceil(keepAliveTimeoutMs / this.#sweepMs),
    };
  }

  /** Takes over a connected socket (after TLS where there is TLS). */
  accept(socket: Socket, info: ConnectionInfo): void {
    const connection = new Http1Connection(info, this.#context, socket, this.#currentTick);
    this.#open.add(connection);
    socket.on("close", () => this.#closed(connection));
    this.#timer ??= this.#nextSweep();
  }

  /** Idle connections close now; the others with their current answer (the context says that the server stops). */
  drain(): void {
    for (const connection of this.#open) {
      if (connection.idle) connection.socket.destroy();
    }
  }

  #closed(connection: Http1Connection): void {
    this.#open.delete(connection);
    if (this.#open.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #nextSweep(): Timer {
    return this.#context.clock.after(this.#sweepMs, () => {
      this.#tick++;
      this.#timer = this.#nextSweep();
      for (const connection of this.#open) connection.sweep(this.#tick, this.#limits);
    });
  }
}
