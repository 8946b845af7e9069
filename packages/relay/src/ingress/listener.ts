// One public listener: its socket, its certificates, its two engines, and the sockets it has open.
// net.Server accepts; PROXY header and TLS are stages on the way to the engine, each bounded in time and bytes.

import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from "node:tls";
import { SallyportError } from "@sallyport/shared/errors";
import type { EngineContext } from "./engine.ts";
import type { Peer } from "./exchange.ts";
import { Http1Engine } from "./http1/engine.ts";
import { Http2Engine } from "./http2-session.ts";
import { ignoreError } from "./linger.ts";
import { MAX_PROXY_HEADER_BYTES, parseProxyHeader } from "./proxy-protocol.ts";
import type { IngressListenerOptions, ListenAddress, RefusedConnection } from "./server.ts";
import { CertificateStore, type Certificate } from "./tls.ts";

/** What a listener asks of the server that counts for all of them. */
export interface Admission {
  admit(peer: Peer): { left(): void } | undefined;
  refuse(peer: Peer, reason: RefusedConnection["reason"], detail?: string): void;
}

/** TCP keep-alive: a visitor that vanished without a word is noticed on quiet streams too. */
const TCP_KEEPALIVE_MS = 60_000;
const BACKLOG = 2_048;

export class Listener {
  readonly #options: IngressListenerOptions;
  readonly #context: EngineContext;
  readonly #admission: Admission;
  readonly #server: Server;
  readonly #http1: Http1Engine;
  readonly #http2: Http2Engine | undefined;
  readonly #certificates: CertificateStore | undefined;
  readonly #tls: TlsServer | undefined;
  readonly #sockets = new Set<Socket>();
  /** Sockets that no engine has yet (PROXY header or TLS under way), by their TCP peer. */
  readonly #pending = new Map<string, Socket>();
  /** Visitors by the TCP peer of their socket: a TLSSocket knows its own, but not the one a PROXY header named. */
  readonly #peers = new Map<string, Peer>();

  constructor(options: IngressListenerOptions, context: EngineContext, admission: Admission) {
    this.#options = options;
    this.#context = context;
    this.#admission = admission;
    this.#http1 = new Http1Engine(context);
    if (options.tls !== undefined) {
      this.#certificates = new CertificateStore(options.tls.certificates);
      this.#http2 = new Http2Engine(context);
      this.#tls = this.#createTls(this.#certificates, this.#http2);
    }
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS },
      (socket) => this.#accept(socket),
    );
  }

  get http2Sessions(): number {
    return this.#http2?.sessions ?? 0;
  }

  open(): Promise<ListenAddress> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const fail = (cause: NodeJS.ErrnoException): void =>
        reject(
          new SallyportError(
            "ERR_INGRESS_LISTEN",
            `Cannot listen on ${host} port ${port}: ${cause.code ?? "unknown"}. Free the port or choose another.`,
            { cause },
          ),
        );
      this.#server.once("error", fail);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off("error", fail);
        // Later faults of accept() (out of descriptors) must not end the process; the visitor tries again.
        this.#server.on("error", ignoreError);
        const { address, port: chosen } = this.#server.address() as AddressInfo;
        resolve({ host: address, port: chosen });
      });
    });
  }

  updateCertificates(certificates: readonly Certificate[]): void {
    if (this.#certificates === undefined) throw new SallyportError("ERR_INGRESS_LISTENER_UNKNOWN", "This listener has no TLS.");
    this.#certificates.replace(certificates);
    this.#tls?.setSecureContext(this.#certificates.fallbackOptions);
  }

  /** No new connections; what is under way may finish. */
  drain(): void {
    if (this.#server.listening) this.#server.close();
    for (const socket of this.#pending.values()) socket.destroy();
    this.#http1.drain();
    this.#http2?.drain();
  }

  destroy(): void {
    this.#http2?.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  async closed(): Promise<void> {
    if (this.#server.listening) await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const peer = peerOf(socket);
    socket.on("error", ignoreError);
    if (peer === undefined) return void socket.destroy();
    const admitted = this.#admission.admit(peer);
    if (admitted === undefined) return void socket.destroy();
    const key = keyOf(socket);
    this.#sockets.add(socket);
    this.#peers.set(key, peer);
    this.#pending.set(key, socket);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#peers.delete(key);
      this.#pending.delete(key);
      admitted.left();
    });
    if (this.#options.proxyProtocol === true) this.#readProxyHeader(socket, peer, key);
    else this.#secure(socket);
  }

  #readProxyHeader(socket: Socket, balancer: Peer, key: string): void {
    const refuse = (detail: string): void => {
      this.#admission.refuse(balancer, "proxy-header", detail);
      socket.destroy();
    };
    const timer = this.#context.clock.after(this.#context.limits.proxyHeaderTimeoutMs, () => refuse("timeout"));
    let received = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const header = parseProxyHeader(received);
      if (header.kind === "more" && received.length < MAX_PROXY_HEADER_BYTES) return;
      timer.cancel();
      socket.off("data", onData);
      socket.off("end", onEnd);
      if (header.kind !== "header") return refuse("malformed");
      socket.pause();
      this.#peers.set(key, header.peer ?? balancer);
      if (received.length > header.bytes) socket.unshift(received.subarray(header.bytes));
      this.#secure(socket);
      // A TLSSocket reads what was put back by itself; node:http waits for the flow.
      if (this.#tls === undefined) process.nextTick(() => socket.resume());
    };
    const onEnd = (): void => void socket.destroy();
    socket.on("data", onData);
    socket.on("end", onEnd);
    socket.once("close", () => timer.cancel());
  }

  #secure(socket: Socket): void {
    if (this.#tls !== undefined) return void this.#tls.emit("connection", socket);
    const peer = this.#handOver(socket);
    if (peer !== undefined) this.#http1.accept(socket, { peer, scheme: "http", serverName: undefined });
  }

  /** From here on an engine looks after the connection. */
  #handOver(socket: Socket): Peer | undefined {
    const key = keyOf(socket);
    this.#pending.delete(key);
    return this.#peers.get(key);
  }

  /** Own ALPN dispatch: a non-listening tls.Server in front of two engines. */
  #createTls(certificates: CertificateStore, http2: Http2Engine): TlsServer {
    const tls = createTlsServer({
      ...certificates.fallbackOptions,
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: this.#context.limits.headerTimeoutMs,
      SNICallback: (serverName, done) => done(null, certificates.select(serverName)),
    });
    tls.on("secureConnection", (socket: TLSSocket) => this.#secured(socket, http2));
    tls.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      this.#admission.refuse(this.#peers.get(keyOf(socket)) ?? UNKNOWN_PEER, "tls", error.code);
      socket.destroy();
    });
    return tls;
  }

  #secured(socket: TLSSocket, http2: Http2Engine): void {
    const peer = this.#handOver(socket);
    socket.on("error", ignoreError);
    if (peer === undefined) return void socket.destroy();
    const serverName = typeof socket.servername === "string" ? socket.servername.toLowerCase() : undefined;
    const info = { peer, scheme: "https", serverName } as const;
    if (socket.alpnProtocol === "h2") http2.accept(socket, info);
    else this.#http1.accept(socket, info);
  }
}

const UNKNOWN_PEER: Peer = { address: "", port: 0 };

/** undefined when the visitor is gone already. IPv4 in IPv6 clothes is IPv4 (R-N5). */
function peerOf(socket: Socket): Peer | undefined {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  const mapped = isIPv6(remoteAddress) && remoteAddress.toLowerCase().startsWith("::ffff:") && remoteAddress.includes(".");
  return { address: mapped ? remoteAddress.slice(7) : remoteAddress, port: remotePort };
}

/** A TCP peer is unique on one listening address as long as its connection lives. */
function keyOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ""}|${socket.remotePort ?? 0}|${socket.localAddress ?? ""}`;
}
