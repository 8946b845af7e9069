// O4: what docs/metrics.md says is what both programs expose, name by name and label by label; durations are counted where
// they pass.

import { readFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { beforeAll, afterAll, expect, test } from "vitest";
import { createBed, type Bed } from "../harness/bed.ts";
import { startOrigin } from "../harness/origin.ts";
import { eventually } from "../harness/scratch.ts";
import { visit } from "../harness/visitor.ts";

const DOCUMENT = readFileSync(join(import.meta.dirname, "..", "..", "docs", "metrics.md"), "utf8");
const stack = new AsyncDisposableStack();
let bed: Bed;
beforeAll(async () => {
  const origin = await startOrigin(stack, (request, response) => {
    if (request.url === "/slow") setTimeout(() => response.end("ok"), 300);
    else response.end("ok");
  });
  bed = await createBed(stack, { services: { web: origin.url } });
  // A failed attempt and a reload, so that labelled counters have a series.
  bed.connector.program.kill("SIGHUP");
  for (const path of ["/", "/", "/slow"]) expect((await visit(bed.relay, "web", path)).status).toBe(200);
});
afterAll(() => stack.disposeAsync());

async function connectorMetrics(): Promise<string> {
  return await new Promise((resolve, reject) => {
    get(`http://127.0.0.1:${bed.connector.adminPort}/metrics`, { agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve(body));
    }).on("error", reject);
  });
}

/** Metric -> labels, as the document has them under a heading. */
function documented(heading: string): Map<string, string> {
  const section = DOCUMENT.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  const names = [...section.matchAll(/`((?:sallyport|process)_\w+)(?:\{([\w,]+)\})?`/g)];
  return new Map(names.map(([, name = "", labels = ""]) => [name, labels]));
}

/** The same of an exposition; `le` is a histogram's own. */
function exposed(text: string): Map<string, string> {
  const labels = new Map([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => [name, ""]));
  for (const [, series = "", list = ""] of text.matchAll(/^(\w+)\{([^}]*)\}/gm)) {
    const name = labels.has(series) ? series : series.replace(/_(?:bucket|sum|count)$/, "");
    const found = [...list.matchAll(/(\w+)="/g)].map(([, label]) => label).filter((label) => label !== "le");
    labels.set(name, found.join());
  }
  return labels;
}

/** Labels in one order; a counter that never counted has no series to show its own. */
function compare(text: string, heading: string): void {
  const [said, is] = [documented(heading), exposed(text)];
  expect([...is.keys()].toSorted()).toEqual([...said.keys()].toSorted());
  const sorted = (labels = ""): string => labels.split(",").toSorted().join();
  for (const [name, labels] of is) if (labels !== "") expect([name, sorted(labels)]).toEqual([name, sorted(said.get(name))]);
}

test("O4: the relay exposes what is documented, and nothing else", async () => {
  compare((await bed.relay.adminGet("/metrics")).body, "Relay");
});

test("O4: the connector exposes what is documented, and nothing else", async () => {
  compare(await connectorMetrics(), "Connector");
});

test("O4: the connector counts how long its origins took, to the head and in all", async () => {
  const text = await eventually(
    async () => {
      const body = await connectorMetrics();
      return body.includes('_count{service="web",hop="total"} 3') && body;
    },
    { what: "three exchanges to be counted", context: () => bed.connector.program.tail() },
  );
  const value = (suffix: string, labels: string): number =>
    Number(new RegExp(`^sallyport_connector_request_duration_seconds_${suffix}\\{${labels}\\} (\\S+)$`, "m").exec(text)?.[1] ?? -1);
  for (const hop of ["origin", "total"]) {
    expect(value("count", `service="web",hop="${hop}"`)).toBe(3);
    expect(value("bucket", `service="web",hop="${hop}",le="0.25"`)).toBe(2);
    expect(value("bucket", `service="web",hop="${hop}",le="\\+Inf"`)).toBe(3);
    expect(value("sum", `service="web",hop="${hop}"`)).toBeGreaterThan(0.29);
  }
});
