// One request under way: what is known of it so far, how it is answered, and the one record that is written when it is
// over, refusals included. Glue between the visitor's exchange and the forwarding; decides nothing.

import { randomUUID } from "node:crypto";
import type { Clock, Timer } from "@sallyport/shared/clock";
import { type Fields, NO_FIELDS } from "@sallyport/shared/http/fields";
import { TCP_PATH } from "@sallyport/shared/http/websocket-bytes";
import type { Identity } from "../authn/identity.ts";
import { StreamKind } from "@sallyport/shared/protocol/head";
import type { RequestFacts } from "../authz/facts.ts";
import type { Decision } from "../authz/policy.ts";
import type { RecordedDecision, RequestRecord } from "../observe/record-line.ts";
import type { ActiveExchange, ActiveExchanges } from "../tunnel/active.ts";
import type { AssertionSource } from "../tunnel/connection.ts";
import { Forwarding, type ForwardFailure, type ForwardOwner, type FrameFollower } from "../tunnel/forward.ts";
import type { TunnelRegistry } from "../tunnel/registry.ts";
import { readableBy } from "./browser-guard.ts";
import type { CanonicalRequest } from "./canonicalise.ts";
import type { ClientAddress } from "./client-address.ts";
import type { IngressExchange, IngressHandler } from "./exchange.ts";
import { userAgentOf, type UnsignedForward } from "./forward-request.ts";
import type { OwnLocation } from "./location.ts";
import {
  grpcTrailers,
  ownFields,
  refusalOfReset,
  REFUSALS,
  respondRedirect,
  respondWith,
  type RefusalCode,
  type RefusalContext,
} from "./respond.ts";
import type { Application, Runtime } from "./runtime.ts";
import { type SmallBody, SmallBodyReader } from "./small-body.ts";
import { BETWEEN_FRAMES, TcpWebSocket } from "./tcp-websocket.ts";
import { closeFrame, WebSocketFrameFollower } from "./websocket-frames.ts";

export interface InFlightServices {
  readonly clock: Clock;
  readonly registry: TunnelRegistry;
  readonly active: ActiveExchanges<InFlight>;
  /** Writes the record of a finished request, and counts it. */
  record(record: RequestRecord, unauthenticated: boolean): void;
  /** A fault of the relay itself, for the log. */
  onFault(requestId: string, error: unknown): void;
}

/** RFC 6455 section 7.4.1: policy violation. */
const CLOSE_POLICY_VIOLATION = 1008;
const POLICY_CLOSE_REASON = "access ended";
const POLICY_CLOSE_FRAME = closeFrame(CLOSE_POLICY_VIOLATION, POLICY_CLOSE_REASON);

/** How long a revoked exchange may take to end by itself, before it is cut: a visitor who does not read takes no close frame. */
const POLITE_END_MS = 3_000;
const NO_BODY = new Uint8Array(0);

export class InFlight implements IngressHandler, ForwardOwner, ActiveExchange {
  readonly exchange: IngressExchange;
  readonly runtime: Runtime;
  readonly requestId: string = randomUUID();
  readonly client: ClientAddress;
  readonly policyCloseFrame: Uint8Array = POLICY_CLOSE_FRAME;
  readonly #services: InFlightServices;
  readonly #startedAtMs: number;
  place: number | undefined;
  canonical: CanonicalRequest | undefined;
  application: Application | undefined;
  identity: Identity | undefined;
  /** What the decision was made by, to make it again (R-I2). */
  facts: RequestFacts | undefined;
  #preflight = false;
  #forwarding: Forwarding | undefined;
  /** Of a TCP service: between the exchange and the forwarding. */
  #tcp: TcpWebSocket | undefined;
  #bodyReader: SmallBodyReader | undefined;
  #party: string | undefined;
  #decision: RecordedDecision = "refused";
  #reason = "";
  #policy: string | undefined;
  #code: RefusalCode | undefined;
  #status = 0;
  #ownBytes = 0;
  #decidedAtMs = 0;
  #openedAtMs: number | undefined;
  #headAtMs: number | undefined;
  /** Set once access has ended: cuts what did not end by itself. */
  #cutTimer: Timer | undefined;
  /** The visitor went away, or was answered by the engine: nothing is begun for it any more. */
  #gone = false;
  #closed = false;

  constructor(services: InFlightServices, runtime: Runtime, exchange: IngressExchange) {
    this.#services = services;
    this.runtime = runtime;
    this.exchange = exchange;
    this.#startedAtMs = services.clock.monotonic();
    this.client = runtime.clientAddress(exchange.request.peer.address, exchange.request.fields);
    exchange.setHandler(this);
  }

  get tunnel(): string {
    return this.application?.tunnel ?? "";
  }

  get party(): string {
    return (this.#party ??= partyOf(this.identity, this.client.address));
  }

  decided(decision: Decision, facts: RequestFacts): void {
    this.facts = facts;
    this.#policy = decision.policy;
    this.#reason = decision.reason;
    this.#decision = decision.action === "bypass" ? "bypass" : decision.outcome;
    this.#decidedAtMs = this.#services.clock.monotonic();
    if (decision.outcome === "deny" && decision.cause !== undefined) this.#services.onFault(this.requestId, decision.cause);
  }

  /** Whether it is a preflight that goes on to the origin: no policy let it through, but the application's `cors` (R-H6). */
  get preflight(): boolean {
    return this.#preflight;
  }

  passedPreflight(): void {
    this.#preflight = true;
    this.#decision = "bypass";
    this.#reason = "preflight";
    this.#decidedAtMs = this.#services.clock.monotonic();
  }

  /** Answers with a refusal of the table. */
  answerRefusal(decision: RecordedDecision, code: RefusalCode, reason: string = code, context: Partial<RefusalContext> = {}): void {
    this.#decision = decision;
    this.#reason = reason;
    this.#answer(code, context);
  }

  /** Sends the visitor elsewhere; the place is checked where Location is written (R-E1). */
  answerRedirect(decision: RecordedDecision, reason: string, to: string | OwnLocation, fields: Fields): void {
    this.#decision = decision;
    this.#reason = reason;
    this.#status = respondRedirect(this.exchange, to, { requestId: this.requestId, fields }).status;
  }

  /** Reads the whole body of a request to one of the relay's own pages. */
  readBody(maxBytes: number): Promise<SmallBody> {
    const reader = new SmallBodyReader(maxBytes);
    if (this.exchange.request.bodyless) reader.end();
    else {
      this.#bodyReader = reader;
      this.exchange.sendContinue();
      this.exchange.resume();
    }
    return reader.result;
  }

  /** Answers a request of the relay's own pages. The record says who answered, nothing of the content. */
  answerOwn(status: number, fields: Fields, body: Uint8Array = NO_BODY, cacheControl = "no-store"): void {
    this.#decision = "own";
    this.#reason = "own-page";
    this.#status = status;
    const bare = body.length === 0 || this.exchange.request.method === "HEAD";
    const lengthField = status === 204 || status === 304 ? [] : ["Content-Length", String(body.length)];
    const own = ownFields(this.requestId, cacheControl);
    this.exchange.sendHead(status, [...own, ...lengthField, ...fields], bare);
    if (bare) return;
    this.#ownBytes = body.length;
    this.exchange.write(body);
    this.exchange.end();
  }

  /** Somebody else speaks on the socket from here on (the tunnel endpoint). */
  tookSocket(status: number): void {
    this.#decision = "own";
    this.#reason = "tunnel";
    this.#status = status;
  }

  /** Step 5: down the tunnel. */
  forward(request: UnsignedForward, assertion: AssertionSource | undefined): void {
    if (this.closed) return;
    const { active, registry, clock } = this.#services;
    if (!active.admits(request.tunnel, this.party)) return this.#answer("ERR_OVERLOADED", {});
    active.add(this);
    this.#openedAtMs = clock.monotonic();
    if (request.head.kind === StreamKind.TCP) this.#tcp = new TcpWebSocket(this.exchange);
    this.#forwarding = new Forwarding(registry, this.#tcp ?? this.exchange, { ...request, assertion }, this);
    this.#tcp?.carry(this.#forwarding);
    this.#forwarding.start();
  }

  /** A fault of ours: answered when it still can be, never fatal. */
  fault(error: unknown): void {
    this.#services.onFault(this.requestId, error);
    if (this.#status === 0 && !this.#closed) this.answerRefusal("refused", "ERR_RELAY_INTERNAL");
    else this.exchange.abort();
  }

  /** Nobody waits for an answer any more. */
  get closed(): boolean {
    return this.#closed || this.#gone;
  }

  /** Ends it in the way of its kind, and cuts it where that does not come about. */
  revoke(): void {
    if (this.#cutTimer !== undefined) return;
    this.#cutTimer = this.#services.clock.after(POLITE_END_MS, () => this.exchange.abort());
    this.#reason = "revoked";
    this.#tcp?.close(CLOSE_POLICY_VIOLATION, POLICY_CLOSE_REASON);
    if (this.#forwarding === undefined) this.exchange.abort();
    else this.#forwarding.revoke();
  }

  // From the visitor --------------------------------------------------------------------------------------------

  onData(chunk: Uint8Array): void {
    this.#bodyReader?.data(chunk);
    if (this.#tcp !== undefined) return this.#tcp.onData(chunk);
    this.#forwarding?.bodyData(chunk);
  }

  onEnd(): void {
    this.#bodyReader?.end();
    if (this.#tcp !== undefined) return this.#tcp.onSocketEnd();
    this.#forwarding?.bodyEnd();
  }

  onRefused(code: RefusalCode): void {
    this.#code = code;
    this.#status = REFUSALS[code].status;
    this.#reason = this.exchange.abortReason ?? code;
  }

  onAbort(http2Code: number): void {
    this.#gone = true;
    this.#bodyReader?.abort();
    const timedOut = this.exchange.abortReason === "body-timeout";
    this.#forwarding?.visitorGone(http2Code, timedOut);
  }

  onDrain(): void {
    this.#tcp?.drained();
    this.#forwarding?.visitorDrained();
  }

  onClose(): void {
    if (this.#closed) return;
    this.#bodyReader?.abort();
    this.#cutTimer?.cancel();
    this.#closed = true;
    this.#forwarding?.visitorDrained();
    this.#services.active.remove(this);
    this.#services.record(this.#toRecord(), this.identity === undefined && this.#decision !== "bypass" && this.#decision !== "own");
    // Where the engine cut it by itself nobody else tells: without this the origin would send on to nobody (R-D9).
    this.#forwarding?.visitorGone(0, false);
  }

  // From the forwarding -----------------------------------------------------------------------------------------

  refuse(failure: ForwardFailure): void {
    if (failure.kind === "visitor-gone") return;
    const detail = "detail" in failure && failure.detail !== "" ? { detail: failure.detail } : {};
    this.#answer(refusalOf(failure), detail);
  }

  onStatus(status: number): void {
    this.#status = status;
    this.#headAtMs = this.#services.clock.monotonic();
  }

  onFinished(failure: ForwardFailure | undefined): void {
    if (failure === undefined || this.#code !== undefined) return;
    if (failure.kind !== "visitor-gone") this.#code = refusalOf(failure);
    this.#reason = failure.kind === "reset" ? `reset-${failure.code}` : failure.kind;
  }

  get policyTrailers(): Fields | undefined {
    return grpcTrailers(this.exchange.request, "ERR_ACCESS_DENIED", POLICY_CLOSE_REASON);
  }

  createFollower(): FrameFollower {
    return this.#tcp === undefined ? new WebSocketFrameFollower() : BETWEEN_FRAMES;
  }

  // -------------------------------------------------------------------------------------------------------------

  #answer(code: RefusalCode, context: Partial<RefusalContext>): void {
    this.#code = code;
    this.#status = REFUSALS[code].status;
    const shown = this.application === undefined ? {} : { applicationName: this.application.name };
    const fields = [...this.#readableFields(), ...(context.fields ?? [])];
    const { look, config } = this.runtime;
    const pageHost = this.canonical?.hostname === config.authUrl.hostname ? "auth" : "elsewhere";
    const own = { look, pageHost, requestId: this.requestId, atMs: this.#services.clock.now() } as const;
    const answered = respondWith(this.exchange, code, { ...shown, ...context, ...own, fields });
    this.#status = answered.status;
    this.#ownBytes = answered.bodyBytes;
  }

  /** Pages of origins that the application allows may read what the relay itself answers (A14). */
  #readableFields(): Fields {
    return this.application === undefined ? NO_FIELDS : readableBy(this.exchange.request.fields, this.application.config.allowedOrigins);
  }

  #toRecord(): RequestRecord {
    const nowMs = this.#services.clock.monotonic();
    const { request } = this.exchange;
    const forwarding = this.#forwarding;
    return {
      requestId: this.requestId,
      identity: this.identity,
      certificate: this.facts?.clientCertificate,
      application: this.application?.name,
      tunnel: this.application?.tunnel,
      connectorId: forwarding?.connection?.info.connectorId,
      sourceIp: this.client.address,
      sourceFrom: this.client.derivedFrom,
      method: request.method,
      host: this.canonical?.hostname ?? "",
      path: this.canonical?.tcp === true ? TCP_PATH : (this.canonical?.target.pathname ?? ""),
      userAgent: userAgentOf(request.fields),
      policy: this.#policy,
      decision: this.#decision,
      reason: this.#reason,
      code: this.#code,
      status: this.#status,
      answeredBy: this.#code !== undefined || forwarding === undefined ? hopOf(this.#code) : "origin",
      bytesIn: forwarding?.bytesIn ?? 0,
      bytesOut: this.#ownBytes + (forwarding?.bytesOut ?? 0),
      durationMs: nowMs - this.#startedAtMs,
      decisionMs: this.#decidedAtMs === 0 ? 0 : this.#decidedAtMs - this.#startedAtMs,
      headMs: this.#openedAtMs === undefined || this.#headAtMs === undefined ? undefined : this.#headAtMs - this.#openedAtMs,
    };
  }
}

/** By identity, which lives as long as its session or token. */
const parties = new WeakMap<Identity, string>();

function partyOf(identity: Identity | undefined, address: string): string {
  if (identity === undefined) return `address ${address}`;
  let party = parties.get(identity);
  if (party === undefined) {
    party = identity.kind === "service" ? `service ${identity.tokenId}` : `person ${identity.provider} ${identity.subject}`;
    parties.set(identity, party);
  }
  return party;
}

function hopOf(code: RefusalCode | undefined): "relay" | "connector" {
  const hop = code === undefined ? "relay" : REFUSALS[code].hop;
  return hop === "connector" || hop === "origin" ? "connector" : "relay";
}

function refusalOf(failure: ForwardFailure): RefusalCode {
  switch (failure.kind) {
    case "no-connection":
      return "ERR_TUNNEL_NOT_CONNECTED";
    case "reset":
      return refusalOfReset(failure.code);
    case "bad-response":
      return "ERR_ORIGIN_PROTOCOL";
    case "body-too-large":
      return "ERR_BODY_TOO_LARGE";
    case "body-timeout":
      return "ERR_BODY_TIMEOUT";
    case "revoked":
      return "ERR_ACCESS_DENIED";
    case "visitor-gone":
      return "ERR_TUNNEL_LOST";
  }
}
