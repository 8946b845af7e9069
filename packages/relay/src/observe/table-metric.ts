// Metrics whose values are read from plain numbers when somebody scrapes, instead of being pushed through prom-client on
// each request: an inc() with labels builds a key from them each time, an array element does not.

import type { Metric, Registry } from "prom-client";

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** For the series of a histogram: name with suffix. */
  readonly metricName?: string;
}

export type MetricKind = "counter" | "gauge" | "histogram";

/** Registers a metric that `read` computes at each scrape. */
export function registerTable(registry: Registry, type: MetricKind, name: string, help: string, read: () => Sample[]): void {
  const metric = {
    name,
    help,
    type,
    aggregator: "sum",
    get: () => Promise.resolve({ name, help, type, aggregator: "sum", values: read() }),
  };
  // The registry calls nothing of a metric but get(); its type asks for one of its own classes.
  registry.registerMetric(metric as unknown as Metric);
}

/** Buckets of request durations: 1 ms to 60 s. */
export const DURATION_BUCKETS_SECONDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Buckets of decisions: 5 us to 100 ms. */
export const DECISION_BUCKETS_SECONDS: readonly number[] = [
  0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1,
];

/** A histogram in a typed array: one comparison loop and two additions for each observation. */
export class PlainHistogram {
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(boundsSeconds: readonly number[]) {
    this.#bounds = Float64Array.from(boundsSeconds);
    this.#counts = new Float64Array(boundsSeconds.length + 1);
  }

  observeMs(durationMs: number): void {
    const seconds = durationMs / 1000;
    let i = 0;
    while (i < this.#bounds.length && seconds > (this.#bounds[i] as number)) i += 1;
    this.#counts[i] = (this.#counts[i] as number) + 1;
    this.#sum += seconds;
  }

  /** The series of the exposition format: cumulative buckets, sum, count. */
  samples(name: string, labels: Readonly<Record<string, string>>): Sample[] {
    const samples: Sample[] = [];
    let total = 0;
    for (let i = 0; i < this.#counts.length; i += 1) {
      total += this.#counts[i] as number;
      const le = i < this.#bounds.length ? String(this.#bounds[i]) : "+Inf";
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: total });
    }
    samples.push({ metricName: `${name}_sum`, labels, value: this.#sum }, { metricName: `${name}_count`, labels, value: total });
    return samples;
  }
}
