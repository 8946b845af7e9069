// What the HTTP/1.1 and the HTTP/2 engine share: what they are given, and the watch over request bodies that
// stop coming. Must not know which engine uses it.

import { InPlaceSet, type Member } from "@sallyport/shared/in-place-set";
import { checkFieldLimits } from "@sallyport/shared/http/field-limits";
import type { Clock, Timer } from "@sallyport/shared/clock";
import type { ClientCheck } from "./client-certificate.ts";
import type { ExchangeListener, IngressExchange, IngressHandler, Peer } from "./exchange.ts";
import type { IngressLimits } from "./limits.ts";
import type { RefusalCode } from "./refusals.ts";
import { respondWith } from "./respond.ts";

/** A visitor that an engine turned away before the pipeline saw an exchange. */
export interface EngineRefusal {
  readonly code: RefusalCode;
  readonly peer: Peer;
  readonly serverName: string | undefined;
  readonly requestId: string;
}

/** One connection, as both engines see it. */
export interface ConnectionInfo {
  readonly peer: Peer;
  readonly scheme: "http" | "https";
  readonly serverName: string | undefined;
  /** What a handshake that asked for a client certificate found; undefined: nobody asked. */
  readonly clientCheck: ClientCheck | undefined;
}

export interface EngineContext {
  readonly limits: IngressLimits;
  readonly clock: Clock;
  readonly bodyWatch: BodyWatch;
  readonly onExchange: ExchangeListener;
  readonly onRefused: (refusal: EngineRefusal) => void;
  readonly onFault: (error: unknown) => void;
  readonly newRequestId: () => string;
  /** True from the moment the server drains: every answer on HTTP/1.1 then closes its connection. */
  readonly stopping: () => boolean;
}

/** An exchange whose request body is still coming. */
export interface WatchedBody extends Member {
  /** Ticks without a byte, counted by the watch. */
  idleTicks: number;
  /** Called once per tick; true when no byte came since the last call although the exchange wanted some. */
  idleSinceLastTick(): boolean;
  /** No byte for the whole limit: answer 408 where that is still possible. */
  timeOutBody(): void;
}

/** Ticks in which an idle body is counted: the limit is kept to an eighth of itself. */
const TICKS_PER_LIMIT = 8;

/**
 * Ends request bodies that bring no byte for `idleMs` (R-D8): one timer for all of them, none per exchange or chunk.
 * The timer runs only while a body is watched.
 */
export class BodyWatch {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #bodies = new InPlaceSet<WatchedBody>();
  #timer: Timer | undefined;

  constructor(clock: Clock, idleMs: number) {
    this.#clock = clock;
    this.#tickMs = Math.max(1, Math.ceil(idleMs / TICKS_PER_LIMIT));
  }

  get size(): number {
    return this.#bodies.size;
  }

  add(body: WatchedBody): void {
    body.idleTicks = 0;
    this.#bodies.add(body);
    this.#timer ??= this.#clock.after(this.#tickMs, () => this.#tick());
  }

  remove(body: WatchedBody): void {
    this.#bodies.delete(body);
    if (this.#bodies.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #tick(): void {
    this.#timer = this.#clock.after(this.#tickMs, () => this.#tick());
    for (const body of this.#bodies.all()) {
      // One that was removed meanwhile is not looked at.
      if (body.place === undefined) continue;
      body.idleTicks = body.idleSinceLastTick() ? body.idleTicks + 1 : 0;
      if (body.idleTicks < TICKS_PER_LIMIT) continue;
      this.remove(body);
      body.timeOutBody();
    }
  }
}

/**
 * Hands an exchange to its owner. A fault there is reported and answered with 500, or cuts the answer that had begun;
 * it never ends the process (R-L9).
 */
export function dispatch(context: EngineContext, exchange: IngressExchange & { readonly unanswered: boolean }): void {
  try {
    context.onExchange(exchange);
  } catch (error) {
    context.onFault(error);
    if (exchange.unanswered) respondWith(exchange, "ERR_RELAY_INTERNAL", { requestId: context.newRequestId() });
    else exchange.abort();
  }
}

/** Where an exchange is: what its engine knows of the connection. */
interface EngineHost {
  readonly context: EngineContext;
  readonly info: ConnectionInfo;
}

/** Answers a request that broke after its head, and has it recorded once: by its owner, who knows the most, where it has one. */
export function refuseBroken(
  exchange: IngressExchange,
  handler: IngressHandler | undefined,
  code: RefusalCode,
  { context, info }: EngineHost,
): void {
  const requestId = handler?.requestId ?? context.newRequestId();
  respondWith(exchange, code, { requestId });
  if (handler === undefined) context.onRefused({ code, peer: info.peer, serverName: info.serverName, requestId });
  else handler.onRefused(code);
}

/** Methods that no engine hands on: they act on the hop itself (R-A11, R-A13). */
export const NEVER_FORWARDED: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/** What both engines refuse by the head alone, before anybody looks at routes: forbidden methods, target length, field count and size. */
export function headLimitRefusal(
  method: string,
  target: string,
  fields: readonly string[],
  limits: IngressLimits,
): RefusalCode | undefined {
  if (NEVER_FORWARDED.has(method)) return "ERR_METHOD_NOT_ALLOWED";
  if (target.length > limits.maxUrlBytes) return "ERR_REQUEST_TARGET_TOO_LONG";
  return checkFieldLimits(fields, {
    maxFields: limits.maxHeaderFields,
    maxBytes: limits.maxHeaderBytes,
    maxCookieBytes: limits.maxHeaderBytes,
  });
}
