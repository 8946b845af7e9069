// How a conformance case asks and judges: bytes in, and either the right refusal while nobody behind the relay heard
// anything, or exactly one request at the origin.

import { connect as connectHttp2, constants, type ClientHttp2Session } from "node:http2";
import { connect as connectTls } from "node:tls";
import { expect } from "vitest";
import { canaries } from "../../harness/canary.ts";
import { RawClient } from "../../harness/raw-client.ts";
import { within } from "../../harness/scratch.ts";
import type { Bed } from "./bed.ts";
import type { RecordedRequest, RecordingOrigin } from "./origin.ts";
import { readResponses, write, type WireResponse, type Written } from "./wire.ts";

/** Sends bytes on a connection of their own and reads to its end. */
export async function visit(bed: Bed, bytes: string, methods?: readonly string[]): Promise<readonly WireResponse[]> {
  using client = await RawClient.connect({ port: bed.port });
  client.send(bytes);
  const responses = readResponses(await client.untilClosed(), methods);
  for (const { value, values, body } of responses)
    canaries.seeAnswer("a visitor", {
      setCookies: values("set-cookie"),
      location: value("location"),
      error: value("sallyport-error"),
      body,
    });
  return responses;
}

/** The one final answer to a request written from parts. */
export async function ask(bed: Bed, target: string, options: Written = {}): Promise<WireResponse> {
  const responses = await visit(bed, write(target, options), [options.method ?? "GET"]);
  return only(responses.filter(({ status }) => status >= 200));
}

export async function fence(bed: Bed): Promise<void> {
  await bed.fence(async (target) => expect((await ask(bed, target)).status).toBe(200));
}

/** What came to the connector and to the origins since. */
export interface Mark {
  readonly opened: number;
  readonly open: number;
  readonly admin: number;
}

export function mark(bed: Bed): Mark {
  return { opened: bed.opened.length, open: bed.open.requests.length, admin: bed.admin.requests.length };
}

/** Neither the connector nor an origin has heard of anything since `before`. */
export async function expectSilence(bed: Bed, before: Mark): Promise<void> {
  await fence(bed);
  expect(bed.opened.slice(before.opened).map(({ path }) => path)).toEqual([]);
  expect([...bed.open.requests.slice(before.open), ...bed.admin.requests.slice(before.admin)].map(({ raw }) => raw)).toEqual([]);
}

export interface Refusal {
  readonly status: number;
  readonly code?: string;
}

/** REJ: one refusal, the connection ends, what was pipelined behind is never looked at, and nobody hears of it. */
export async function expectRejected(bed: Bed, bytes: string, refusal: Refusal): Promise<WireResponse> {
  const before = mark(bed);
  const responses = await visit(bed, bytes + write("/smuggled"));
  const response = only(responses);
  expectRefusal(response, refusal);
  expect(response.value("connection")).toBe("close");
  await expectSilence(bed, before);
  return response;
}

/** A decision against the visitor: the connection may go on, nobody behind the relay hears of it. */
export async function expectDenied(bed: Bed, bytes: string, refusal: Refusal, methods?: readonly string[]): Promise<WireResponse> {
  const before = mark(bed);
  const response = only(await visit(bed, bytes, methods));
  expectRefusal(response, refusal);
  await expectSilence(bed, before);
  return response;
}

export function expectRefusal(response: WireResponse, { status, code }: Refusal): void {
  expect({ status: response.status, code: response.value("sallyport-error") }).toEqual({
    status,
    code: code ?? response.value("sallyport-error"),
  });
  expect(response.value("sallyport-error")).toMatch(/^ERR_/);
  expect(response.value("sallyport-request-id")).toBeTruthy();
  expect(response.value("cache-control")).toBe("no-store");
}

/** The origin got exactly one request, and the visitor its answer. */
export async function expectForwarded(bed: Bed, bytes: string, origin: RecordingOrigin = bed.open): Promise<RecordedRequest> {
  const before = mark(bed);
  const requests = origin.requests.length;
  const responses = (await visit(bed, bytes)).filter(({ status }) => status >= 200);
  expect(responses.map(({ status, value, body }) => [status, value("sallyport-error"), body])).toEqual([[200, undefined, "served"]]);
  expect(bed.opened.length - before.opened).toBe(1);
  expect(origin.violations).toEqual([]);
  return only(origin.requests.slice(requests));
}

export function only<T>(list: readonly T[]): T {
  expect(list).toHaveLength(1);
  return list[0] as T;
}

// HTTP/2 -----------------------------------------------------------------------------------------------------------

export interface Http2Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** Code of RST_STREAM; 0 for a whole answer. */
  readonly reset: number;
  readonly trailers: Readonly<Record<string, unknown>>;
}

export async function http2Session(bed: Bed, serverName = "app.example.test"): Promise<ClientHttp2Session & AsyncDisposable> {
  const socket = connectTls({ host: "127.0.0.1", port: bed.tlsPort, servername: serverName, ca: bed.ca, ALPNProtocols: ["h2"] });
  const session = connectHttp2(`https://${serverName}`, { createConnection: () => socket });
  session.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    session.once("connect", () => resolve());
    session.once("error", reject);
  });
  return Object.assign(session, {
    [Symbol.asyncDispose]: async () => {
      session.destroy();
    },
  });
}

/** One HTTP/2 exchange; `headers` is a flat list, pseudo-fields first, sent as it is. */
export async function http2Ask(bed: Bed, headers: readonly string[], body?: string): Promise<Http2Answer> {
  await using session = await http2Session(bed);
  return await http2Exchange(session, headers, body);
}

export async function http2Exchange(session: ClientHttp2Session, headers: readonly string[], body?: string): Promise<Http2Answer> {
  const stream = session.request(headers as never, { endStream: body === undefined });
  let answer: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  let text = "";
  stream.on("response", (received) => (answer = received));
  stream.on("trailers", (received) => (trailers = received));
  stream.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  stream.on("error", () => {});
  if (body !== undefined) stream.end(body, "latin1");
  await within(10_000, "the stream to close", new Promise<void>((resolve) => void stream.once("close", () => resolve())));
  const status = answer[constants.HTTP2_HEADER_STATUS] as number | undefined;
  return { status, headers: answer, body: text, reset: stream.rstCode ?? 0, trailers };
}

/** The pseudo-fields of a GET, in a flat list. */
export function pseudo(path: string, authority = "app.example.test", method = "GET"): string[] {
  return [":method", method, ":path", path, ":scheme", "https", ":authority", authority];
}
