// Opens the WebSocket to the relay: outbound TCP, perhaps an HTTP CONNECT proxy, TLS that is always verified, upgrade.
// Knows nothing of frames and credentials. Trying again is the supervisor's business.

import { type Clock, systemClock } from "@sallyport/shared/clock";
import type { Transport } from "@sallyport/shared/mux/transport";
import { WS_LIMITS, wsTransport } from "@sallyport/shared/mux/ws-transport";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent } from "node:https";
import { getCACertificates } from "node:tls";
import { type ClientOptions, WebSocket } from "ws";
import { type DialContext, DialError, describeFailure, timeout } from "./dial-error.ts";
import { isLoopbackHost, lookup } from "./lookup.ts";
import { displayProxy, type ProxyChoice } from "./proxy.ts";

export const TUNNEL_PATH = "/.sallyport/tunnel";
export const SUBPROTOCOL = "sallyport.v1";
/** The whole way from name resolution to the relay's 101. */
export const DIAL_TIMEOUT_MS = 15_000;
// Node gives each address of a name this long before it tries the next; its own 250 ms is too short for satellites.
const ADDRESS_TIMEOUT_MS = 3_000;
/** Longest Retry-After that is understood; the backoff bounds it further. */
const MAX_RETRY_AFTER_MS = 86_400_000;

export interface DialOptions {
  /** Origin of the relay's auth host; http only to loopback (R-K3). */
  readonly relay: URL;
  readonly proxy: ProxyChoice;
  /** Authority the relay knows itself by, for Host, where `relay` has another port (a forwarder in between). Default: that of `relay`. */
  readonly authority?: string | undefined;
  /** PEM certificates trusted beside the usual ones (those of NODE_EXTRA_CA_CERTS are among the usual). */
  readonly ca?: string | undefined;
  /** Sent as User-Agent, for the relay's records. */
  readonly userAgent: string;
  readonly clock?: Clock;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** An open WebSocket and the address it leaves this machine from. */
export interface Dialled {
  /** Holds what arrives until a receiver is set. */
  readonly transport: Transport;
  readonly localAddress: string | undefined;
}

/** `host:port` of a URL, with the default port written out. */
export function hostPort(url: URL): string {
  return `${url.hostname}:${url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port}`;
}

/** @throws DialError, never anything else. */
export async function dial(options: DialOptions): Promise<Dialled> {
  const context = refuseUnsafe(options);
  const socket = new WebSocket(tunnelUrl(options.relay), SUBPROTOCOL, clientOptions(options));
  return await opened(socket, context, options);
}

/** Certificates trusted with a private CA: added to the usual ones, not in place of them. */
export function trustedCertificates(ca: string | undefined): string[] | undefined {
  return ca === undefined ? undefined : [...getCACertificates("default"), ca];
}

function refuseUnsafe({ relay, proxy }: DialOptions): DialContext {
  if (relay.protocol !== "https:" && !(relay.protocol === "http:" && isLoopbackHost(relay.hostname))) {
    throw new DialError("ERR_DIAL_INSECURE", `${relay.origin} is neither https nor on loopback`, {
      stage: "tls",
      remedy: "use the relay's https:// URL",
      retryable: false,
    });
  }
  if (proxy.kind === "invalid") {
    throw new DialError("ERR_DIAL_PROXY_SETTING", proxy.why, {
      stage: "proxy",
      remedy: "correct the variable or unset it",
      retryable: false,
    });
  }
  return { relay: hostPort(relay), proxy: proxy.kind === "proxy" ? displayProxy(proxy.url) : undefined };
}

function tunnelUrl(relay: URL): URL {
  const url = new URL(TUNNEL_PATH, relay);
  url.protocol = relay.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

function clientOptions({ proxy, ca, userAgent, authority, timeoutMs = DIAL_TIMEOUT_MS }: DialOptions): ClientOptions {
  const trusted = trustedCertificates(ca);
  const tls = { rejectUnauthorized: true, ...(trusted === undefined ? {} : { ca: trusted }) };
  return {
    ...WS_LIMITS,
    ...tls,
    lookup,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
    handshakeTimeout: timeoutMs,
    followRedirects: false,
    headers: { "User-Agent": userAgent, ...(authority === undefined ? {} : { Host: authority }) },
    // Masking protects plaintext intermediaries (RFC 6455 section 10.3). There are none inside TLS, nor on loopback, where alone
    // plaintext is allowed: a key of zero lets both ends skip the work, a third of the CPU of a download.
    generateMask: (mask: Buffer) => void mask.fill(0),
    ...(proxy.kind === "proxy" ? { agent: new Agent({ ...tls, keepAlive: false, proxyEnv: { HTTPS_PROXY: proxy.url.href } }) } : {}),
  } as ClientOptions;
}

function opened(socket: WebSocket, context: DialContext, options: DialOptions): Promise<Dialled> {
  const { clock = systemClock, timeoutMs = DIAL_TIMEOUT_MS, signal } = options;
  return new Promise((resolve, reject) => {
    let localAddress: string | undefined;
    // ws counts only silence; a peer that drips one byte at a time must not hold the attempt for ever.
    const deadline = clock.after(timeoutMs, () => fail(timeout(context)));
    const onAbort = (): void =>
      fail(new DialError("ERR_DIAL_ABORTED", "the attempt was called off", { stage: "websocket", remedy: "nothing to do" }));
    const done = (): void => {
      deadline.cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: DialError): void => {
      done();
      reject(error);
      socket.terminate();
    };
    socket.on("upgrade", (response: IncomingMessage) => (localAddress = response.socket.localAddress));
    socket.once("open", () => {
      done();
      socket.off("error", onError);
      // Here and not after the promise: the relay speaks first, and its message may be the very next event.
      resolve({ transport: wsTransport(socket, clock), localAddress });
    });
    const onError = (error: Error): void => fail(failureOf(error, context));
    // Stays until 'open': terminate() reports a second error that nobody else would catch.
    socket.on("error", onError);
    socket.on("unexpected-response", (request: ClientRequest, response: IncomingMessage) => {
      fail(refusedUpgrade(response, context));
      request.destroy();
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function failureOf(error: Error, context: DialContext): DialError {
  // ws gives its handshake timeout and protocol errors no code.
  if (error.message === "Opening handshake has timed out") return timeout(context, error);
  if (/^(Server sent|Invalid) /.test(error.message)) return notARelay(context, "its answer to the upgrade is not a sallyport.v1 tunnel");
  return describeFailure(error, context);
}

function refusedUpgrade(response: IncomingMessage, context: DialContext): DialError {
  const status = response.statusCode ?? 0;
  const code = response.headers["sallyport-error"];
  if (code === "ERR_PROTOCOL_VERSION") {
    return new DialError("ERR_DIAL_VERSION", `the relay does not speak ${SUBPROTOCOL}`, {
      stage: "websocket",
      remedy: "upgrade the older of connector and relay",
      retryable: false,
    });
  }
  if (status === 503 || status === 429) {
    return new DialError("ERR_DIAL_BUSY", `the relay takes no connections now (${status})`, {
      stage: "websocket",
      remedy: "nothing to do here: the connector comes back by itself",
      retryAfterMs: retryAfterMs(response.headers["retry-after"]),
    });
  }
  return notARelay(context, `it answered the upgrade with status ${status}`);
}

function notARelay(context: DialContext, what: string): DialError {
  return new DialError("ERR_DIAL_NOT_A_RELAY", `${context.relay} does not answer like a relay: ${what}`, {
    stage: "websocket",
    remedy: "check that the URL is the relay's authUrl, and that a reverse proxy in front of it passes WebSocket upgrades",
  });
}

/** RFC 9110 section 10.2.3: seconds or a date. Undefined when absent or unreadable. */
export function retryAfterMs(value: string | undefined, nowMs: number = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const waitMs = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isNaN(waitMs) || waitMs < 0 ? undefined : Math.min(waitMs, MAX_RETRY_AFTER_MS);
}
