// One public listener: its socket, its certificates, the engines behind it, and the sockets it has open.
// net.Server accepts; PROXY header, a look at the server name where some names ask for client certificates (A23), and TLS
// are stages on the way to the engine, each bounded in time and bytes.

import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { SallyportError } from "@sallyport/shared/errors";
import type { ClientAuthorities } from "./client-authorities.ts";
import { MAX_CLIENT_HELLO_BYTES, MAX_CLIENT_HELLO_LOOKS, readClientHello } from "./client-hello.ts";
import type { EngineContext } from "./engine.ts";
import type { Peer } from "./exchange.ts";
import { Http1Engine } from "./http1/engine.ts";
import { ignoreError } from "./linger.ts";
import { MAX_PROXY_HEADER_BYTES, parseProxyHeader } from "./proxy-protocol.ts";
import { readAhead } from "./read-ahead.ts";
import type { IngressListenerOptions, ListenAddress, RefusedConnection } from "./server.ts";
import { CertificateStore, type Certificate } from "./tls.ts";
import { TlsFront, type TlsFrontOptions } from "./tls-front.ts";

/** What a listener asks of the server that counts for all of them. */
export interface Admission {
  admit(peer: Peer): { left(): void } | undefined;
  refuse(peer: Peer, reason: RefusedConnection["reason"], detail?: string): void;
}

interface AskingFront {
  readonly front: TlsFront;
  readonly authorities: ClientAuthorities;
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
  /** Replaced as a whole on reload; undefined without TLS. */
  #certificates: CertificateStore | undefined;
  readonly #tls: TlsFront | undefined;
  /** The front for names that ask for client certificates, and the names; undefined where there are none. */
  #asking: AskingFront | undefined;
  /** Fronts of authorities that were replaced, until their connections have ended. */
  readonly #retired = new Set<TlsFront>();
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
      const { certificates, authorities } = options.tls;
      const store = (this.#certificates = createStore(certificates, authorities));
      this.#tls = new TlsFront({ ...this.#frontOptions(), fallback: store.fallbackOptions, select: (name) => this.#store().select(name) });
      this.#asking = this.#createAsking(authorities);
    }
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS },
      (socket) => this.#accept(socket),
    );
  }

  get http2Sessions(): number {
    return this.#fronts().reduce((sum, front) => sum + front.http2Sessions, 0);
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

  /**
   * Replaces certificates and client authorities. Connections whose client certificate was verified by other rules end
   * with what is under way on them.
   */
  updateTls(certificates: readonly Certificate[], authorities: ClientAuthorities | undefined): void {
    if (this.#tls === undefined) throw new SallyportError("ERR_INGRESS_LISTENER_UNKNOWN", "This listener has no TLS.");
    const store = (this.#certificates = createStore(certificates, authorities));
    this.#tls.setFallback(store.fallbackOptions);
    const before = this.#asking;
    if (before !== undefined && before.authorities.id === authorities?.id) return before.front.setFallback(store.askingFallbackOptions);
    this.#asking = this.#createAsking(authorities);
    if (before === undefined) return;
    this.#retired.add(before.front);
    before.front.retire(() => this.#retired.delete(before.front));
  }

  /** No new connections; what is under way may finish. */
  drain(): void {
    if (this.#server.listening) this.#server.close();
    for (const socket of this.#pending.values()) socket.destroy();
    this.#http1.drain();
    for (const front of this.#fronts()) front.drain();
  }

  destroy(): void {
    for (const front of this.#fronts()) front.destroy();
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
    const refuse = (detail: string): "stop" => {
      this.#admission.refuse(balancer, "proxy-header", detail);
      socket.destroy();
      return "stop";
    };
    const { clock, limits } = this.#context;
    readAhead(socket, {
      clock,
      timeoutMs: limits.proxyHeaderTimeoutMs,
      judge: (received) => {
        const header = parseProxyHeader(received);
        if (header.kind === "more" && received.length < MAX_PROXY_HEADER_BYTES) return "more";
        if (header.kind !== "header") return refuse("malformed");
        this.#peers.set(key, header.peer ?? balancer);
        return header.bytes;
      },
      timedOut: () => void refuse("timeout"),
      done: () => {
        this.#secure(socket);
        // A TLSSocket reads what was put back by itself; node:http waits for the flow.
        if (this.#tls === undefined) process.nextTick(() => socket.resume());
      },
    });
  }

  #secure(socket: Socket): void {
    if (this.#tls !== undefined) return this.#asking === undefined ? this.#tls.accept(socket) : this.#chooseFront(socket);
    const peer = this.#handOver(socket);
    if (peer !== undefined) this.#http1.accept(socket, { peer, scheme: "http", serverName: undefined, clientCheck: undefined });
  }

  /** Only a hello that names a host without client certificates gets the handshake without; whatever is unclear gets the other. */
  #chooseFront(socket: Socket): void {
    const { clock, limits } = this.#context;
    let front: TlsFront | undefined;
    let looks = 0;
    readAhead(socket, {
      clock,
      timeoutMs: limits.headerTimeoutMs,
      judge: (received) => {
        const hello = readClientHello(received);
        if (hello.kind === "more" && received.length < MAX_CLIENT_HELLO_BYTES && ++looks < MAX_CLIENT_HELLO_LOOKS) return "more";
        const asked = hello.kind !== "hello" || this.#asking?.authorities.of(hello.serverName) !== undefined;
        front = asked ? (this.#asking?.front ?? this.#tls) : this.#tls;
        return 0;
      },
      timedOut: () => {
        this.#admission.refuse(this.#peers.get(keyOf(socket)) ?? UNKNOWN_PEER, "tls", "ERR_TLS_HANDSHAKE_TIMEOUT");
        socket.destroy();
      },
      done: () => front?.accept(socket),
    });
  }

  /** From here on an engine looks after the connection. */
  #handOver(socket: Socket): Peer | undefined {
    const key = keyOf(socket);
    this.#pending.delete(key);
    return this.#peers.get(key);
  }

  #frontOptions(): Pick<TlsFrontOptions, "context" | "secured" | "failed"> {
    return {
      context: this.#context,
      secured: (socket: TLSSocket) => this.#handOver(socket),
      failed: (socket: TLSSocket, code) => this.#admission.refuse(this.#peers.get(keyOf(socket)) ?? UNKNOWN_PEER, "tls", code),
    };
  }

  #createAsking(authorities: ClientAuthorities | undefined): AskingFront | undefined {
    if (authorities === undefined || authorities.all.length === 0) return undefined;
    const front = new TlsFront({
      ...this.#frontOptions(),
      fallback: this.#store().askingFallbackOptions,
      select: (serverName) => {
        const authority = authorities.of(serverName);
        return authority === undefined ? this.#store().select(serverName) : this.#store().selectAsking(serverName, authority);
      },
      authorityOf: (serverName) => authorities.of(serverName)?.id,
    });
    return { front, authorities };
  }

  #store(): CertificateStore {
    if (this.#certificates === undefined) throw new SallyportError("ERR_INGRESS_LISTENER_UNKNOWN", "This listener has no TLS.");
    return this.#certificates;
  }

  #fronts(): readonly TlsFront[] {
    return [this.#tls, this.#asking?.front, ...this.#retired].filter((front) => front !== undefined);
  }
}

/** Every bundle is tried, so that one which TLS does not take is found before anybody connects. @throws SallyportError ERR_INGRESS_CERTIFICATE_INVALID */
function createStore(certificates: readonly Certificate[], authorities: ClientAuthorities | undefined): CertificateStore {
  const store = new CertificateStore(certificates);
  for (const authority of authorities?.all ?? []) store.selectAsking("", authority);
  return store;
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
