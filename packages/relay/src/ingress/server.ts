// The public listeners: accept, count, read the PROXY header, finish TLS, and hand each socket to the HTTP/1.1 or the
// HTTP/2 engine by ALPN (I1, I4, I7). First station of the data path; it knows sockets and limits, and must not know
// routing, identity, policy or tunnels.

import { randomUUID } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import { sourceOf } from "@sallyport/shared/http/source";
import type { ClientAuthorities } from "./client-authorities.ts";
import { BodyWatch, type EngineContext, type EngineRefusal } from "./engine.ts";
import type { ExchangeListener, IngressRequest, Peer } from "./exchange.ts";
import { DEFAULT_LIMITS, type IngressLimits } from "./limits.ts";
import { Listener } from "./listener.ts";
import { respondRedirect, respondWith } from "./respond.ts";
import type { Certificate } from "./tls.ts";

export interface TlsOptions {
  readonly certificates: readonly Certificate[];
  /** Names whose clients are asked for a certificate. Default: none. */
  readonly authorities?: ClientAuthorities | undefined;
}

export interface IngressListenerOptions {
  readonly host: string;
  /** 0 lets the system choose; start() tells. */
  readonly port: number;
  /** Certificates for HTTPS; undefined means plain HTTP/1.1. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Answers every request with 308 to the URL that it returns (built from configured hosts, R-B7), and with 421 where
   * it returns undefined. Nothing of such a listener reaches `onExchange`.
   */
  readonly redirectToHttps?: ((request: IngressRequest) => string | undefined) | undefined;
  /** Requires a PROXY protocol header, version 1 or 2, before the first byte of every connection. Default false. */
  readonly proxyProtocol?: boolean | undefined;
}

/** A connection that was closed before any HTTP. */
export interface RefusedConnection {
  readonly peer: Peer;
  readonly reason: "too-many-connections" | "too-many-from-address" | "proxy-header" | "tls";
  /** OpenSSL or Node code where there is one; never text from the peer. */
  readonly detail: string | undefined;
}

export interface IngressServerOptions {
  readonly listeners: readonly IngressListenerOptions[];
  /** Overrides of {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<IngressLimits> | undefined;
  readonly clock: Clock;
  readonly onExchange: ExchangeListener;
  /** Refusals that an engine gave by itself, for record and metrics. */
  readonly onRefused?: ((refusal: EngineRefusal) => void) | undefined;
  /** What `onExchange` threw; the exchange was answered with 500 or cut. */
  readonly onFault?: ((error: unknown) => void) | undefined;
  readonly onConnectionRefused?: ((refused: RefusedConnection) => void) | undefined;
  /** Ids of answers that the engines give by themselves. Default: random UUIDs. */
  readonly newRequestId?: (() => string) | undefined;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface IngressStats {
  readonly connections: number;
  readonly http2Sessions: number;
  readonly addresses: number;
  readonly refusedConnections: number;
  /** Request bodies that are being waited for. */
  readonly watchedBodies: number;
}

export interface IngressServer {
  /** Opens every listener or none. @throws SallyportError ERR_INGRESS_LISTEN naming the address. */
  start(): Promise<readonly ListenAddress[]>;
  /** Replaces the certificates and client authorities of one TLS listener; open streams stay. Throws and keeps the old ones when one is bad. */
  updateTls(listenerIndex: number, tls: TlsOptions): void;
  /** Stops accepting, says so to every visitor (GOAWAY, Connection: close), waits up to `graceMs` for what is under way, then cuts. */
  close(options: { readonly graceMs: number }): Promise<void>;
  stats(): IngressStats;
}

/** @throws SallyportError ERR_INGRESS_CERTIFICATE_INVALID, ERR_INGRESS_INSECURE_PARSER. */
export function createIngressServer(options: IngressServerOptions): IngressServer {
  return new Server(options);
}

class Server implements IngressServer {
  readonly #clock: Clock;
  readonly #limits: IngressLimits;
  readonly #listeners: readonly Listener[];
  readonly #bodyWatch: BodyWatch;
  readonly #perSource = new Map<string, number>();
  readonly #onConnectionRefused: (refused: RefusedConnection) => void;
  #connections = 0;
  #refusedConnections = 0;
  #stopping = false;
  #whenIdle: (() => void) | undefined;

  constructor(options: IngressServerOptions) {
    refuseInsecureParser(process.execArgv, process.env["NODE_OPTIONS"]);
    this.#clock = options.clock;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#bodyWatch = new BodyWatch(options.clock, this.#limits.requestBodyIdleMs);
    this.#onConnectionRefused = options.onConnectionRefused ?? (() => {});
    this.#listeners = options.listeners.map((listener) => new Listener(listener, this.#context(options, listener), this));
  }

  async start(): Promise<readonly ListenAddress[]> {
    const opened = await Promise.allSettled(this.#listeners.map((listener) => listener.open()));
    const failed = opened.find((result) => result.status === "rejected");
    if (failed !== undefined) {
      await this.close({ graceMs: 0 });
      throw failed.reason;
    }
    return opened.map((result) => (result as PromiseFulfilledResult<ListenAddress>).value);
  }

  updateTls(listenerIndex: number, { certificates, authorities }: TlsOptions): void {
    const listener = this.#listeners[listenerIndex];
    if (listener === undefined) throw new SallyportError("ERR_INGRESS_LISTENER_UNKNOWN", `There is no listener ${listenerIndex}.`);
    listener.updateTls(certificates, authorities);
  }

  async close(options: { readonly graceMs: number }): Promise<void> {
    this.#stopping = true;
    for (const listener of this.#listeners) listener.drain();
    if (this.#connections > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#whenIdle = resolve;
      const timer = this.#clock.after(options.graceMs, () => {
        for (const listener of this.#listeners) listener.destroy();
      });
      await promise;
      timer.cancel();
    }
    await Promise.all(this.#listeners.map((listener) => listener.closed()));
  }

  stats(): IngressStats {
    return {
      connections: this.#connections,
      http2Sessions: this.#listeners.reduce((sum, listener) => sum + listener.http2Sessions, 0),
      addresses: this.#perSource.size,
      refusedConnections: this.#refusedConnections,
      watchedBodies: this.#bodyWatch.size,
    };
  }

  /** Counts a connection in; `left` must be called once when it closed. undefined: refused. */
  admit(peer: Peer): { left(): void } | undefined {
    const source = sourceOf(peer.address);
    const ofSource = this.#perSource.get(source) ?? 0;
    if (this.#stopping) return undefined;
    if (this.#connections >= this.#limits.maxConnections) return this.refuse(peer, "too-many-connections");
    if (ofSource >= this.#limits.maxConnectionsPerAddress) return this.refuse(peer, "too-many-from-address");
    this.#connections++;
    this.#perSource.set(source, ofSource + 1);
    return { left: () => this.#left(source) };
  }

  refuse(peer: Peer, reason: RefusedConnection["reason"], detail?: string): undefined {
    this.#refusedConnections++;
    this.#onConnectionRefused({ peer, reason, detail });
  }

  #left(source: string): void {
    this.#connections--;
    const ofSource = (this.#perSource.get(source) ?? 1) - 1;
    if (ofSource === 0) this.#perSource.delete(source);
    else this.#perSource.set(source, ofSource);
    if (this.#connections === 0) this.#whenIdle?.();
  }

  #context(options: IngressServerOptions, listener: IngressListenerOptions): EngineContext {
    const newRequestId = options.newRequestId ?? randomUUID;
    const redirect = listener.redirectToHttps;
    return {
      limits: this.#limits,
      clock: this.#clock,
      bodyWatch: this.#bodyWatch,
      onExchange: redirect === undefined ? options.onExchange : redirectListener(redirect, newRequestId),
      onRefused: options.onRefused ?? (() => {}),
      onFault: options.onFault ?? (() => {}),
      newRequestId,
      stopping: () => this.#stopping,
    };
  }
}

function redirectListener(redirect: (request: IngressRequest) => string | undefined, newRequestId: () => string): ExchangeListener {
  return (exchange) => {
    const requestId = newRequestId();
    const location = redirect(exchange.request);
    if (location === undefined) respondWith(exchange, "ERR_HOST_UNKNOWN", { requestId });
    else respondRedirect(exchange, location, { requestId, status: 308 });
  };
}

/**
 * The lenient parser accepts what request smuggling needs; no flag may switch it on behind the code's back (R-D1).
 * @throws SallyportError ERR_INGRESS_INSECURE_PARSER.
 */
export function refuseInsecureParser(execArgv: readonly string[], nodeOptions: string | undefined): void {
  const flags = [...execArgv, ...(nodeOptions ?? "").split(/\s+/)];
  if (!flags.some((flag) => flag.replaceAll("_", "-").startsWith("--insecure-http-parser"))) return;
  throw new SallyportError(
    "ERR_INGRESS_INSECURE_PARSER",
    "Node runs with --insecure-http-parser. Remove it from the command line and from NODE_OPTIONS.",
  );
}
