// HTTP/2 sessions: streams to exchanges, and the budgets that a hostile client runs into (R-L3): rapid resets, resets
// that it provokes, floods of SETTINGS and PING, sessions that never speak or never do anything.
// Must not know routing, identity, policy or tunnels.

import {
  performServerHandshake,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";
import type { Timer } from "@sallyport/shared/clock";
import { dispatch, headLimitRefusal, type ConnectionInfo, type EngineContext } from "./engine.ts";
import { Http2Code, Http2Exchange, type Http2Host } from "./http2.ts";
import type { IngressLimits } from "./limits.ts";
import { respondWith } from "./respond.ts";

/** Per stream: what an upload may have under way; unread bytes of a stalled stream are bounded by it. */
const STREAM_WINDOW_BYTES = 256 * 1024;
/** Per session; credit of the session returns on receipt, so one stalled upload does not stop the others. */
const SESSION_WINDOW_BYTES = 2 * 1024 * 1024;
/** Field lines that nghttp2 hands over at all: enough beyond the limit to answer 431 instead of resetting. */
const EXTRA_FIELDS = 156;
/** Response heads up to 64 KiB of the origin (I10), and what the relay adds. */
const MAX_RESPONSE_HEAD_BYTES = 128 * 1024;

/** How long a GOAWAY has to leave before its session is destroyed. */
const GOAWAY_FLUSH_MS = 50;

function refuseStream(stream: ServerHttp2Stream): void {
  stream.on("error", () => {});
  stream.close(Http2Code.REFUSED_STREAM);
}

/** Counts events in a fixed window; more than `limit` of them is a flood. */
class FloodBudget {
  readonly #limit: number;
  readonly #windowMs: number;
  #windowStart = 0;
  #count = 0;

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** True when this event is one too many. */
  spend(nowMs: number): boolean {
    if (nowMs - this.#windowStart >= this.#windowMs) {
      this.#windowStart = nowMs;
      this.#count = 0;
    }
    return ++this.#count > this.#limit;
  }
}

class Http2Connection implements Http2Host {
  readonly info: ConnectionInfo;
  readonly context: EngineContext;
  readonly #session: ServerHttp2Session;
  readonly #resets: FloodBudget;
  readonly #settings: FloodBudget;
  readonly #pings: FloodBudget;
  #streams = 0;
  /** A budget is spent: the session ends, and no stream of it is looked at any more. */
  #calmed = false;
  #timer: Timer | undefined;

  constructor(session: ServerHttp2Session, info: ConnectionInfo, context: EngineContext) {
    const { limits } = context;
    this.info = info;
    this.context = context;
    this.#session = session;
    this.#resets = new FloodBudget(limits.maxStreamResets, limits.floodWindowMs);
    this.#settings = new FloodBudget(limits.maxSettingsFrames, limits.floodWindowMs);
    this.#pings = new FloodBudget(limits.maxPingFrames, limits.floodWindowMs);
    // Until the client's preface is complete the header time-out counts (R-L1).
    this.#timer = context.clock.after(limits.headerTimeoutMs, () => this.#session.destroy());
    this.#listen();
  }

  /** GOAWAY; ends when the open streams have ended. */
  drain(): void {
    if (!this.#session.closed) this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
  }

  exchangeDone(resetByPeer: boolean): void {
    this.#streams--;
    if (this.#session.destroyed) return;
    if (resetByPeer) this.#spend(this.#resets);
    if (this.#streams === 0) this.#waitIdle();
  }

  #listen(): void {
    const session = this.#session;
    session.on("error", () => session.destroy());
    session.on("frameError", () => {});
    session.once("remoteSettings", () => this.#waitIdle());
    session.on("remoteSettings", () => this.#spend(this.#settings));
    session.on("ping", () => this.#spend(this.#pings));
    session.on("close", () => this.#timer?.cancel());
    session.on("stream", (stream, headers, _flags, rawHeaders) => this.#receive(stream, headers, rawHeaders as unknown as string[]));
  }

  #receive(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): void {
    if (this.#calmed) return refuseStream(stream);
    this.#streams++;
    this.#timer?.cancel();
    this.#timer = undefined;
    const exchange = new Http2Exchange(this, stream, headers, rawHeaders);
    const { method, target, fields } = exchange.request;
    const code = headLimitRefusal(method, target, fields, this.context.limits);
    if (code === undefined) return dispatch(this.context, exchange);
    const requestId = this.context.newRequestId();
    this.context.onRefused({ code, peer: this.info.peer, serverName: this.info.serverName, requestId });
    respondWith(exchange, code, { requestId });
  }

  /** A session without streams lives as long as an idle connection of HTTP/1.1. */
  #waitIdle(): void {
    this.#timer?.cancel();
    this.#timer = this.context.clock.after(this.context.limits.keepAliveTimeoutMs, () => {
      if (this.#streams === 0) this.#session.close();
    });
  }

  #spend(budget: FloodBudget): void {
    if (this.#calmed || this.#session.destroyed || !budget.spend(this.context.clock.monotonic())) return;
    this.#calmed = true;
    this.#session.goaway(Http2Code.ENHANCE_YOUR_CALM);
    // destroy() may close the socket before the GOAWAY has left, and the client would not learn why.
    this.context.clock.after(GOAWAY_FLUSH_MS, () => this.#session.destroy(undefined, Http2Code.ENHANCE_YOUR_CALM));
  }
}

/** The HTTP/2 side of one TLS listener. */
export class Http2Engine {
  readonly #context: EngineContext;
  readonly #options: ServerOptions;
  readonly #open = new Set<Http2Connection>();

  constructor(context: EngineContext) {
    this.#context = context;
    this.#options = sessionOptions(context.limits);
  }

  get sessions(): number {
    return this.#open.size;
  }

  accept(socket: Socket, info: ConnectionInfo): void {
    const session = performServerHandshake(socket, this.#options);
    const connection = new Http2Connection(session, info, this.#context);
    this.#open.add(connection);
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    session.on("close", () => this.#open.delete(connection));
    // Sockets are half-open for HTTP/1.1 upgrades; a session whose client has ended is over.
    socket.once("end", () => session.destroy());
    if (this.#context.stopping()) connection.drain();
  }

  drain(): void {
    for (const connection of this.#open) connection.drain();
  }

  destroy(): void {
    for (const connection of this.#open) connection.destroy();
  }
}

function sessionOptions(limits: IngressLimits): ServerOptions {
  return {
    maxSessionMemory: limits.maxSessionMemoryMb,
    maxHeaderListPairs: limits.maxHeaderFields + EXTRA_FIELDS,
    maxSendHeaderBlockLength: MAX_RESPONSE_HEAD_BYTES,
    // Origins repeat fields that node:http2 thinks single: theirs to answer for, and no reason to throw in the middle (R-D9).
    strictSingleValueFields: false,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    // nghttp2's own bucket, above the relay's budget: it also sees streams that end before they are announced.
    streamResetBurst: limits.maxStreamResets * 2,
    streamResetRate: Math.ceil((limits.maxStreamResets * 2_000) / limits.floodWindowMs),
    settings: {
      maxConcurrentStreams: limits.maxStreamsPerConnection,
      initialWindowSize: STREAM_WINDOW_BYTES,
      // RFC 9113 section 6.5.2 counts 32 bytes on top of each field.
      maxHeaderListSize: limits.maxUrlBytes + limits.maxHeaderBytes + 32 * (limits.maxHeaderFields + EXTRA_FIELDS),
      enablePush: false,
      enableConnectProtocol: false,
    },
  };
}
