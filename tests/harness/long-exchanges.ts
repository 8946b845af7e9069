// Exchanges that stay open for as long as they are let: every kind that a visitor can have under way through the relay, and
// how each of them saw its end. Knows client libraries, not the product.

import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders, SecureClientSessionOptions } from "node:http2";
import type { ClientRequest, IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Relay } from "./relay.ts";
import { eventually } from "./scratch.ts";
import { answer, lookupLoopback, openVisit } from "./visitor.ts";
import { openWebSocket } from "./websocket.ts";

/** One exchange under way. */
export interface LongExchange {
  readonly kind: string;
  /** How its end looked from here, once it came. */
  readonly ended: Promise<string>;
}

export interface LongExchangeOptions {
  readonly relay: Relay;
  readonly application: string;
  /** PEM to trust. */
  readonly ca: string;
  /** What lets it in. */
  readonly headers: Readonly<Record<string, string>>;
}

const CHUNK = Buffer.alloc(65_536, "long");

/** An origin without end: bytes at `/download` as fast as they are taken, events at `/events`, bodies at `/upload` that it reads. */
export const endlessOrigin: RequestListener = (request, response) => {
  response.on("error", () => undefined);
  request.on("error", () => undefined);
  if (request.url === "/upload") return void request.resume();
  if (request.url === "/probe") return void response.end("here");
  if (request.url === "/events") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    return void response.write("data: 1\n\n");
  }
  response.writeHead(200, { "content-type": "application/octet-stream" });
  const more = (): void => {
    while (!response.destroyed && response.write(CHUNK));
  };
  response.on("drain", more);
  more();
};

/** FIN and binary, its length in 16 bits. */
const FRAME = Buffer.concat([Buffer.from([0x82, 126, 0xff, 0xff]), Buffer.alloc(0xff_ff, "long")]);

/** Accepts WebSockets and keeps them open; those at `/flood...` get messages as fast as they are taken. */
export function keepWebSocket(request: IncomingMessage, socket: Socket): void {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"] ?? ""}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept.digest("base64")}\r\n\r\n`;
  socket
    .on("error", () => undefined)
    .on("end", () => socket.end())
    .resume();
  socket.write(head);
  if (request.url?.startsWith("/flood") !== true) return;
  const more = (): void => {
    while (!socket.destroyed && socket.write(FRAME));
  };
  socket.on("drain", more);
  more();
}

/** HTTP/1.1, read as it comes. */
export async function download(options: LongExchangeOptions, path: string): Promise<LongExchange> {
  const response = await openDownload(options, path);
  response.resume();
  return { kind: `HTTP/1.1 ${path}`, ended: closeOf(response, () => (response.complete ? "complete" : "cut")) };
}

/**
 * HTTP/1.1, and nobody reads: the bytes back up through the whole path to the origin. Who does not read sees no end either, so
 * what is waited for is that the origin is left alone; then it is read to its end.
 */
export async function stalledDownload(options: LongExchangeOptions, origin: Server, path: string): Promise<LongExchange> {
  const left = new Promise<void>((resolve) => {
    origin.on("request", (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === path) response.once("close", resolve);
    });
  });
  const response = await openDownload(options, path);
  const ended = left.then(async () => {
    response.resume();
    return await closeOf(response, () => (response.complete ? "complete" : "cut"));
  });
  return { kind: `HTTP/1.1 ${path}`, ended };
}

async function openDownload(options: LongExchangeOptions, path: string): Promise<IncomingMessage> {
  const request = http1(options, path, "GET");
  request.end();
  const response = await answer(request);
  if (response.statusCode !== 200) throw new Error(`${path} answered ${response.statusCode}`);
  return response;
}

/** HTTP/1.1, a body without end; the origin answers when it has all of it. */
export async function upload(options: LongExchangeOptions): Promise<LongExchange> {
  const request = http1(options, "/upload", "POST");
  const pump = (): void => {
    while (!request.destroyed && request.write(CHUNK));
  };
  request.on("drain", pump);
  request.flushHeaders();
  pump();
  const ended = Promise.race([
    answer(request).then(
      (response) => {
        response.resume();
        return `answered ${response.statusCode}`;
      },
      () => "cut",
    ),
    closeOf(request, () => "cut"),
  ]);
  return { kind: "HTTP/1.1 upload", ended };
}

/** A session of HTTP/2 whose streams each end on their own. */
export async function http2(options: LongExchangeOptions): Promise<ClientHttp2Session> {
  const host = options.relay.host(options.application);
  const session = connectHttp2(`https://${host}`, { ca: options.ca, lookup: lookupLoopback } as SecureClientSessionOptions);
  session.on("error", () => undefined);
  await once(session, "connect");
  return session;
}

export async function http2Download(session: ClientHttp2Session, options: LongExchangeOptions, path: string): Promise<LongExchange> {
  const stream = session.request({ ":path": path, ...options.headers } as OutgoingHttpHeaders);
  const ended = resetOf(stream);
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  if (headers[":status"] !== 200) throw new Error(`${path} answered ${String(headers[":status"])}`);
  stream.resume();
  return { kind: `HTTP/2 ${path}`, ended };
}

export function http2Upload(session: ClientHttp2Session, options: LongExchangeOptions): LongExchange {
  const stream = session.request({ ":path": "/upload", ":method": "POST", ...options.headers } as OutgoingHttpHeaders);
  const pump = (): void => {
    while (!stream.destroyed && !stream.closed && stream.write(CHUNK));
  };
  stream.on("drain", pump);
  pump();
  const status = once(stream, "response").then(
    ([headers]) => `answered ${String((headers as Record<string, unknown>)[":status"])}`,
    () => "cut",
  );
  stream.resume();
  return { kind: "HTTP/2 upload", ended: Promise.race([status, resetOf(stream)]) };
}

export async function webSocket(options: LongExchangeOptions): Promise<LongExchange> {
  const socket = await openWebSocket(options.relay, options.application, "/socket", {
    options: { headers: options.headers, ca: options.ca, origin: `https://${options.relay.host(options.application)}` },
  });
  socket.on("error", () => undefined);
  return { kind: "WebSocket", ended: once(socket, "close").then(([code]) => `code ${String(code)}`) };
}

/** Messages back up, so that no close frame gets through: what is waited for is that the relay has ended it all the same. */
export async function stalledWebSocket(options: LongExchangeOptions, path: string): Promise<LongExchange> {
  const { relay, application, headers, ca } = options;
  const origin = `https://${relay.host(application)}`;
  const socket = await openWebSocket(relay, application, path, { options: { headers, ca, origin } });
  socket.on("error", () => undefined);
  socket.pause();
  const recorded = (): Readonly<Record<string, unknown>> | false => relay.records().find((record) => record["path"] === path) ?? false;
  const ended = eventually(recorded, { what: "the record of a WebSocket that nobody reads" }).then((record) => {
    socket.terminate();
    return `recorded as ${String(record["reason"])}`;
  });
  return { kind: "WebSocket that nobody reads", ended };
}

/** A connection to a local port of `sallyport access tcp`. */
export async function tcpThrough(port: number): Promise<LongExchange> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  const ended = closeOf(socket, () => "closed");
  await once(socket, "data");
  return { kind: "TCP service", ended };
}

function http1({ relay, application, ca, headers }: LongExchangeOptions, path: string, method: string): ClientRequest {
  const request = openVisit(relay, application, path, { method, headers, ca });
  request.on("error", () => undefined);
  return request;
}

function closeOf(emitter: NodeJS.EventEmitter, how: () => string): Promise<string> {
  emitter.on("error", () => undefined);
  return new Promise((resolve) => void emitter.once("close", () => resolve(how())));
}

/** Not once(): a reset comes with an error before the close. */
function resetOf(stream: ClientHttp2Stream): Promise<string> {
  return closeOf(stream, () => (stream.rstCode === constants.NGHTTP2_NO_ERROR ? "complete" : `reset ${stream.rstCode}`));
}
