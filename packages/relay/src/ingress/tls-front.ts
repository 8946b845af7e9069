// TLS of one listener and the two engines behind it: a non-listening tls.Server that hands each secured socket to
// HTTP/1.1 or HTTP/2 by ALPN. A listener has one that asks for no client certificate, and one that does while an
// application wants it. Must not know how the bytes got here.

import type { Socket } from "node:net";
import { createServer, type SecureContext, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import { clientCheckOf } from "./client-certificate.ts";
import type { EngineContext } from "./engine.ts";
import type { Peer } from "./exchange.ts";
import { Http1Engine } from "./http1/engine.ts";
import { Http2Engine } from "./http2-session.ts";
import { ignoreError } from "./linger.ts";

export interface TlsFrontOptions {
  readonly context: EngineContext;
  /** Certificate where no server name decides. */
  readonly fallback: SecureContextOptions;
  select(serverName: string): SecureContext;
  /** The id of the bundle that clients of this name are verified with; undefined asks nobody. */
  readonly authorityOf?: ((serverName: string | undefined) => string | undefined) | undefined;
  /** The handshake is over: an engine looks after the socket from here on. undefined: its visitor is gone. */
  secured(socket: TLSSocket): Peer | undefined;
  failed(socket: TLSSocket, code: string | undefined): void;
}

export class TlsFront {
  readonly #options: TlsFrontOptions;
  readonly #server: Server;
  readonly #http1: Http1Engine;
  readonly #http2: Http2Engine;
  #connections = 0;
  #retired: (() => void) | undefined;

  constructor(options: TlsFrontOptions) {
    this.#options = options;
    // A retired front closes its connections one answer at a time, as a server that stops does.
    const context = { ...options.context, stopping: () => this.#retired !== undefined || options.context.stopping() };
    this.#http1 = new Http1Engine(context);
    this.#http2 = new Http2Engine(context);
    this.#server = this.#createServer();
  }

  get http2Sessions(): number {
    return this.#http2.sessions;
  }

  accept(socket: Socket): void {
    this.#connections++;
    socket.once("close", () => {
      if (--this.#connections === 0) this.#retired?.();
    });
    this.#server.emit("connection", socket);
  }

  setFallback(fallback: SecureContextOptions): void {
    this.#server.setSecureContext(fallback);
  }

  /** No new connections come; those under way end when their exchanges do, then `gone` is called. */
  retire(gone: () => void): void {
    this.#retired = gone;
    this.drain();
    if (this.#connections === 0) gone();
  }

  drain(): void {
    this.#http1.drain();
    this.#http2.drain();
  }

  destroy(): void {
    this.#http2.destroy();
  }

  #createServer(): Server {
    const { context, fallback, select, authorityOf, failed } = this.#options;
    const server = createServer({
      ...fallback,
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: context.limits.headerTimeoutMs,
      // A handshake without certificate, or with a bad one, goes through: the policies refuse it with a reason. Verified
      // is what node:tls calls authorized, nothing else (client-certificate.ts).
      ...(authorityOf === undefined ? {} : { requestCert: true, rejectUnauthorized: false }),
      SNICallback: (serverName, done) => {
        try {
          done(null, select(serverName));
        } catch (error) {
          done(error as Error);
        }
      },
    });
    server.on("secureConnection", (socket: TLSSocket) => this.#secured(socket));
    server.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      failed(socket, error.code);
      socket.destroy();
    });
    return server;
  }

  #secured(socket: TLSSocket): void {
    const peer = this.#options.secured(socket);
    socket.on("error", ignoreError);
    if (peer === undefined) return void socket.destroy();
    const serverName = typeof socket.servername === "string" ? socket.servername.toLowerCase() : undefined;
    const authorityId = this.#options.authorityOf?.(serverName);
    const clientCheck = authorityId === undefined ? undefined : clientCheckOf(socket, authorityId);
    const info = { peer, scheme: "https", serverName, clientCheck } as const;
    if (socket.alpnProtocol === "h2") this.#http2.accept(socket, info);
    else this.#http1.accept(socket, info);
  }
}
