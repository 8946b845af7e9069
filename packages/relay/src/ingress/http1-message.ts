// node:http's message objects as the exchanges of this folder use them: the request head as data, the response that
// knows its exchange, and heads that wait for the end of the turn. Must not know the life of an exchange.

import { ServerResponse, type IncomingMessage } from "node:http";
import type { ConnectionInfo } from "./engine.ts";
import type { IngressExchange, IngressRequest } from "./exchange.ts";

/** The response object that createServer makes; carries its exchange, so that listeners need no closure. */
export class TrackedResponse extends ServerResponse {
  exchange: IngressExchange | undefined;
}

export function describeRequest(info: ConnectionInfo, req: IncomingMessage, upgrade: boolean): IngressRequest {
  const length = req.headers["content-length"];
  return {
    httpVersion: req.httpVersionMajor === 1 && req.httpVersionMinor === 0 ? "1.0" : "1.1",
    method: req.method ?? "",
    target: req.url ?? "",
    authority: undefined,
    fields: req.rawHeaders,
    scheme: info.scheme,
    serverName: info.serverName,
    peer: info.peer,
    upgrade,
    bodyless: req.headers["transfer-encoding"] === undefined && (length === undefined || length === "0"),
  };
}

/** Faults of a socket reach the exchange as 'close'; without a listener they would end the process (R-L9). */
export function ignoreError(): void {}

/** Heads that wait for the end of this turn, so that a head and its first bytes leave in one write. */
const unflushed: TrackedResponse[] = [];

export function flushSoon(res: TrackedResponse): void {
  if (unflushed.push(res) === 1) process.nextTick(flushAll);
}

function flushAll(): void {
  for (const res of unflushed) {
    if (!res.destroyed && !res.writableEnded) res.flushHeaders();
  }
  unflushed.length = 0;
}

export function inPairs(fields: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < fields.length; i += 2) pairs.push([fields[i] as string, fields[i + 1] as string]);
  return pairs;
}
