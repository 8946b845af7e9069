// Opens one connection to an origin: TCP or unix socket, then TLS where configured, within connectTimeout.
// The only place of the connector that dials origins; addresses come from its own configuration (R-K4).
// Must not know HTTP, services or streams.

import { connect as connectTcp, isIP } from "node:net";
import type { NetConnectOpts, OnReadOpts, Socket } from "node:net";
import type { DuplexOptions } from "node:stream";
import { checkServerIdentity, connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "node:tls";

import type { Clock, Timer } from "@sallyport/shared/clock";
import { ResetCode } from "@sallyport/shared/protocol/codes";

import { failure } from "./exchange.ts";
import type { OriginFailure } from "./exchange.ts";
import { connectFailure } from "./failure.ts";
import type { OriginAddress, OriginOptions } from "./options.ts";

/** The addresses that are dialled at all. */
export type NetworkAddress = Extract<OriginAddress, { readonly kind: "http" | "unix" | "tcp" }>;

export interface DialOptions {
  readonly address: NetworkAddress;
  readonly options: Pick<OriginOptions, "connectTimeoutMs" | "serverName" | "ca" | "insecureSkipVerify">;
  /** ALPN offer; with `h2` a server that does not choose it is refused. */
  readonly protocol: "http/1.1" | "h2" | "none";
  /** Keep the writing half when the origin ends its own (raw streams). Default false. */
  readonly halfOpen?: boolean;
  readonly clock: Clock;
}

export interface DialHandler {
  /** The socket is connected, paused, and has no listeners left; the receiver owns it. */
  connected(socket: Socket): void;
  failed(failure: OriginFailure): void;
  /**
   * Takes what one read of the socket gave, before any copy is made: the octets are there during the call only.
   * Without it the socket gives chunks like any stream.
   * @returns false to read no more until the socket is resumed
   */
  read?(bytes: Buffer): boolean;
}

/**
 * Nothing is read from an origin before what was read has been taken: a stalled reader's socket would hold two pieces
 * of 64 KiB more (T13: 200 MB for a thousand of them). TLS does not know the option, and hands over 16 KiB at a time.
 */
const READ_AHEAD_BYTES = 0;
/** Most that one read gives, and so what a stalled reader holds; Node's own would be 64 KiB. 32 KiB saved 5 % of a download's CPU at most. */
const READ_BYTES = 16_384;
/** The same for TLS, where it bounds what waits to be written, too. */
const TLS_BUFFER_BYTES = 16_384;

/** Neither keeps a dead peer unnoticed for hours, nor costs anything while traffic flows. */
const TCP_KEEP_ALIVE_MS = 15_000;

/**
 * Dials. Handlers are called later, never from within.
 * @returns gives up; no handler is called afterwards.
 */
export function dial(options: DialOptions, handler: DialHandler): () => void {
  const secure = options.address.kind === "http" && options.address.secure;
  const readyEvent = secure ? "secureConnect" : "connect";
  const take = handler.read?.bind(handler) ?? ((bytes: Buffer): boolean => socket.push(Buffer.from(bytes)));
  const socket: Socket = secure
    ? connectTls(handler.read === undefined ? tlsOptions(options) : { ...tlsOptions(options), ...readingInto(take) })
    : connectTcp({ ...netOptions(options), ...readingInto(take) });
  // Tells a refused connection from a refused certificate: TLS starts when TCP is up.
  let phase: "tcp" | "tls" = "tcp";
  const onTcp = (): void => void (phase = "tls");
  const onError = (error: unknown): void => fail(connectFailure(error, phase));
  // A peer that closes during the TLS handshake without an alert reports no error.
  const onClose = (): void => fail(connectFailure({ code: "ECONNRESET" }, phase));
  const onReady = (): void => {
    if (options.protocol === "h2" && "alpnProtocol" in socket && socket.alpnProtocol !== "h2") {
      return fail(failure(ResetCode.ORIGIN_TLS, "origin does not offer h2 by ALPN", "other-origin"));
    }
    settle();
    handler.connected(socket);
  };
  const timer: Timer = options.clock.after(options.options.connectTimeoutMs, () => {
    fail(failure(ResetCode.ORIGIN_CONNECT_TIMEOUT, "ETIMEDOUT", "other-origin"));
  });
  function settle(): void {
    timer.cancel();
    socket.off("connect", onTcp).off("error", onError).off("close", onClose).off(readyEvent, onReady);
  }
  function discard(): void {
    settle();
    // A socket that is being destroyed may still report why.
    socket.on("error", ignore).destroy();
  }
  function fail(result: OriginFailure): void {
    discard();
    handler.failed(result);
  }
  if (secure) socket.on("connect", onTcp);
  socket.on("error", onError).on("close", onClose).on(readyEvent, onReady);
  return discard;
}

function ignore(): void {}

/** All sockets read into this one piece of memory, and what came is taken or copied out at once. */
const readInto = Buffer.allocUnsafeSlow(READ_BYTES);

function readingInto(take: (bytes: Buffer) => boolean): { readonly onread: OnReadOpts } {
  return { onread: { buffer: readInto, callback: (bytes) => take(readInto.subarray(0, bytes)) } };
}

function netOptions({ address, halfOpen = false }: DialOptions): NetConnectOpts & DuplexOptions {
  if (address.kind === "unix") return { path: address.path, allowHalfOpen: halfOpen, readableHighWaterMark: READ_AHEAD_BYTES };
  return {
    readableHighWaterMark: READ_AHEAD_BYTES,
    host: dialledHost(address.host),
    port: address.port,
    allowHalfOpen: halfOpen,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  };
}

/** `@types/node` does not know the last one. */
function tlsOptions(options: DialOptions): ConnectionOptions & { readonly highWaterMark: number } {
  const { serverName, ca, insecureSkipVerify } = options.options;
  const host = options.address.kind === "unix" ? "localhost" : options.address.host;
  const name = serverName ?? host;
  return {
    ...(netOptions(options) as ConnectionOptions),
    highWaterMark: TLS_BUFFER_BYTES,
    // TLS sends no server name for an IP address (RFC 6066 section 3), but the certificate is still checked for it.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    ...(ca === undefined ? {} : { ca }),
    ...(options.protocol === "none" ? {} : { ALPNProtocols: [options.protocol] }),
    rejectUnauthorized: !insecureSkipVerify,
    minVersion: "TLSv1.2",
  };
}

/** `*.localhost` is loopback (RFC 6761 section 6.3), which Node's resolver does not know. */
function dialledHost(host: string): string {
  return /(?:^|\.)localhost\.?$/i.test(host) ? "localhost" : host;
}
