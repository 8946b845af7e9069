// One origin's lane: the whole corpus, one request after the other, through relay and connector to that origin, and then
// the judgement. Lanes of several origins run side by side.

import { eventually } from "../../../harness/scratch.ts";
import type { Bed } from "../bed.ts";
import { fill, request, type CorpusRequest } from "../corpus/corpus-request.ts";
import { judge, type Sent, type Verdict } from "./judge.ts";
import type { RealOrigin } from "./real-origin.ts";
import { Http2Visitor, visitHttp1 } from "./visitor.ts";
import { RawClient } from "../../../harness/raw-client.ts";

const END = "the-end";

export interface LaneReport extends Verdict {
  readonly sent: number;
}

/** Hostname of the application in front of an origin. */
export function laneHost(origin: string): string {
  return `${origin}.example.test`;
}

export async function runLane(
  bed: Bed,
  origin: RealOrigin,
  corpus: readonly CorpusRequest[],
  protocol: "HTTP/1.1" | "HTTP/2",
): Promise<LaneReport> {
  const host = laneHost(origin.name);
  const from = { opened: bed.opened.length, seen: origin.seen().length };
  const sent: Sent[] = [];
  if (protocol === "HTTP/1.1") await sendHttp1(bed, host, corpus, sent);
  else await sendHttp2(bed, host, corpus, sent);
  const end = `${END}-${from.seen}`;
  await sendEnd(bed, host, end);
  await eventually(() => origin.seen().some(({ marker }) => marker === end), {
    what: `${origin.name} to tell of the last request`,
    context: () => origin.log(),
  });
  const opened = bed.opened.slice(from.opened).filter(({ service }) => service === origin.name);
  const seen = origin.seen().slice(from.seen);
  return { sent: sent.length, ...judge({ sent, opened, seen: seen.filter(({ marker }) => marker !== end), refusals: origin.refusals }) };
}

async function sendHttp1(bed: Bed, host: string, corpus: readonly CorpusRequest[], sent: Sent[]): Promise<void> {
  for (const [at, one] of corpus.entries()) {
    const marker = `a${at}`;
    sent.push({ id: one.id, marker, fate: one.fate, got: await visitHttp1(bed, one, { host, marker }) });
  }
}

async function sendHttp2(bed: Bed, host: string, corpus: readonly CorpusRequest[], sent: Sent[]): Promise<void> {
  using visitor = new Http2Visitor(bed, host);
  for (const [at, one] of corpus.entries()) {
    if (one.http2 === undefined) continue;
    const marker = `b${at}`;
    const got = await visitor.visit(one.http2, one.http2Body, { host, marker });
    sent.push({ id: `${one.id} over HTTP/2`, marker, fate: one.http2Fate ?? one.fate, got });
  }
}

/** One last, plain request: an origin that has seen it has told of all before. */
async function sendEnd(bed: Bed, host: string, marker: string): Promise<void> {
  using client = await RawClient.connect({ port: bed.port });
  client.send(fill(request({ target: "/end", lines: ["Host: {host}", "X-Case: {case}", "Connection: close"] }), { host, marker }));
  await client.untilClosed();
}

/** Applications: everything is open, `/admin` is not. */
export function laneApplications(origins: readonly RealOrigin[]): readonly Readonly<Record<string, unknown>>[] {
  return origins.flatMap(({ name }) => [
    { name, hostname: laneHost(name), tunnel: "office", service: name, policies: ["public"] },
    { name: `${name}-admin`, hostname: laneHost(name), path: "/admin", tunnel: "office", service: name, policies: ["programs"] },
  ]);
}

export function laneServices(origins: readonly RealOrigin[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(origins.map(({ name, port }) => [name, { url: `http://127.0.0.1:${port}` }]));
}
