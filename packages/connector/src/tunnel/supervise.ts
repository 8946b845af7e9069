// The tunnel: several slots, each with its connection to the relay, and the connections that are leaving. Decides
// when everything stops: a refusal that no retry can cure, a drain, or a close. Must not know sockets or signals.

import type { Clock, Timer } from "@sallyport/shared/clock";
import type { SallyportError } from "@sallyport/shared/errors";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import { type Connect, type ServingConnection, Slot, type SlotObserver } from "./slot.ts";

/** Why the tunnel is over. */
export type TunnelEnd =
  /** drain() or close() was called and every connection is closed. `cut`: streams that did not finish in time. */
  | { readonly kind: "closed"; readonly cut: number }
  /** The relay (or our own credential) rules out every further attempt. */
  | { readonly kind: "refused"; readonly error: SallyportError };

export interface SupervisorOptions {
  /** Connections kept at the same time, 1 to 16. */
  readonly connections: number;
  readonly connect: Connect;
  readonly clock: Clock;
  /** Uniform in [0, 1); spreads the waits. */
  readonly random: () => number;
  readonly observer: SlotObserver;
}

/** What the tunnel is doing right now: the true state, for readiness, metrics and people. */
export interface TunnelStatus {
  readonly slots: readonly SlotStatus[];
  /** Connections that finish their streams and take no new ones. */
  readonly leaving: number;
  readonly openStreams: number;
}

export type SlotStatus =
  | { readonly state: "idle" | "connecting" | "stopped" }
  | { readonly state: "serving"; readonly connectionId: string; readonly sinceMs: number; readonly openStreams: number }
  | { readonly state: "waiting"; readonly waitMs: number; readonly code: string | undefined };

export class Supervisor {
  /** Settles once, when nothing of the tunnel is left. Never rejects. */
  readonly ended: Promise<TunnelEnd>;
  readonly #clock: Clock;
  readonly #slots: readonly Slot[];
  readonly #leaving = new Set<ServingConnection>();
  readonly #end: (end: TunnelEnd) => void;
  #stopping = false;
  /** Of connections that are gone. */
  readonly #past = { received: 0, sent: 0 };
  #grace: Timer | undefined;
  #cut = 0;

  constructor(options: SupervisorOptions) {
    const { promise, resolve } = Promise.withResolvers<TunnelEnd>();
    this.ended = promise;
    this.#end = resolve;
    this.#clock = options.clock;
    this.#slots = Array.from(
      { length: options.connections },
      (_, number) =>
        new Slot({
          number,
          connect: options.connect,
          clock: options.clock,
          random: options.random,
          observer: options.observer,
          onLeaving: (connection) => void this.#leaving.add(connection),
          onGone: (connection) => this.#gone(connection),
          onRefused: (error) => this.#refuse(error),
        }),
    );
  }

  start(): void {
    for (const slot of this.#slots) slot.start();
  }

  /**
   * The machine's addresses changed, or it woke up: waits end now, and a connection whose own address is gone is
   * replaced at once instead of being found dead by silence.
   * @param addresses the machine's addresses now.
   */
  networkChanged(addresses: ReadonlySet<string>): void {
    for (const slot of this.#slots) {
      slot.retryNow();
      if (slot.state.kind !== "serving") continue;
      const { connection } = slot.state;
      if (connection.localAddress !== undefined && !addresses.has(connection.localAddress)) slot.replace(connection);
    }
  }

  /** Tells the relay, on every connection, which services there are now; the tunnel and its streams stay. */
  announce(): void {
    for (const { state } of this.#slots) if (state.kind === "serving") state.connection.announce();
  }

  /** Takes no new streams, lets those in flight finish for at most `graceMs`, then closes. Ends early when idle. */
  drain(graceMs: number): void {
    if (this.#stopping) return;
    this.#stopSlots();
    for (const connection of this.#leaving) connection.leave(GoawayReason.SHUTDOWN, "the connector is stopping");
    this.#grace = this.#clock.after(graceMs, () => this.close());
    this.#settleWhenEmpty();
  }

  /** Ends everything now. Idempotent, and the way out of a drain. */
  close(): void {
    this.#stopSlots();
    this.#grace?.cancel();
    for (const connection of [...this.#leaving]) {
      this.#cut += connection.openStreams;
      connection.close();
      this.#leaving.delete(connection);
    }
    this.#settleWhenEmpty();
  }

  status(): TunnelStatus {
    const slots = this.#slots.map(slotStatus);
    let openStreams = 0;
    for (const slot of slots) if (slot.state === "serving") openStreams += slot.openStreams;
    for (const connection of this.#leaving) openStreams += connection.openStreams;
    return { slots, leaving: this.#leaving.size, openStreams };
  }

  /** Bytes over all connections since the start. */
  traffic(): { readonly received: number; readonly sent: number } {
    const total = { ...this.#past };
    const serving = this.#slots.flatMap(({ state }) => (state.kind === "serving" ? [state.connection] : []));
    for (const { bytesReceived, bytesSent } of [...serving, ...this.#leaving]) {
      total.received += bytesReceived;
      total.sent += bytesSent;
    }
    return total;
  }

  #stopSlots(): void {
    this.#stopping = true;
    for (const slot of this.#slots) {
      const connection = slot.stop();
      if (connection !== undefined) this.#leaving.add(connection);
    }
  }

  #gone(connection: ServingConnection): void {
    this.#leaving.delete(connection);
    this.#past.received += connection.bytesReceived;
    this.#past.sent += connection.bytesSent;
    if (this.#stopping) this.#settleWhenEmpty();
  }

  #refuse(error: SallyportError): void {
    this.#end({ kind: "refused", error });
    this.close();
  }

  #settleWhenEmpty(): void {
    if (this.#leaving.size > 0) return;
    this.#grace?.cancel();
    this.#end({ kind: "closed", cut: this.#cut });
  }
}

function slotStatus(slot: Slot): SlotStatus {
  const { state } = slot;
  switch (state.kind) {
    case "idle":
    case "connecting":
    case "stopped":
      return { state: state.kind };
    case "serving":
      return {
        state: "serving",
        connectionId: state.connection.connectionId,
        sinceMs: state.sinceMs,
        openStreams: state.connection.openStreams,
      };
    case "waiting":
      return { state: "waiting", waitMs: state.waitMs, code: state.error?.code };
  }
}
