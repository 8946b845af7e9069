// One raw TCP connection through a relay (T19): WebSocket handshake at the application's host, then bytes both ways with
// half-close and backpressure. Must not know where the bytes come from or where tokens are kept.

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex, Readable, Writable } from "node:stream";
import type { Clock, Timer } from "@sallyport/shared/clock";
import { acceptKey } from "@sallyport/shared/http/upgrade";
import {
  encodeClose,
  encodeEnd,
  encodeFrame,
  type FrameMask,
  TCP_PATH,
  TCP_PROTOCOL_V1,
  WebSocketBytesReader,
  WebSocketClose,
} from "@sallyport/shared/http/websocket-bytes";
import { SOFTWARE } from "../version.ts";
import { CALL_TIMEOUT_MS, connectionOptions, type Failure, failureOf, type Network, parse, readAll, reasonOf, requestOf } from "./call.ts";

/** Keeps idle connections open in what lies between; every firewall forgets after some minutes at the earliest. */
const PING_INTERVAL_MS = 30_000;
/** How long the relay may take to answer a close. */
const CLOSE_GRACE_MS = 2_000;

export interface TcpOptions {
  /** The application's URL; only its host counts. */
  readonly application: URL;
  /** Fields that say who connects. */
  readonly credentials: Readonly<Record<string, string>>;
  readonly network: Network;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

export type TcpOpened =
  | { readonly kind: "open"; readonly socket: Duplex; readonly first: Uint8Array; readonly mask: FrameMask }
  /** The relay said no. `code` from Sallyport-Error, `why` and `remedy` for people. */
  | { readonly kind: "refused"; readonly status: number; readonly code: string; readonly why: string; readonly remedy: string }
  | Failure;

/** How a connection ended. */
export type TcpEnd =
  | { readonly kind: "done" }
  /** Access was taken back meanwhile. */
  | { readonly kind: "revoked" }
  | { readonly kind: "broken"; readonly why: string };

/** The handshake. Never throws. */
export async function openTcp({ application, credentials, network, signal }: TcpOptions): Promise<TcpOpened> {
  const url = new URL(TCP_PATH, application);
  const connection = connectionOptions(url, network);
  if ("kind" in connection) return connection;
  const key = randomBytes(16).toString("base64");
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": key,
    "Sec-WebSocket-Protocol": TCP_PROTOCOL_V1,
    "User-Agent": SOFTWARE,
    ...credentials,
  };
  const { promise, resolve } = Promise.withResolvers<TcpOpened>();
  const request = requestOf(url)(url, { ...connection, headers, ...(signal === undefined ? {} : { signal }) });
  request.setTimeout(CALL_TIMEOUT_MS, () => request.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })));
  request.on("error", (error) => resolve(failureOf(error, url, network)));
  request.on("response", (response) => void refusal(response, url).then(resolve));
  request.on("upgrade", (response: IncomingMessage, socket: Duplex, first: Buffer) => {
    if (response.headers["sec-websocket-accept"] === acceptKey(key) && response.headers["sec-websocket-protocol"] === TCP_PROTOCOL_V1) {
      request.setTimeout(0);
      return resolve({ kind: "open", socket, first, mask: url.protocol === "https:" ? "zero" : "random" });
    }
    socket.destroy();
    resolve({ kind: "failed", why: `${url.host} does not answer like a Sallyport relay`, remedy: "check the address" });
  });
  request.end();
  return await promise;
}

async function refusal(response: IncomingMessage, url: URL): Promise<TcpOpened> {
  const { statusCode: status = 0, headers } = response;
  try {
    const body = parse(await readAll(response));
    const code = String(headers["sallyport-error"] ?? "");
    const text = (name: string, otherwise: string): string => (typeof body[name] === "string" ? body[name] : otherwise);
    return {
      kind: "refused",
      status,
      code,
      why: text("detail", text("message", `${url.host} answered with status ${status}`)),
      remedy: text("remedy", ""),
    };
  } catch (error) {
    return { kind: "failed", why: `${url.host} answered with status ${status} and broke off: ${reasonOf(error)}`, remedy: "try again" };
  }
}

/** Carries bytes between an open connection and a pair of streams until both directions ended or one broke. */
export function carry(open: Extract<TcpOpened, { kind: "open" }>, input: Readable, output: Writable, clock: Clock): Promise<TcpEnd> {
  return new Carrier(open, input, output, clock).ended;
}

class Carrier {
  readonly ended: Promise<TcpEnd>;
  readonly #socket: Duplex;
  readonly #mask: FrameMask;
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #clock: Clock;
  readonly #reader: WebSocketBytesReader;
  readonly #settle: (end: TcpEnd) => void;
  #ping: Timer | undefined;
  #grace: Timer | undefined;
  #over = false;

  constructor({ socket, first, mask }: Extract<TcpOpened, { kind: "open" }>, input: Readable, output: Writable, clock: Clock) {
    [this.#socket, this.#mask, this.#input, this.#output, this.#clock] = [socket, mask, input, output, clock];
    const { promise, resolve } = Promise.withResolvers<TcpEnd>();
    this.ended = promise;
    this.#settle = resolve;
    this.#reader = new WebSocketBytesReader(false, {
      onBytes: (chunk) => this.#toOutput(chunk),
      onEnd: () => void this.#output.end(),
      onPing: (payload) => void this.#socket.write(encodeFrame("pong", payload, this.#mask)),
      onClose: (code) => this.#finish(endOf(code)),
    });
    socket.on("data", (chunk: Uint8Array) => this.#fromRelay(chunk));
    socket.on("drain", () => this.#input.resume());
    socket.on("error", (error) => this.#finish({ kind: "broken", why: reasonOf(error) }));
    socket.on("close", () => this.#finish({ kind: "broken", why: "the connection ended without a word" }));
    input.on("data", (chunk: Uint8Array) => this.#toRelay(chunk));
    input.on("end", () => void (this.#over || this.#socket.write(encodeEnd(this.#mask))));
    input.on("error", () => this.#giveUp());
    input.on("close", () => input.readableEnded || this.#giveUp());
    output.on("drain", () => this.#socket.resume());
    output.on("error", () => this.#giveUp());
    this.#schedulePing();
    if (first.length > 0) this.#fromRelay(first);
    input.resume();
  }

  #fromRelay(chunk: Uint8Array): void {
    const problem = this.#reader.push(chunk);
    if (problem !== undefined) this.#finish({ kind: "broken", why: `the relay broke the protocol: ${problem}` });
  }

  #toOutput(chunk: Uint8Array): void {
    if (!this.#over && !this.#output.write(chunk)) this.#socket.pause();
  }

  #toRelay(chunk: Uint8Array): void {
    if (!this.#over && !this.#socket.write(encodeFrame("data", chunk, this.#mask))) this.#input.pause();
  }

  #schedulePing(): void {
    this.#ping = this.#clock.after(PING_INTERVAL_MS, () => {
      this.#socket.write(encodeFrame("ping", new Uint8Array(0), this.#mask));
      this.#schedulePing();
    });
  }

  /** Whoever used the connection went away. */
  #giveUp(): void {
    if (this.#over) return;
    this.#socket.write(encodeClose(WebSocketClose.GOING_AWAY, "", this.#mask));
    this.#finish({ kind: "done" });
  }

  #finish(end: TcpEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#ping?.cancel();
    // RFC 6455 section 5.5.1: a close is answered, then the connection ends; the server closes it first.
    if (end.kind !== "broken" && this.#socket.writable) this.#socket.write(encodeClose(WebSocketClose.NORMAL, "", this.#mask));
    this.#socket.end();
    this.#socket.resume();
    // The last bytes are still on their way out, and input and output may be one socket.
    const closeInput = (): void => void this.#input.destroy();
    this.#grace = this.#clock.after(CLOSE_GRACE_MS, () => this.#socket.destroy());
    this.#socket.once("close", () => this.#grace?.cancel());
    if (this.#output.writableFinished || this.#output.destroyed) closeInput();
    else this.#output.once("finish", closeInput).once("close", closeInput);
    if (!this.#output.writableEnded) this.#output.end();
    this.#settle(end);
  }
}

function endOf(code: number): TcpEnd {
  if (code === WebSocketClose.NORMAL) return { kind: "done" };
  if (code === WebSocketClose.POLICY) return { kind: "revoked" };
  return {
    kind: "broken",
    why: code === WebSocketClose.INTERNAL ? "the service or the tunnel to it broke off" : `the relay ended it (${code})`,
  };
}
