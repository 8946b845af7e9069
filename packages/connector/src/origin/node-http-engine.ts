// HTTP/1.1 to an origin through node:http, one connection per exchange: for what undici cannot do, which is
// Expect, a head that must leave before the first byte of its body, and the switch to WebSocket. Also speaks to
// servers within this process. Must not know streams or services.

import { request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import { ResetCode } from "@sallyport/shared/protocol/codes";

import { failure } from "./exchange.ts";
import type { OriginEngine, OriginExchange, OriginFailure, OriginHandler, OriginRequest } from "./exchange.ts";
import { brokenFailure, errorText } from "./failure.ts";
import { MAX_RESPONSE_HEAD_BYTES } from "./h1-pool.ts";
import { latin1Fields } from "./response.ts";

export interface DuplexHandler {
  connected(socket: Duplex): void;
  failed(failure: OriginFailure): void;
}

/** Opens a connection; handlers are called later. @returns gives up. */
export type Connect = (handler: DuplexHandler) => () => void;

export class NodeHttpEngine implements OriginEngine {
  readonly headWaitsForBody = false;
  readonly #connect: Connect;

  constructor(connect: Connect) {
    this.#connect = connect;
  }

  open(request: OriginRequest, handler: OriginHandler): OriginExchange {
    return new NodeHttpExchange(this.#connect, request, handler);
  }

  close(): void {
    // Nothing is kept.
  }
}

class NodeHttpExchange implements OriginExchange {
  readonly #request: OriginRequest;
  readonly #handler: OriginHandler;
  readonly #giveUpConnecting: () => void;
  #over = false;
  #socket: Duplex | undefined;
  #outgoing: ClientRequest | undefined;
  #incoming: IncomingMessage | undefined;

  constructor(connect: Connect, request: OriginRequest, handler: OriginHandler) {
    this.#request = request;
    this.#handler = handler;
    this.#giveUpConnecting = connect({
      connected: (socket) => this.#send(socket),
      failed: (reason) => this.#fail(reason),
    });
  }

  #send(socket: Duplex): void {
    this.#socket = socket;
    const { method, path } = this.#request;
    const outgoing = httpRequest({
      // node:http types a connection as net.Socket but uses it as a Duplex.
      createConnection: () => socket as Socket,
      method,
      path,
      headers: this.#headers(),
      setDefaultHeaders: false,
      maxHeaderSize: MAX_RESPONSE_HEAD_BYTES,
      insecureHTTPParser: false,
    });
    this.#outgoing = outgoing;
    outgoing.on("drain", () => !this.#over && this.#handler.writable());
    outgoing.on("information", (info) => this.#onInformation(info.statusCode, info.rawHeaders));
    outgoing.on("response", (incoming) => this.#onResponse(incoming));
    outgoing.on("upgrade", (incoming, upgraded, first) => this.#onUpgrade(incoming, upgraded, first));
    outgoing.on("error", (error) => this.#onError(error));
    if (this.#request.body.kind === "none") outgoing.end();
    else outgoing.flushHeaders();
    this.#handler.ready();
  }

  #headers(): string[] {
    const { authority, fields, body, upgrade } = this.#request;
    const headers = ["Host", authority, "Connection", upgrade ? "Upgrade" : "close", ...fields];
    if (upgrade) headers.push("Upgrade", "websocket");
    if (body.kind === "length") headers.push("Content-Length", String(body.bytes));
    if (body.kind === "unknown") headers.push("Transfer-Encoding", "chunked");
    return headers;
  }

  #onInformation(status: number, rawHeaders: unknown): void {
    if (!this.#over) this.#handler.interim(status, latin1Fields(rawHeaders));
  }

  #onResponse(incoming: IncomingMessage): void {
    if (this.#over) return void incoming.destroy();
    this.#incoming = incoming;
    const status = incoming.statusCode ?? 0;
    const fields = latin1Fields(incoming.rawHeaders);
    const bodyless = this.#request.method === "HEAD" || status === 204 || status === 304;
    incoming.on("error", (error) => this.#onError(error));
    incoming.on("data", (chunk: Buffer) => !this.#over && this.#handler.body(chunk));
    incoming.on("end", () => this.#onEnd(incoming));
    this.#handler.head(status, fields, bodyless);
  }

  #onEnd(incoming: IncomingMessage): void {
    if (this.#over) return;
    // A response that lasts until the connection ends must not take a reset for its end.
    const errored = this.#socket?.errored ?? null;
    if (!incoming.complete || errored !== null)
      return this.#fail(failure(ResetCode.ORIGIN_CLOSED, errorText(errored ?? { code: "ECONNRESET" })));
    this.#over = true;
    this.#destroy();
    this.#handler.complete(latin1Fields(incoming.rawTrailers));
  }

  #onUpgrade(incoming: IncomingMessage, socket: Duplex, first: Buffer): void {
    if (this.#over) return void socket.destroy();
    if (!this.#request.upgrade) return this.#fail(failure(ResetCode.ORIGIN_PROTOCOL, "101 that nobody asked for"));
    this.#over = true;
    this.#handler.switched(latin1Fields(incoming.rawHeaders), socket, first);
  }

  #onError(error: Error): void {
    if (!this.#over) this.#fail(brokenFailure(error, false, this.#socket?.readableEnded ?? true));
  }

  write(chunk: Uint8Array): boolean {
    return this.#over || this.#outgoing === undefined || this.#outgoing.write(chunk);
  }

  end(): void {
    if (!this.#over) this.#outgoing?.end();
  }

  pause(): void {
    if (!this.#over) this.#incoming?.pause();
  }

  resume(): void {
    if (!this.#over) this.#incoming?.resume();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#giveUpConnecting();
    this.#destroy();
  }

  #fail(reason: OriginFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.#destroy();
    this.#handler.failed(reason);
  }

  #destroy(): void {
    this.#outgoing?.destroy();
    this.#socket?.destroy();
  }
}
