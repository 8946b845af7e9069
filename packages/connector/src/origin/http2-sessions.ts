// The HTTP/2 sessions to one origin: one, and another only while the origin's limit of concurrent streams is
// reached or a session is going away. Must not know requests or streams of the tunnel.

import { connect, constants } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";

import type { Clock, Timer } from "@sallyport/shared/clock";

import { dial } from "./dial.ts";
import type { DialOptions } from "./dial.ts";
import type { OriginFailure } from "./exchange.ts";
import { errorText } from "./failure.ts";
import { MAX_RESPONSE_HEAD_BYTES } from "./exchange.ts";

/** Credit per connection: node:http2 returns it on receipt, so one stalled stream does not take it from the others. */
const CONNECTION_WINDOW_BYTES = 1_048_576;
/** Bytes an origin may have under way for one stalled stream; it bounds what 1,000 stalled readers hold (T13). */
const STREAM_WINDOW_BYTES = 65_535;

type OnSession = (session: Http2Session) => void;
type OnFailure = (failure: OriginFailure) => void;

interface Waiter {
  readonly connected: OnSession;
  readonly failed: OnFailure;
}

export class Http2Sessions {
  readonly #dialOptions: DialOptions;
  readonly #idleMs: number;
  readonly #sessions: Http2Session[] = [];
  #waiting: Waiter[] = [];
  #dialling = false;
  #closed = false;

  constructor(dialOptions: DialOptions, idleMs: number) {
    this.#dialOptions = dialOptions;
    this.#idleMs = idleMs;
  }

  /** A session with room, or a new one; the callbacks are called later. @returns gives up. */
  acquire(connected: OnSession, failed: OnFailure, fresh: boolean): () => void {
    let wanted = true;
    const waiter: Waiter = {
      connected: (session) => void (wanted && connected(session)),
      failed: (reason) => void (wanted && failed(reason)),
    };
    const kept = fresh ? undefined : this.#sessions.find((session) => session.hasRoom);
    if (kept === undefined) this.#wait(waiter);
    // It may go away, or fill up, within this turn.
    else process.nextTick(() => (kept.hasRoom ? waiter.connected(kept) : this.#wait(waiter)));
    return () => void (wanted = false);
  }

  #wait(waiter: Waiter): void {
    this.#waiting.push(waiter);
    if (this.#dialling) return;
    this.#dialling = true;
    dial(this.#dialOptions, {
      connected: (socket) => this.#adopt(socket),
      failed: (reason) => {
        this.#dialling = false;
        for (const waiter of this.#takeWaiting()) waiter.failed(reason);
      },
    });
  }

  #adopt(socket: Socket): void {
    this.#dialling = false;
    const session = new Http2Session(socket, this.#dialOptions.clock, this.#idleMs, () => {
      const at = this.#sessions.indexOf(session);
      if (at !== -1) this.#sessions.splice(at, 1);
    });
    this.#sessions.push(session);
    for (const waiter of this.#takeWaiting()) waiter.connected(session);
    // Closed while dialling: those who waited are served, nobody after them.
    if (this.#closed) this.close();
  }

  #takeWaiting(): Waiter[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  close(): void {
    this.#closed = true;
    for (const session of this.#sessions.splice(0)) session.closeWhenIdle();
  }
}

/** One session; counts its streams and closes itself when it has been without any for the idle time. */
export class Http2Session {
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  readonly #idleMs: number;
  #streams = 0;
  #idleTimer: Timer | undefined;
  #goingAway = false;
  #problem: unknown;
  #served = false;

  constructor(socket: Socket, clock: Clock, idleMs: number, gone: () => void) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    // The URL is never dialled or sent: the socket is there, and each request brings its :authority.
    this.#session = connect("http://origin.invalid", {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES, maxHeaderListSize: MAX_RESPONSE_HEAD_BYTES },
    });
    this.#session.on("connect", () => this.#session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    this.#session.on("error", (error) => (this.#problem ??= error));
    this.#session.on("goaway", () => {
      this.#goingAway = true;
      gone();
    });
    this.#session.on("close", gone);
  }

  /** Another exchange was whole on it. */
  get reused(): boolean {
    return this.#served;
  }

  get hasRoom(): boolean {
    if (this.#goingAway || this.#session.closed || this.#session.destroyed) return false;
    const limit = this.#session.remoteSettings.maxConcurrentStreams;
    return limit === undefined || this.#streams < limit;
  }

  /** The connection was lost or broke the protocol, so its streams are incomplete whatever they say. */
  get broken(): boolean {
    return this.#session.destroyed;
  }

  /** The session failed by the origin not speaking HTTP/2, not by the network. */
  get brokeProtocol(): boolean {
    return errorText(this.#problem).startsWith("ERR_HTTP2");
  }

  get problem(): string {
    return this.#problem === undefined ? "ECONNRESET" : errorText(this.#problem);
  }

  /** Opens a stream. @returns undefined when node:http2 refuses the head. */
  request(headers: string[], end: boolean): ClientHttp2Stream | undefined {
    let stream: ClientHttp2Stream;
    try {
      // Raw lists keep order and duplicates; the type of the parameter does not know them.
      stream = this.#session.request(headers as unknown as OutgoingHttpHeaders, { endStream: end });
    } catch {
      return undefined;
    }
    this.#streams++;
    this.#idleTimer?.cancel();
    stream.once("close", () => this.#onStreamClose(stream.rstCode === constants.NGHTTP2_NO_ERROR));
    return stream;
  }

  #onStreamClose(whole: boolean): void {
    this.#streams--;
    if (whole) this.#served = true;
    if (this.#streams > 0 || this.#session.closed) return;
    if (this.#goingAway) this.#session.close();
    else this.#idleTimer = this.#clock.after(this.#idleMs, () => this.closeWhenIdle());
  }

  closeWhenIdle(): void {
    this.#idleTimer?.cancel();
    this.#goingAway = true;
    this.#session.close();
  }
}
