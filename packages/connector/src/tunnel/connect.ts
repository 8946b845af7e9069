// The seam between the tunnel's supervision and the wire: dial, authenticate, multiplex. Everything that the
// supervisor must not know (sockets, handshake, frames) and everything the origin must not know (the connection)
// meets here and nowhere else.

import { hostname } from "node:os";
import type { Clock } from "@sallyport/shared/clock";
import type { TunnelCredential } from "@sallyport/shared/credential-file";
import { SallyportError } from "@sallyport/shared/errors";
import type { BufferBudget } from "@sallyport/shared/mux/budget";
import { type CloseCause, DEFAULT_MUX_LIMITS, MuxConnection } from "@sallyport/shared/mux/connection";
import type { Stream, StreamHandler } from "@sallyport/shared/mux/stream";
import type { Transport } from "@sallyport/shared/mux/transport";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import { connectorHandshake, HandshakeError } from "@sallyport/shared/protocol/handshake";
import type { OpenHead } from "@sallyport/shared/protocol/head";
import { type Grant, type HelloService, parseRelayHello, type RelayHello } from "@sallyport/shared/protocol/hello";
import { dial, type DialOptions } from "./dial.ts";
import { HeldTransport } from "./held-transport.ts";
import type { Connect, ConnectionEvents, ServingConnection } from "./slot.ts";

/** What the relay tells about a connection, besides streams. */
export interface RelayNews {
  /** At the start of each connection, and again whenever the grants change. */
  onHello(hello: RelayNotice): void;
  /** The signed manifest of assertion keys, not yet verified. */
  onKeys(manifest: string): void;
  /** A stream's handler threw; the stream was reset. */
  onFault(error: unknown): void;
}

export interface RelayNotice {
  readonly connectionId: string;
  readonly software: string;
  readonly tunnel: string;
  readonly grants: readonly Grant[];
  /** How far this machine's clock is ahead of the relay's; undefined when this notice does not tell. */
  readonly clockSkewMs: number | undefined;
}

/** Takes one stream on. `assertion` is the token the relay sent for it, undefined when there is none. */
export type AcceptStream = (stream: Stream, open: OpenHead, end: boolean, assertion: string | undefined) => StreamHandler;

export interface ConnectOptions {
  readonly credential: TunnelCredential;
  /** How to dial; read again for each attempt, since a reload may change it. */
  readonly dial: () => Pick<DialOptions, "relay" | "proxy" | "ca">;
  /** Name and version of this program, for the relay's records. */
  readonly software: string;
  /** Random id of this process. */
  readonly connectorId: string;
  readonly services: () => readonly HelloService[];
  /** The hostname asked for with `--hostname`. */
  readonly wantedHostname?: string | undefined;
  readonly accept: AcceptStream;
  readonly news: RelayNews;
  readonly budget: BufferBudget;
  readonly clock: Clock;
}

/** One attempt of a slot: the returned function dials and authenticates each time it is called. */
export function connector(options: ConnectOptions): Connect {
  return async (events, signal) => {
    const { clock, software, credential } = options;
    const { transport, localAddress } = await dial({
      ...options.dial(),
      authority: new URL(credential.relayUrl).host,
      userAgent: software,
      clock,
      signal,
    });
    const onAbort = (): void => transport.terminate();
    const said = helloOf(options);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const hello = await connectorHandshake({
        transport,
        // What the credential says, not what was dialled: see connector.ts, where the two are compared.
        authUrl: credential.relayUrl,
        credentialId: credential.credentialId,
        privateKey: credential.privateKey,
        hello: said,
        clock,
      });
      const serving = new Serving(options, hello, localAddress, events, transport);
      // A reload during the handshake found nobody to tell.
      if (!sameServices(said.services, options.services())) serving.announce();
      return serving;
    } catch (error) {
      throw asConnectError(error);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };
}

function helloOf({ software, connectorId, services, wantedHostname }: ConnectOptions): Parameters<typeof connectorHandshake>[0]["hello"] {
  return {
    software,
    limits: DEFAULT_MUX_LIMITS,
    capabilities: [],
    connectorId,
    hostname: hostname().slice(0, 253),
    services: services(),
    ...(wantedHostname === undefined ? {} : { wantedHostname }),
  };
}

function sameServices(one: readonly HelloService[], other: readonly HelloService[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

class Serving implements ServingConnection {
  readonly connectionId: string;
  readonly localAddress: string | undefined;
  readonly #options: ConnectOptions;
  readonly #mux: MuxConnection;
  readonly #transport: Transport;

  constructor(
    options: ConnectOptions,
    hello: RelayHello,
    localAddress: string | undefined,
    events: ConnectionEvents,
    transport: Transport,
  ) {
    const { news, clock, budget, accept } = options;
    this.#options = options;
    this.connectionId = hello.connectionId;
    this.localAddress = localAddress;
    this.#transport = transport;
    news.onHello(noticeOf(hello, clock.now() - hello.time));
    const held = new HeldTransport(transport);
    this.#mux = new MuxConnection({
      role: "connector",
      transport: held,
      clock,
      budget,
      limits: DEFAULT_MUX_LIMITS,
      peerLimits: hello.limits,
      handler: {
        acceptStream: (stream, open, end) => accept(stream, open, end, this.#mux.assertion(open.assertion)),
        onGoaway: (goaway) => events.onGoaway(goaway),
        onHello: (json) => news.onHello(noticeOf(parseRelayHello(json), undefined)),
        onKeys: (manifest) => news.onKeys(manifest),
        onFault: (error) => news.onFault(error),
        onClosed: (cause) => events.onClosed(lossOf(cause)),
      },
    });
    held.release();
  }

  get openStreams(): number {
    return this.#mux.streamCount;
  }

  get bytesReceived(): number {
    return this.#transport.bytesReceived;
  }

  get bytesSent(): number {
    return this.#transport.bytesSent;
  }

  announce(): void {
    this.#mux.sendHello(JSON.stringify(helloOf(this.#options)));
  }

  leave(reason: GoawayReason, text: string): void {
    this.#mux.goaway(reason, 0, text);
  }

  close(): void {
    this.#mux.close(GoawayReason.SHUTDOWN, "the connector is stopping");
  }
}

function noticeOf(hello: RelayHello, clockSkewMs: number | undefined): RelayNotice {
  const { connectionId, software, tunnel, grants } = hello;
  return { connectionId, software, tunnel, grants, clockSkewMs };
}

/** Why a connection ended, as an error that may pass; undefined for an orderly end. */
function lossOf(cause: CloseCause): SallyportError | undefined {
  const retryable = true;
  switch (cause.kind) {
    case "closed":
      return undefined;
    case "dead":
      return new SallyportError("ERR_TUNNEL_DEAD", "the relay has been silent for too long: the network on the way to it is broken", {
        retryable,
      });
    case "violation":
      return new SallyportError(cause.violation.code, `the relay broke the protocol: ${cause.violation.message}`, {
        retryable,
        cause: cause.violation,
      });
    case "lost":
      return new SallyportError(
        "ERR_TUNNEL_LOST",
        `the relay or the network closed the connection (${cause.code}${cause.reason === "" ? "" : ` ${cause.reason}`})`,
        { retryable },
      );
  }
}

/** A handshake error whose GOAWAY named a delay carries it on, as `retryAfterMs`. */
function asConnectError(error: unknown): unknown {
  if (!(error instanceof HandshakeError) || error.goaway === undefined) return error;
  return Object.assign(error, { retryAfterMs: error.goaway.delayMs });
}
