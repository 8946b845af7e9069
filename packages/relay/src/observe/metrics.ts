// What Prometheus reads (O4). Every label value comes from configuration or a fixed list, so that no visitor can add a
// series. The request path adds to plain numbers; the rest is computed at a scrape.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { DECISION_BUCKETS_SECONDS, DURATION_BUCKETS_SECONDS, PlainHistogram, type Sample } from "@sallyport/shared/plain-histogram";
import { Registry } from "prom-client";
import type { RecordedDecision, RequestRecord } from "./record-line.ts";
import type { RecorderCounts } from "./record.ts";
import { type MetricKind, registerTable } from "./table-metric.ts";

/** Label of requests that reached no application. */
export const NO_APPLICATION = "none";

const DECISIONS: readonly RecordedDecision[] = ["allow", "bypass", "deny", "login", "refused", "own"];
const DECISION_INDEX = new Map(DECISIONS.map((decision, index) => [decision, index]));
/** Status 0 (the visitor left) and 100 to 599, by hundreds. */
const CLASSES: readonly string[] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

export interface Metrics {
  /** Counts one request that is over: the same object that the recorder takes. */
  request(record: RequestRecord): void;
  /** Counts one evaluation of policies. */
  policyEvaluated(durationMs: number): void;
  /** Names of the configured applications: what the `application` label may say. Counts of removed ones end. */
  setApplications(names: readonly string[]): void;
  /** Registers a counter or gauge that is read at each scrape: open streams, connections, reconnects, origin health. */
  read(kind: Exclude<MetricKind, "histogram">, name: `sallyport_${string}`, help: string, read: () => number | readonly Sample[]): void;
  /** Shows the recorder's counts. */
  readRecorder(recorder: { counts(): RecorderCounts; readonly failing: boolean }): void;
  readonly contentType: string;
  /** The text that a scrape gets. */
  expose(): Promise<string>;
  /** Stops measuring the event loop. */
  close(): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const total = new PlainHistogram(DURATION_BUCKETS_SECONDS);
  const head = new PlainHistogram(DURATION_BUCKETS_SECONDS);
  const decision = new PlainHistogram(DECISION_BUCKETS_SECONDS);
  const policy = new PlainHistogram(DECISION_BUCKETS_SECONDS);
  let requests = new Map<string, Float64Array>([[NO_APPLICATION, newCounts()]]);
  const bytes = { in: 0, out: 0 };

  registerTable(
    registry,
    "counter",
    "sallyport_requests_total",
    "Requests that are over, by application, decision and class of status.",
    () => [...requests].flatMap(([application, counts]) => requestSamples(application, counts)),
  );
  registerTable(registry, "counter", "sallyport_body_bytes_total", "Bytes of bodies: in from visitors, out to visitors.", () => [
    { labels: { direction: "in" }, value: bytes.in },
    { labels: { direction: "out" }, value: bytes.out },
  ]);
  const durations = "sallyport_request_duration_seconds";
  registerTable(
    registry,
    "histogram",
    durations,
    "Whole exchange (total), up to the decision (decision), and from opening the stream to the origin's head (origin).",
    () => [
      ...total.samples(durations, { hop: "total" }),
      ...head.samples(durations, { hop: "origin" }),
      ...decision.samples(durations, { hop: "decision" }),
    ],
  );
  const evaluation = "sallyport_policy_evaluation_seconds";
  registerTable(registry, "histogram", evaluation, "Time to evaluate the policies of one request.", () => policy.samples(evaluation, {}));
  const stopProcess = registerProcess(registry);

  function read(kind: MetricKind, name: string, help: string, value: () => number | readonly Sample[]): void {
    registerTable(registry, kind, name, help, () => {
      const current = value();
      return typeof current === "number" ? [{ labels: {}, value: current }] : [...current];
    });
  }

  return {
    request(record) {
      const counts =
        (record.application === undefined ? undefined : requests.get(record.application)) ?? (requests.get(NO_APPLICATION) as Float64Array);
      const statusClass = record.status < 100 || record.status > 599 ? 0 : Math.floor(record.status / 100);
      const index = (DECISION_INDEX.get(record.decision) as number) * CLASSES.length + statusClass;
      counts[index] = (counts[index] as number) + 1;
      bytes.in += record.bytesIn;
      bytes.out += record.bytesOut;
      total.observeMs(record.durationMs);
      decision.observeMs(record.decisionMs);
      if (record.headMs !== undefined) head.observeMs(record.headMs);
    },
    policyEvaluated: (durationMs) => policy.observeMs(durationMs),
    setApplications(names) {
      requests = new Map([NO_APPLICATION, ...names].map((name) => [name, requests.get(name) ?? newCounts()]));
    },
    read,
    readRecorder(recorder) {
      read("counter", "sallyport_records_written_total", "Lines of the record that are in its files.", () => recorder.counts().written);
      read(
        "counter",
        "sallyport_records_dropped_total",
        "Lines of the record that were lost because the buffer was full.",
        () => recorder.counts().dropped,
      );
      read(
        "counter",
        "sallyport_records_coalesced_total",
        "Refusals that were counted instead of written.",
        () => recorder.counts().coalesced,
      );
      read("counter", "sallyport_record_write_errors_total", "Failed writes of the record.", () => recorder.counts().writeErrors);
      read("gauge", "sallyport_record_buffered_bytes", "Record lines that wait for the disk.", () => recorder.counts().bufferedBytes);
      read("gauge", "sallyport_record_failing", "1 while records are lost and protected applications are closed.", () =>
        Number(recorder.failing),
      );
    },
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    close: stopProcess,
  };
}

function newCounts(): Float64Array {
  return new Float64Array(DECISIONS.length * CLASSES.length);
}

function requestSamples(application: string, counts: Float64Array): Sample[] {
  const samples: Sample[] = [];
  for (let i = 0; i < counts.length; i += 1) {
    const value = counts[i] as number;
    const [decision, status] = [DECISIONS[Math.floor(i / CLASSES.length)], CLASSES[i % CLASSES.length]];
    if (value > 0 && decision !== undefined && status !== undefined) samples.push({ labels: { application, decision, status }, value });
  }
  return samples;
}

/** Memory, CPU and event loop of this process. */
function registerProcess(registry: Registry): () => void {
  const startedAt = Date.now() / 1000 - process.uptime();
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const one = (value: number): Sample[] => [{ labels: {}, value }];
  registerTable(registry, "gauge", "process_resident_memory_bytes", "Resident memory.", () => one(process.memoryUsage.rss()));
  registerTable(registry, "gauge", "process_start_time_seconds", "Start of the process, Unix time.", () => one(startedAt));
  registerTable(registry, "counter", "process_cpu_seconds_total", "CPU time, user and system.", () => {
    const { user, system } = process.cpuUsage();
    return one((user + system) / 1e6);
  });
  registerTable(registry, "gauge", "sallyport_event_loop_lag_seconds", "How late timers ran since the last scrape.", () => {
    // The histogram counts the whole interval between two of its own timers; what is above its resolution is lag.
    const lag = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - 0.02);
    const samples = [50, 99].map((p) => ({ labels: { quantile: String(p / 100) }, value: lag(delay.percentile(p)) }));
    samples.push({ labels: { quantile: "1" }, value: lag(delay.max) });
    delay.reset();
    return samples;
  });
  return () => void delay.disable();
}
