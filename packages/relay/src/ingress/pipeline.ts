// THE path of a request through the relay: canonicalise, route, authenticate, authorize, forward. Each step is a file of
// its own; here is their order, and what each refusal means. Synchronous for a known session, no I/O, no signature.

import { TUNNEL_PATH } from "@sallyport/shared/protocol/frame";
import type { Authenticator } from "../authn/authenticate.ts";
import type { Identity } from "../authn/identity.ts";
import type { AssertionIssuer } from "../authz/assertion.ts";
import { noExternal, type RequestFacts } from "../authz/facts.ts";
import { parseIp } from "../authz/ip.ts";
import { REASONS } from "../authz/reasons.ts";
import { canonicalise, type CanonicalRequest } from "./canonicalise.ts";
import { createForward } from "./forward-request.ts";
import { InFlight, type InFlightServices } from "./in-flight.ts";
import type { IngressExchange } from "./exchange.ts";
import { decideDestination } from "./destination.ts";
import type { Application, Runtime } from "./runtime.ts";

/** What the pipeline calls, wired by relay.ts. */
export interface PipelineServices extends InFlightServices {
  /** The configuration of this moment. */
  runtime(): Runtime;
  readonly authenticator: Authenticator;
  readonly assertions: AssertionIssuer;
  /** Requests to the auth host. */
  serveAuthHost(request: InFlight, canonical: CanonicalRequest): void;
  /** The relay's own paths on an application's host (/.sallyport/...). */
  serveReserved(request: InFlight, canonical: CanonicalRequest): void;
  policyEvaluated(durationMs: number): void;
  /** True while protected applications must stay closed because nothing can be recorded (R-M5). */
  recordingRequired(): boolean;
}

const NO_BODY = new Uint8Array(0);

/** @returns the listener for {@link IngressServerOptions.onExchange} */
export function createPipeline(services: PipelineServices): (exchange: IngressExchange) => void {
  return (exchange) => {
    const runtime = services.runtime();
    const request = new InFlight(services, runtime, exchange);
    try {
      handle(services, runtime, request);
    } catch (error) {
      request.fault(error);
    }
  };
}

function handle(services: PipelineServices, runtime: Runtime, request: InFlight): void {
  const { config } = runtime;
  const canonical = canonicalise(request.exchange.request, config.authUrl.scheme, runtime.fieldLimits);
  if (canonical.kind === "refused") return request.answerRefusal("refused", canonical.code);
  if (canonical.kind === "asterisk") return request.answerOwn(204, ["Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"], NO_BODY);
  request.canonical = canonical;
  if (canonical.port !== runtime.publicPort) return request.answerRefusal("refused", "ERR_HOST_UNKNOWN");
  if (canonical.hostname === config.authUrl.hostname) return services.serveAuthHost(request, canonical);

  const route = runtime.routes.find(canonical.hostname, canonical.target.readings);
  switch (route.kind) {
    case "unknown-host":
      return request.answerRefusal("refused", "ERR_HOST_UNKNOWN");
    case "ambiguous":
      return request.answerRefusal("refused", "ERR_PATH_AMBIGUOUS");
    case "no-application":
      return request.answerRefusal("deny", "ERR_ACCESS_DENIED", "no-application");
    case "reserved":
      return services.serveReserved(request, canonical);
    case "application":
      request.application = route.application;
      return authorize(services, runtime, request, canonical, route.application);
  }
}

function authorize(services: PipelineServices, runtime: Runtime, request: InFlight, canonical: CanonicalRequest, application: Application): void {
  const authentication = services.authenticator.authenticate(request.exchange.request.fields, application.credentials);
  if (authentication.kind === "invalid") return request.answerRefusal("deny", "ERR_CREDENTIAL_INVALID", `credential-${authentication.reason}`);
  if (authentication.kind === "conflict") return request.answerRefusal("deny", "ERR_CREDENTIAL_CONFLICT", "credential-conflict");
  const identity = authentication.kind === "identified" ? authentication.identity : undefined;
  request.identity = identity;
  if (canonical.methodOverride && application.policies.dependsOn.method) return request.answerRefusal("deny", "ERR_ACCESS_DENIED", "method-override");

  const facts = factsOf(services, runtime, request, identity, canonical.method);
  const startedAtMs = services.clock.monotonic();
  const decision = runtime.decisions.decide(application.policies, facts);
  services.policyEvaluated(services.clock.monotonic() - startedAtMs);
  request.decided(decision, facts);
  if (decision.outcome === "deny") {
    const code = decision.reason === "service-token-required" ? "ERR_CREDENTIAL_REQUIRED" : "ERR_ACCESS_DENIED";
    return request.answerRefusal("deny", code, decision.reason, { detail: REASONS[decision.reason] });
  }
  if (decision.outcome === "login") return request.answerRefusal("login", "ERR_LOGIN_REQUIRED", decision.reason);
  if (decision.action !== "bypass" && services.recordingRequired()) return request.answerRefusal("deny", "ERR_RECORD_UNAVAILABLE", "recording-failed");
  const destination = decideDestination(request.exchange.request, canonical, runtime, application, facts);
  if (destination.kind === "refused") return request.answerRefusal("deny", destination.code, "destination-denied");

  const { exchange, client, requestId } = request;
  const consumedAuthorization = authentication.kind === "identified" && authentication.consumedAuthorization;
  const input = { request: exchange.request, canonical, application, client, requestId, consumedAuthorization };
  const forward = createForward(runtime, input);
  if (forward.kind === "refused") return request.answerRefusal("refused", forward.code);
  const assertion = services.assertions.get(application, decision.action === "bypass" ? undefined : identity);
  if (assertion instanceof Promise) assertion.then((signed) => request.forward(forward.forward, signed)).catch((error: unknown) => request.fault(error));
  else request.forward(forward.forward, assertion);
}

function factsOf(services: PipelineServices, runtime: Runtime, request: InFlight, identity: Identity | undefined, method: string): RequestFacts {
  return {
    identity,
    ip: parseIp(request.client.address),
    countryOf: runtime.countryOf,
    method,
    nowMs: services.clock.now(),
    clientCertificate: undefined,
    external: noExternal,
  };
}

/** Whether a request to the auth host wants to become a tunnel connection. */
export function isTunnelRequest(canonical: CanonicalRequest): boolean {
  return canonical.upgradeKey !== undefined && canonical.target.path === TUNNEL_PATH;
}

