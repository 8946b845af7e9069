import { afterEach, beforeEach, expect, test } from "vitest";
import { createHealth } from "./health.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import type { RequestRecord } from "./record-line.ts";

const REQUEST = {
  application: "grafana",
  decision: "allow",
  status: 200,
  bytesIn: 3,
  bytesOut: 5,
  durationMs: 30,
  decisionMs: 0.02,
  headMs: 20,
} as RequestRecord;

let metrics: Metrics;
beforeEach(() => void (metrics = createMetrics()));
afterEach(() => metrics.close());

/** The exposition as a map from series to value. */
async function scrape(): Promise<Map<string, number>> {
  const lines = (await metrics.expose()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

test("requests are counted by application, decision and class of status", async () => {
  metrics.setApplications(["grafana"]);
  metrics.request(REQUEST);
  metrics.request({ ...REQUEST, status: 204 });
  metrics.request({ ...REQUEST, decision: "deny", status: 403 });
  metrics.request({ ...REQUEST, status: 0 });
  const found = [...(await scrape())].filter(([series]) => series.startsWith("sallyport_requests_total"));
  expect(Object.fromEntries(found)).toEqual({
    'sallyport_requests_total{application="grafana",decision="allow",status="2xx"}': 2,
    'sallyport_requests_total{application="grafana",decision="deny",status="4xx"}': 1,
    'sallyport_requests_total{application="grafana",decision="allow",status="none"}': 1,
  });
});

test("an application that is not configured adds no series, and a reload keeps the counts of the others", async () => {
  metrics.setApplications(["grafana"]);
  metrics.request(REQUEST);
  for (let n = 0; n < 50; n += 1) metrics.request({ ...REQUEST, application: `made-up-${n}` });
  metrics.setApplications(["grafana", "wiki"]);
  const found = [...(await scrape())].filter(([series]) => series.startsWith("sallyport_requests_total"));
  expect(Object.fromEntries(found)).toEqual({
    'sallyport_requests_total{application="grafana",decision="allow",status="2xx"}': 1,
    'sallyport_requests_total{application="none",decision="allow",status="2xx"}': 50,
  });
});

test("durations are histograms for each hop, bytes are added up", async () => {
  metrics.request(REQUEST);
  metrics.request({ ...REQUEST, durationMs: 120_000, headMs: undefined });
  const series = await scrape();
  const of = (suffix: string) => series.get(`sallyport_request_duration_seconds_${suffix}`);
  expect(of('bucket{hop="total",le="0.025"}')).toBe(0);
  expect(of('bucket{hop="total",le="0.05"}')).toBe(1);
  expect(of('bucket{hop="total",le="60"}')).toBe(1);
  expect(of('bucket{hop="total",le="+Inf"}')).toBe(2);
  expect(of('count{hop="total"}')).toBe(2);
  expect(of('sum{hop="total"}')).toBeCloseTo(120.03);
  expect(of('count{hop="origin"}')).toBe(1);
  expect(of('bucket{hop="decision",le="0.00002"}')).toBeUndefined();
  expect(of('bucket{hop="decision",le="0.000025"}')).toBe(2);
  expect(series.get('sallyport_body_bytes_total{direction="in"}')).toBe(6);
  expect(series.get('sallyport_body_bytes_total{direction="out"}')).toBe(10);
});

test("what others register is read at each scrape", async () => {
  let streams = 1;
  metrics.read("gauge", "sallyport_streams_open", "Open streams.", () => streams);
  metrics.read("gauge", "sallyport_connections", "Connections.", () => [{ labels: { tunnel: "office" }, value: 2 }]);
  metrics.readRecorder({ failing: true, counts: () => ({ written: 7, dropped: 1, coalesced: 0, writeErrors: 0, bufferedBytes: 0 }) });
  expect((await scrape()).get("sallyport_streams_open")).toBe(1);
  streams = 9;
  const series = await scrape();
  expect(series.get("sallyport_streams_open")).toBe(9);
  expect(series.get('sallyport_connections{tunnel="office"}')).toBe(2);
  expect(series.get("sallyport_records_written_total")).toBe(7);
  expect(series.get("sallyport_record_failing")).toBe(1);
});

test("the event loop's lag shows a loop that was blocked", async () => {
  await new Promise((resolve) => setTimeout(resolve, 30));
  const end = performance.now() + 120;
  while (performance.now() < end);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect((await scrape()).get('sallyport_event_loop_lag_seconds{quantile="1"}')).toBeGreaterThan(0.05);
});

test("health names what is not well, and a stopping relay is not ready", () => {
  const health = createHealth();
  let ok = true;
  health.add("record", () => (ok ? { ok } : { ok, problem: "the disk is full" }));
  expect(health.report()).toEqual({ ready: true, problems: {} });
  ok = false;
  health.add("state", () => {
    throw new Error("secret path");
  });
  expect(health.report()).toEqual({ ready: false, problems: { record: "the disk is full", state: "could not be checked" } });
  ok = true;
  health.startDraining();
  expect(health.report().ready).toBe(false);
});
