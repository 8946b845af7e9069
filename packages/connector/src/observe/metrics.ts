// What the connector counts, in Prometheus' words (O4). Labels are few and bounded: service names come from the local
// configuration, never from the relay.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, type Metric, Registry } from "prom-client";
import type { OriginHealth } from "../origin/origin.ts";
import type { Durations } from "../origin/service.ts";
import type { TunnelStatus } from "../tunnel/supervise.ts";

const NANOSECONDS = 1e9;

/** Read at the moment of a scrape: true values instead of copies that must be kept up to date. */
export interface MetricSources {
  readonly tunnel: () => TunnelStatus;
  readonly health: () => ReadonlyMap<string, readonly OriginHealth[]>;
  readonly durations: () => ReadonlyMap<string, Durations>;
  readonly bufferedBytes: () => number;
  /** Over all connections, those that ended included. */
  readonly bytes: () => { readonly received: number; readonly sent: number };
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #streams: Counter<"service" | "outcome">;
  readonly #attempts: Counter;
  readonly #lost: Counter<"code">;
  readonly #reloads: Counter<"outcome">;
  readonly #delay: ReturnType<typeof monitorEventLoopDelay> = monitorEventLoopDelay({ resolution: 20 });

  constructor(sources: MetricSources, version: string) {
    const registers = [this.#registry];
    const define = { registers };
    this.#streams = new Counter({
      name: "sallyport_connector_streams_total",
      help: "Streams the relay opened, by service and outcome.",
      labelNames: ["service", "outcome"],
      ...define,
    });
    this.#attempts = new Counter({
      name: "sallyport_connector_connect_attempts_total",
      help: "Attempts to connect to the relay.",
      ...define,
    });
    this.#lost = new Counter({
      name: "sallyport_connector_connect_failures_total",
      help: "Failed attempts and lost connections, by code.",
      labelNames: ["code"],
      ...define,
    });
    this.#reloads = new Counter({
      name: "sallyport_connector_reloads_total",
      help: "Reloads of the configuration, by outcome.",
      labelNames: ["outcome"],
      ...define,
    });
    new Gauge({ name: "sallyport_connector_info", help: "Version of this connector.", labelNames: ["version"], ...define }).set(
      { version },
      1,
    );
    this.#gauges(sources, registers);
    this.#traffic(sources, registers);
    this.#durations(sources);
    this.#delay.enable();
  }

  streamOpened(service: string, outcome: "accepted" | "refused"): void {
    this.#streams.inc({ service, outcome });
  }

  attempted(): void {
    this.#attempts.inc();
  }

  failed(code: string): void {
    this.#lost.inc({ code });
  }

  reloaded(outcome: "applied" | "refused"): void {
    this.#reloads.inc({ outcome });
  }

  /** The exposition text and its content type. */
  async render(): Promise<{ readonly contentType: string; readonly body: string }> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  close(): void {
    this.#delay.disable();
  }

  #gauges({ tunnel, health, bufferedBytes }: MetricSources, registers: Registry[]): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    gauge("sallyport_connector_streams_open", "Streams open now.", () => tunnel().openStreams);
    gauge("sallyport_connector_buffered_bytes", "Bytes received and not yet handed on.", bufferedBytes);
    gauge("sallyport_connector_event_loop_lag_seconds", "99th percentile since the last scrape.", () => this.#eventLoopLag());
    new Gauge({
      name: "sallyport_connector_connections",
      help: "Connections to the relay, by state.",
      labelNames: ["state"],
      registers,
      collect() {
        this.reset();
        for (const state of ["serving", "connecting", "waiting"] as const)
          this.set({ state }, tunnel().slots.filter((slot) => slot.state === state).length);
        this.set({ state: "leaving" }, tunnel().leaving);
      },
    });
    new Gauge({
      name: "sallyport_connector_origin_up",
      help: "1 when nothing speaks against the origin, 0 when it is down.",
      labelNames: ["service", "origin"],
      registers,
      collect() {
        this.reset();
        for (const [service, origins] of health()) {
          for (const { origin, state } of origins) this.set({ service, origin }, state === "up" ? 1 : 0);
        }
      },
    });
  }

  #traffic({ bytes }: MetricSources, registers: Registry[]): void {
    for (const direction of ["received", "sent"] as const) {
      new Counter({
        name: `sallyport_connector_tunnel_bytes_${direction}_total`,
        help: `Bytes ${direction} over connections to the relay, framing included.`,
        registers,
        collect() {
          this.reset();
          this.inc(bytes()[direction]);
        },
      });
    }
  }

  #durations({ durations }: MetricSources): void {
    const name = "sallyport_connector_request_duration_seconds";
    const help = "From the relay's OPEN to the origin's head (origin), and to the end of the exchange (total).";
    const read = (): unknown[] =>
      [...durations()].flatMap(([service, { head, total }]) => [
        ...head.samples(name, { service, hop: "origin" }),
        ...total.samples(name, { service, hop: "total" }),
      ]);
    const described = { name, help, type: "histogram", aggregator: "sum" };
    // The registry calls nothing of a metric but get(); its type asks for one of its own classes.
    this.#registry.registerMetric({ ...described, get: () => Promise.resolve({ ...described, values: read() }) } as unknown as Metric);
  }

  #eventLoopLag(): number {
    const lag = this.#delay.percentile(99) / NANOSECONDS;
    this.#delay.reset();
    return Number.isFinite(lag) ? lag : 0;
  }
}
