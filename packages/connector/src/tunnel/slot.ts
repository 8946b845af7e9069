// One slot of the tunnel: keeps one connection to the relay alive by "connect, serve until it ends, wait, again".
// One state union, one place that changes it. Must not know sockets, frames, signals or logs.

import type { Clock, Timer } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import { type GoawayReason, PERMANENT_GOAWAY_REASONS } from "@sallyport/shared/protocol/codes";
import { Backoff } from "./backoff.ts";

/** What the relay said when it asked us to leave. */
export interface Goaway {
  readonly reason: GoawayReason;
  /** Earliest time for a new connection, from now; 0: at once. */
  readonly delayMs: number;
  readonly text: string;
}

/** One authenticated connection, as the supervisor sees it. */
export interface ServingConnection {
  /** The relay's name for it, in both logs. */
  readonly connectionId: string;
  /** The local address of its socket; undefined when it is not known. */
  readonly localAddress: string | undefined;
  readonly openStreams: number;
  /** Of the WebSocket, over its life. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Tells the relay which services there are now. */
  announce(): void;
  /** Takes no more streams; closes by itself when the last one ends. */
  leave(reason: GoawayReason, text: string): void;
  /** Ends it now, with every stream on it. */
  close(): void;
}

export interface ConnectionEvents {
  /** The relay opens no more streams here; those in flight go on. */
  onGoaway(goaway: Goaway): void;
  /** The last event. `error` is undefined after an orderly close. */
  onClosed(error: SallyportError | undefined): void;
}

/** Dials, authenticates and starts serving. Rejects with a SallyportError; `retryAfterMs` on it is the relay's wish. */
export type Connect = (events: ConnectionEvents, signal: AbortSignal) => Promise<ServingConnection>;

/** Told of each change, in order; the logger and the metrics listen. */
export interface SlotObserver {
  onAttempt(slot: number, attempt: number): void;
  onConnected(slot: number, connection: ServingConnection): void;
  /** `waitMs` is the real wait before the next attempt. */
  onWaiting(slot: number, waitMs: number, error: SallyportError | undefined): void;
  /** A connection the relay asked to leave; `connection` finishes its streams. */
  onGoaway(slot: number, connection: ServingConnection, goaway: Goaway): void;
}

export interface SlotOptions {
  readonly number: number;
  readonly connect: Connect;
  readonly clock: Clock;
  readonly random: () => number;
  readonly observer: SlotObserver;
  /** A connection that serves no new streams is handed over here; it still has streams to finish. */
  readonly onLeaving: (connection: ServingConnection) => void;
  readonly onGone: (connection: ServingConnection) => void;
  /** Trying again is pointless: the whole tunnel stops. */
  readonly onRefused: (error: SallyportError) => void;
}

export type SlotState =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting"; readonly abort: AbortController }
  | { readonly kind: "serving"; readonly connection: ServingConnection; readonly sinceMs: number }
  | { readonly kind: "waiting"; readonly timer: Timer; readonly waitMs: number; readonly error: SallyportError | undefined }
  | { readonly kind: "stopped" };

export class Slot {
  readonly #options: SlotOptions;
  readonly #backoff: Backoff;
  #state: SlotState = { kind: "idle" };

  constructor(options: SlotOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  get state(): SlotState {
    return this.#state;
  }

  start(): void {
    if (this.#state.kind === "idle") void this.#attempt();
  }

  /** Ends a wait early; nothing in any other state. */
  retryNow(): void {
    if (this.#state.kind !== "waiting") return;
    this.#state.timer.cancel();
    void this.#attempt();
  }

  /** Gives up a connection that cannot work any more and replaces it at once. */
  replace(connection: ServingConnection): void {
    if (this.#state.kind !== "serving" || this.#state.connection !== connection) return;
    this.#leaveServing(this.#state);
    // First the new state, so that the end of the old connection is no longer this slot's business.
    void this.#attempt();
    connection.close();
  }

  /** No more attempts. Returns the connection that is still up, for the caller to drain or close. */
  stop(): ServingConnection | undefined {
    const state = this.#state;
    this.#state = { kind: "stopped" };
    if (state.kind === "connecting") state.abort.abort();
    if (state.kind === "waiting") state.timer.cancel();
    return state.kind === "serving" ? state.connection : undefined;
  }

  async #attempt(): Promise<void> {
    const abort = new AbortController();
    const connecting: SlotState = { kind: "connecting", abort };
    this.#state = connecting;
    this.#options.observer.onAttempt(this.#options.number, this.#backoff.failures + 1);
    const life = new Life(this.#options.onGone);
    try {
      const connection = await this.#options.connect(life, abort.signal);
      if (this.#state === connecting) this.#serve(connection, life);
      else connection.close(); // stopped while connecting
    } catch (cause) {
      if (this.#state === connecting) this.#failed(asError(cause));
    }
  }

  #serve(connection: ServingConnection, life: Life): void {
    this.#state = { kind: "serving", connection, sinceMs: this.#options.clock.monotonic() };
    this.#options.observer.onConnected(this.#options.number, connection);
    life.attach({ connection, asked: (goaway) => this.#asked(connection, goaway), lost: (error) => this.#lost(connection, error) });
  }

  #asked(connection: ServingConnection, goaway: Goaway): void {
    if (PERMANENT_GOAWAY_REASONS.has(goaway.reason)) {
      if (this.#state.kind !== "stopped") this.#options.onRefused(refusalError(goaway));
      return;
    }
    if (this.#state.kind !== "serving" || this.#state.connection !== connection) return;
    this.#leaveServing(this.#state);
    this.#options.onLeaving(connection);
    this.#options.observer.onGoaway(this.#options.number, connection, goaway);
    // Make before break: the old connection finishes its streams while the new one comes up.
    if (goaway.delayMs === 0 && this.#backoff.failures === 0) {
      this.#backoff.afterFailure();
      void this.#attempt();
    } else {
      this.#wait(this.#backoff.afterFailure(goaway.delayMs), undefined);
    }
  }

  #lost(connection: ServingConnection, error: SallyportError | undefined): void {
    if (this.#state.kind !== "serving" || this.#state.connection !== connection) return;
    this.#leaveServing(this.#state);
    this.#failed(error);
  }

  #failed(error: SallyportError | undefined): void {
    if (error !== undefined && !error.retryable) {
      this.#state = { kind: "idle" };
      this.#options.onRefused(error);
      return;
    }
    this.#wait(this.#backoff.afterFailure(retryAfterMs(error)), error);
  }

  #wait(waitMs: number, error: SallyportError | undefined): void {
    const timer = this.#options.clock.after(waitMs, () => void this.#attempt());
    this.#state = { kind: "waiting", timer, waitMs, error };
    this.#options.observer.onWaiting(this.#options.number, waitMs, error);
  }

  #leaveServing(state: Extract<SlotState, { kind: "serving" }>): void {
    this.#backoff.afterConnection(this.#options.clock.monotonic() - state.sinceMs);
  }
}

// The events of one connection. They may come before connect() has resolved; then they wait here. A connection
// has at most one GOAWAY worth acting on and one end, so there is nothing to bound.
class Life implements ConnectionEvents {
  readonly #onGone: (connection: ServingConnection) => void;
  #attached: Attached | undefined;
  #earlyGoaway: Goaway | undefined;
  #earlyEnd: { readonly error: SallyportError | undefined } | undefined;

  constructor(onGone: (connection: ServingConnection) => void) {
    this.#onGone = onGone;
  }

  attach(attached: Attached): void {
    this.#attached = attached;
    if (this.#earlyGoaway !== undefined) this.onGoaway(this.#earlyGoaway);
    if (this.#earlyEnd !== undefined) this.onClosed(this.#earlyEnd.error);
  }

  onGoaway(goaway: Goaway): void {
    if (this.#attached === undefined) this.#earlyGoaway = goaway;
    else this.#attached.asked(goaway);
  }

  onClosed(error: SallyportError | undefined): void {
    if (this.#attached === undefined) {
      this.#earlyEnd = { error };
      return;
    }
    this.#attached.lost(error);
    this.#onGone(this.#attached.connection);
  }
}

interface Attached {
  readonly connection: ServingConnection;
  readonly asked: (goaway: Goaway) => void;
  readonly lost: (error: SallyportError | undefined) => void;
}

function refusalError(goaway: Goaway): SallyportError {
  return new SallyportError(
    "ERR_TUNNEL_REFUSED",
    goaway.text === "" ? "the relay refused this connector" : `the relay refused this connector: ${goaway.text}`,
  );
}

function retryAfterMs(error: SallyportError | undefined): number | undefined {
  const asked = error === undefined ? undefined : (error as { readonly retryAfterMs?: unknown }).retryAfterMs;
  return typeof asked === "number" ? asked : undefined;
}

function asError(cause: unknown): SallyportError {
  if (cause instanceof SallyportError) return cause;
  // A fault of ours must not end the tunnel for good: say so and try again.
  return new SallyportError("ERR_TUNNEL_UNEXPECTED", "connecting failed for an unexpected reason", { cause, retryable: true });
}
