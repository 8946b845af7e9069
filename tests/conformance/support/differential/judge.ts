// The judge of R-D11: for every request of the corpus that was sent, either Sallyport refused it and the origin heard
// nothing, or the origin saw exactly one request, equal to the one that was decided. Pure; must not know sockets.

import { StreamKind, type OpenHead } from "@sallyport/shared/protocol/head";
import { FORGED, type Fate } from "../corpus/corpus-request.ts";
import type { Seen } from "./seen.ts";
import { nextMarker, type Got } from "./visitor.ts";

/** One request that was sent. */
export interface Sent {
  readonly id: string;
  readonly marker: string;
  readonly fate: Fate;
  readonly got: Got;
}

export interface Evidence {
  readonly sent: readonly Sent[];
  /** Heads that reached the connector for this origin. */
  readonly opened: readonly OpenHead[];
  readonly seen: readonly Seen[];
  /** What the origin answers without its program ever hearing of the request is no request seen. */
  readonly refusals: "told" | "untold";
}

export interface Verdict {
  readonly refused: number;
  readonly seenAsDecided: number;
  /** Decided, but taken back before its end (bodies that break), or refused by the origin before anything that tells. */
  readonly unseen: number;
  readonly wrong: readonly string[];
}

/** Fields that the two ends of a hop write for themselves. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["host", "connection", "content-length", "transfer-encoding", "keep-alive", "expect"]);

export function judge({ sent, opened, seen, refusals }: Evidence): Verdict {
  const wrong: string[] = [];
  const tally = { refused: 0, seenAsDecided: 0, unseen: 0 };
  const seenBy = groupBy(seen, ({ marker }) => marker);
  const openedBy = groupBy(opened, (head) => valueOf(head.fields, "x-case"));
  const known = new Set(sent.flatMap(({ marker }) => [marker, nextMarker(marker)]));
  const nameless = [...(seenBy.get("") ?? [])];
  for (const [marker, requests] of seenBy) {
    if (marker !== "" && !known.has(marker)) wrong.push(`the origin saw requests that nobody sent: ${JSON.stringify(requests)}`);
  }
  for (const one of sent) {
    const heads = openedBy.get(one.marker) ?? [];
    const requests = seenBy.get(one.marker) ?? [];
    const refusedUnread = requests.length === 0 && takeRefused(nameless, heads[0]);
    const problems = problemsOf(one, heads, requests, refusedUnread ? "untold" : refusals);
    wrong.push(...problems.map((problem) => `${one.id}: ${problem}`));
    const nexts = seenBy.get(nextMarker(one.marker)) ?? [];
    if (nexts.length > 1) wrong.push(`${one.id}: the next request was seen ${nexts.length} times`);
    if (nexts.length === 1 && one.fate.kind === "refused") wrong.push(`${one.id}: the connection went on after a refusal`);
    if (heads.length === 0) tally.refused++;
    else if (requests.length === 1) tally.seenAsDecided++;
    else tally.unseen++;
  }
  if (nameless.length > 0) wrong.push(`the origin saw requests without a marker: ${JSON.stringify(nameless)}`);
  return { ...tally, wrong };
}

/** A server that refuses a request line logs it without having read the fields: that was one request too. */
function takeRefused(nameless: Seen[], head: OpenHead | undefined): boolean {
  const at = head === undefined ? -1 : nameless.findIndex(({ target }) => target === head.path || target === "<BADREQ>");
  if (at >= 0) nameless.splice(at, 1);
  return at >= 0;
}

function problemsOf({ fate, got }: Sent, heads: readonly OpenHead[], requests: readonly Seen[], refusals: Evidence["refusals"]): string[] {
  const problems: string[] = [];
  const [head] = heads;
  const [request] = requests;
  if (got.hangs) problems.push(`neither answered nor ended (${got.answers} answers)`);
  if (heads.length > 1) problems.push(`reached the connector ${heads.length} times`);
  if (requests.length > 1) problems.push(`seen ${requests.length} times`);
  if (head === undefined && request !== undefined) problems.push("seen, though it never reached the connector");
  if (fate.kind === "refused" || fate.kind === "denied") {
    if (head !== undefined) problems.push(`should have been ${fate.kind}, reached the connector as ${head.method} ${head.path}`);
    if (!(got.status !== undefined && got.status >= 400 && got.error !== undefined) && got.status !== undefined)
      problems.push(`should have been ${fate.kind}, answered ${got.status}`);
    if (fate.kind === "refused" && got.answers > 1) problems.push(`${got.answers} answers, though the connection had to end`);
  }
  if (fate.kind === "forwarded" && head === undefined) problems.push(`should have been forwarded, answered ${got.status} ${got.error}`);
  if (fate.kind === "forwarded" && head !== undefined && (head.method !== fate.method || head.path !== fate.target))
    problems.push(`decided as ${head.method} ${head.path}, not as ${fate.method} ${fate.target}`);
  if (fate.kind === "cut" && got.whole && got.status !== undefined && got.status < 400)
    problems.push(`answered ${got.status}, though it never ended`);
  // What was taken back in the middle need not have been seen.
  const takenBack = fate.kind === "cut" || (fate.kind === "either" && got.error !== undefined);
  if (head !== undefined && request === undefined && refusals === "told" && !takenBack) problems.push("never seen by the origin");
  if (head !== undefined && request !== undefined) problems.push(...differences(head, request, fate));
  return problems;
}

/** Where what was seen differs from what was decided. */
function differences(head: OpenHead, seen: Seen, fate: Fate): string[] {
  const problems: string[] = [];
  const differs = (what: string, decided: string, found: string): void => {
    if (comparable(decided) !== comparable(found))
      problems.push(`${what}: decided ${JSON.stringify(decided)}, seen ${JSON.stringify(found)}`);
  };
  differs("method", head.method, seen.method);
  differs("target", head.path, seen.target);
  if (seen.path !== undefined && /^\/+admin(?:$|\/)/.test(seen.path) && !head.path.startsWith("/admin"))
    problems.push(`the origin would serve ${seen.path}`);
  const body = fate.kind === "forwarded" || fate.kind === "either" ? fate.body : undefined;
  if (seen.body !== undefined && body !== undefined) differs("body", body, seen.body);
  if (seen.fields !== undefined) problems.push(...fieldDifferences(head, seen.fields));
  return problems;
}

function fieldDifferences(head: OpenHead, seen: NonNullable<Seen["fields"]>): string[] {
  const upgrade: [string, string][] = head.kind === StreamKind.UPGRADE ? [["upgrade", "websocket"]] : [];
  const decided = joined([
    ...upgrade,
    ...pairs(head.fields).map(([name, value]) => [name.toLowerCase().replaceAll(/[_.]/g, "-"), value] as const),
  ]);
  const found = joined(seen);
  const names = new Set([...decided.keys(), ...found.keys()].filter((name) => !OWN_FIELDS.has(name)));
  const problems = [...names]
    .filter((name) => comparable(decided.get(name) ?? "") !== comparable(found.get(name) ?? ""))
    .map((name) => `field ${name}: decided ${JSON.stringify(decided.get(name))}, seen ${JSON.stringify(found.get(name))}`);
  const forged = seen.filter(([name, value]) => `${name}${value}`.toLowerCase().includes(FORGED));
  return forged.length === 0 ? problems : [...problems, `forged fields arrived: ${JSON.stringify(forged)}`];
}

/** Servers tell of octets above 127 in as many ways as there are servers: HAProxy's log says `#80`. */
function comparable(text: string): string {
  return text.replaceAll(/#[89A-F][0-9A-F]|[\x80-\uffff]+/g, "?");
}

function joined(fields: readonly (readonly [string, string])[]): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  for (const [name, value] of fields) {
    const before = all.get(name);
    all.set(name, before === undefined ? value.trim() : `${before},${value.trim()}`);
  }
  // Lists that an origin joins with another separator are the same list.
  return new Map([...all].map(([name, value]) => [name, value.replaceAll(/\s*,\s*/g, ",")]));
}

function pairs(flat: readonly string[]): (readonly [string, string])[] {
  const list: (readonly [string, string])[] = [];
  for (let i = 0; i < flat.length; i += 2) list.push([flat[i] ?? "", flat[i + 1] ?? ""]);
  return list;
}

function valueOf(flat: readonly string[], name: string): string {
  return pairs(flat).find(([key]) => key.toLowerCase() === name)?.[1] ?? "";
}

function groupBy<T>(list: readonly T[], key: (entry: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const entry of list) {
    const name = key(entry);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [entry]);
    else group.push(entry);
  }
  return groups;
}
