// Metrics whose values are read from plain numbers when somebody scrapes, instead of being pushed through prom-client on
// each request: an inc() with labels builds a key from them each time, an array element does not.

import type { Sample } from "@sallyport/shared/plain-histogram";
import type { Metric, Registry } from "prom-client";

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
