// THE path of a request through the relay: canonicalise, route, authenticate, authorize, forward. Each step is a file of
// its own; here is their order, and what each refusal means. Synchronous for a known session, no I/O, no signature.

import { TUNNEL_PATH } from "@sallyport/shared/protocol/frame";
import { allValues, type Fields, NO_FIELDS } from "@sallyport/shared/http/fields";
import { TCP_PROTOCOL_V1 } from "@sallyport/shared/http/websocket-bytes";
import type { ApplicationTokens } from "../authn/application-token.ts";
import type { Authentication, Authenticator } from "../authn/authenticate.ts";
import { clearCookie } from "../authn/cookies.ts";
import type { Identity } from "../authn/identity.ts";
import type { ClaimsRefresher } from "../authn/renewal.ts";
import type { SessionVerdict } from "../authn/session-length.ts";
import type { SessionStore } from "../authn/session.ts";
import type { AccessAssertionIssuer } from "../authz/access-assertion.ts";
import type { AssertionIssuer } from "../authz/assertion.ts";
import type { VerdictLook, Verdicts } from "../authz/external/verdicts.ts";
import { noExternal, type ExternalLookup, type RequestFacts } from "../authz/facts.ts";
import type { Decision } from "../authz/policy.ts";
import { REASONS } from "../authz/reasons.ts";
import type { CorsConfig } from "../config/types.ts";
import type { SessionMaintenance } from "../state/sessions.ts";
import { isForeign, isPreflight, originOf, preflightAnswer } from "./browser-guard.ts";
import { asTcpRequest, canonicalise, type CanonicalRequest } from "./canonicalise.ts";
import { certificateFactOf, isRightConnection } from "./client-certificate.ts";
import { createForward } from "./forward-request.ts";
import { InFlight, type InFlightServices } from "./in-flight.ts";
import type { IngressExchange } from "./exchange.ts";
import { decideDestination } from "./destination.ts";
import { originIdentity, withAccessAssertion } from "./origin-identity.ts";
import { isNavigation } from "./respond.ts";
import type { Application, Runtime } from "./runtime.ts";
import { judgeForApplication, renewedCookie } from "./session-use.ts";

/** What the pipeline calls, wired by relay.ts. */
export interface PipelineServices extends InFlightServices {
  /** The configuration of this moment. */
  runtime(): Runtime;
  readonly authenticator: Authenticator;
  readonly assertions: AssertionIssuer;
  readonly accessAssertions: AccessAssertionIssuer;
  readonly tokens: ApplicationTokens;
  readonly claims: Pick<ClaimsRefresher, "look" | "confirm">;
  /** What external evaluators said. */
  readonly verdicts: Pick<Verdicts, "look" | "settle">;
  readonly sessions: Pick<SessionStore, "seen"> & Pick<SessionMaintenance, "lastSeenAt">;
  /** Sends a person to sign in, with these fields on the answer as well. Undefined: people are told with a page. */
  readonly loginRedirect?: ((request: InFlight, canonical: CanonicalRequest, application: Application, fields: Fields) => void) | undefined;
  /** Where somebody can sign in for this application: told to programs, opened in a browser. */
  loginUrl(canonical: CanonicalRequest, application: Application): string;
  /** Requests to the auth host. */
  serveAuthHost(request: InFlight, canonical: CanonicalRequest): void;
  /** The relay's own paths on an application's host (/.sallyport/...). */
  serveReserved(request: InFlight, canonical: CanonicalRequest): void;
  policyEvaluated(durationMs: number): void;
  /** Whether a decision that was made for this request would be made again now. */
  stillAllowed(request: InFlight): boolean;
  /** True while protected applications must stay closed because nothing can be recorded (R-M5). */
  recordingRequired(): boolean;
}

const IDENTITY_INCOMPLETE =
  "This application has to be told who you are, and your account does not say it: your provider gave no verified email, or too much to pass on.";
const NOBODY: Authentication = { kind: "anonymous", cookie: "none" };
type Identified = Extract<Authentication, { kind: "identified" }>;

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
  if (canonical.kind === "asterisk") return request.answerOwn(204, ["Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]);
  request.canonical = canonical;
  if (canonical.port !== runtime.publicPort) return request.answerRefusal("refused", "ERR_HOST_UNKNOWN");
  if (!isRightConnection(request.exchange.request, runtime.clientAuthorities.of(canonical.hostname)))
    return request.answerRefusal("refused", "ERR_CONNECTION_MISDIRECTED");
  if (canonical.hostname === config.authUrl.hostname) return services.serveAuthHost(request, canonical);

  const route = runtime.routes.find(canonical.hostname, canonical.target.readings);
  switch (route.kind) {
    case "unknown-host":
      return request.answerRefusal("refused", "ERR_HOST_UNKNOWN");
    case "ambiguous":
      return request.answerRefusal("refused", "ERR_PATH_AMBIGUOUS");
    case "no-application":
      return request.answerRefusal("deny", "ERR_ACCESS_DENIED", "no-application");
    case "reserved": {
      const tcp = asTcpRequest(canonical);
      return tcp === undefined ? services.serveReserved(request, canonical) : connectTcp(services, runtime, request, tcp);
    }
    case "application":
      request.application = route.application;
      return authorize({ services, runtime, request, canonical, application: route.application });
  }
}

/** A TCP service is a whole application, at the root of its host; from here on it is a request like any other. */
function connectTcp(services: PipelineServices, runtime: Runtime, request: InFlight, canonical: CanonicalRequest): void {
  request.canonical = canonical;
  const protocols = allValues(request.exchange.request.fields, "sec-websocket-protocol");
  if (protocols.length !== 1 || protocols[0] !== TCP_PROTOCOL_V1)
    return request.answerRefusal("own", "ERR_PROTOCOL_VERSION", "protocol-version");
  const route = runtime.routes.find(canonical.hostname, canonical.target.readings);
  if (route.kind !== "application") return request.answerRefusal("deny", "ERR_ACCESS_DENIED", "no-application");
  request.application = route.application;
  authorize({ services, runtime, request, canonical, application: route.application });
}

/** One request on its way through steps 3 to 5. */
interface Step {
  readonly services: PipelineServices;
  readonly runtime: Runtime;
  readonly request: InFlight;
  readonly canonical: CanonicalRequest;
  readonly application: Application;
}

function authorize(step: Step): void {
  const { services, runtime, request, canonical, application } = step;
  const { fields } = request.exchange.request;
  const { cors } = application.config;
  if (cors !== undefined && isPreflight(canonical.method, fields)) return preflight(step, cors);
  const authentication = services.authenticator.authenticate(fields, application.credentials);
  if (authentication.kind === "invalid")
    return request.answerRefusal("deny", "ERR_CREDENTIAL_INVALID", `credential-${authentication.reason}`);
  if (authentication.kind === "conflict") return request.answerRefusal("deny", "ERR_CREDENTIAL_CONFLICT", "credential-conflict");
  const person = authentication.kind === "identified" ? authentication.person : undefined;
  if (person === undefined || services.claims.look(person.session) === "current") return decide(step, authentication);
  // Whoever gets in without a login does not wait for somebody to vouch for them.
  const anonymously = runtime.decisions.decide(application.policies, factsOf(step, undefined));
  if (anonymously.outcome === "allow") return decide(step, NOBODY);
  // An idle session wakes: this one request waits for the provider's word (R-F9).
  services.claims
    .confirm(person.session)
    .then((confirmed) => {
      if (request.closed) return;
      if (confirmed === "unconfirmed") return request.answerRefusal("deny", "ERR_IDENTITY_UNCONFIRMED", "claims-outdated");
      decide(step, services.authenticator.authenticate(fields, application.credentials));
    })
    .catch((error: unknown) => request.fault(error));
}

/** A person who is denied sees as whom, and how to come in as somebody else; programs are not sent to a login. */
function otherAccount(step: Step, identity: Identity | undefined): { readonly signedInAs?: string; readonly loginUrl?: string } {
  const { services, request, canonical, application } = step;
  if (identity?.kind !== "person" || !isNavigation(request.exchange.request)) return {};
  return { signedInAs: identity.email ?? identity.name ?? identity.subject, loginUrl: services.loginUrl(canonical, application) };
}

function decide(step: Step, authentication: Authentication): void {
  const { services, runtime, request, canonical, application } = step;
  if (authentication.kind === "invalid" || authentication.kind === "conflict")
    return request.answerRefusal("deny", "ERR_CREDENTIAL_INVALID", "session-ended");
  const identity = authentication.kind === "identified" ? authentication.identity : undefined;
  request.identity = identity;
  if (canonical.methodOverride && application.policies.dependsOn.method)
    return request.answerRefusal("deny", "ERR_ACCESS_DENIED", "method-override");

  const look = services.verdicts.look(application, identity);
  const facts = factsOf(step, identity, look?.lookup);
  const startedAtMs = services.clock.monotonic();
  const decision = runtime.decisions.decide(application.policies, facts);
  services.policyEvaluated(services.clock.monotonic() - startedAtMs);
  if (look !== undefined && look.missing.size > 0) return awaitVerdicts(step, look);
  request.decided(decision, facts);
  if (decision.outcome === "deny") {
    const code = decision.reason === "service-token-required" ? "ERR_CREDENTIAL_REQUIRED" : "ERR_ACCESS_DENIED";
    return request.answerRefusal("deny", code, decision.reason, { detail: REASONS[decision.reason], ...otherAccount(step, identity) });
  }
  if (decision.outcome === "login") return askToSignIn(step, authentication, decision.reason);
  if (decision.action === "bypass") return forward(step, authentication, facts, true);

  if (authentication.kind === "identified") {
    const refusal = judgeLogin(step, authentication, decision, facts.nowMs);
    if (refusal === "foreign") return request.answerRefusal("deny", "ERR_ORIGIN_NOT_ALLOWED", "cross-site");
    if (refusal !== "good") return askToSignIn(step, authentication, `session-${refusal}`);
  }
  if (services.recordingRequired()) return request.answerRefusal("deny", "ERR_RECORD_UNAVAILABLE", "recording-failed");
  forward(step, authentication, facts, false);
}

/** First use of an evaluator's answer: this one request waits for it (A12). Whoever it is may have signed out meanwhile. */
function awaitVerdicts(step: Step, look: VerdictLook): void {
  const { services, request, application } = step;
  services.verdicts
    .settle(look)
    .then(() => {
      if (!request.closed) decide(step, services.authenticator.authenticate(request.exchange.request.fields, application.credentials));
    })
    .catch((error: unknown) => request.fault(error));
}

/** Whether an allowed request may use the credential that it came with, beyond what policies say. Notes the use when it may. */
function judgeLogin(step: Step, authentication: Identified, decision: Decision, nowMs: number): SessionVerdict | "foreign" {
  const { services, runtime, request, canonical, application } = step;
  const { fields, upgrade } = request.exchange.request;
  const ownOrigin = originOf(runtime.config.authUrl.scheme, canonical.hostname, canonical.port);
  const guarded = { fields, method: canonical.method, upgrade, ownOrigin, allowedOrigins: application.config.allowedOrigins };
  if (authentication.source === "cookie" && isForeign(guarded)) return "foreign";
  const session = authentication.person?.session;
  if (session === undefined) return "good";
  const verdict = judgeForApplication(runtime, application, decision, {
    session,
    lastSeenAt: services.sessions.lastSeenAt(session.id),
    nowMs,
  });
  if (verdict === "good") services.sessions.seen(session.id);
  return verdict;
}

/** People are sent to sign in, programs are told where (R-H7). */
function askToSignIn(step: Step, authentication: Authentication, reason: string): void {
  const { services, request, canonical, application } = step;
  const broken = authentication.kind === "anonymous" && authentication.cookie === "broken";
  const { scheme, name, sameSite } = application.cookie;
  const fields = broken ? ["Set-Cookie", clearCookie(scheme, name, sameSite)] : [];
  if (services.loginRedirect !== undefined && isNavigation(request.exchange.request))
    return services.loginRedirect(request, canonical, application, fields);
  request.answerRefusal("login", "ERR_LOGIN_REQUIRED", reason, { fields, loginUrl: services.loginUrl(canonical, application) });
}

/** A preflight has no credentials by design (Fetch standard); what follows it is decided like any other request. */
function preflight(step: Step, cors: CorsConfig): void {
  const { request, canonical, application } = step;
  const { fields } = request.exchange.request;
  // Nobody is behind it yet: a field that makes another request of it would reach the origin undecided (R-A12).
  if (cors.preflight === "forward" && canonical.methodOverride)
    return request.answerRefusal("deny", "ERR_ACCESS_DENIED", "method-override");
  if (cors.preflight === "forward") {
    request.passedPreflight();
    return forward(step, NOBODY, factsOf(step, undefined), true);
  }
  request.answerOwn(204, preflightAnswer(fields, application.config.allowedOrigins, cors));
}

/** Step 5. `anonymous`: the origin is told nothing about who asks. */
function forward(step: Step, authentication: Authentication, facts: RequestFacts, anonymous: boolean): void {
  const { services, runtime, request, canonical, application } = step;
  const destination = decideDestination(request.exchange.request, canonical, runtime, application, facts);
  if (destination.kind === "refused") return request.answerRefusal("deny", destination.code, "destination-denied");
  const { exchange, client, requestId } = request;
  const consumedAuthorization = authentication.kind === "identified" && authentication.consumedAuthorization;
  const who = anonymous ? undefined : facts.identity;
  const identity = originIdentity(application, who);
  if (identity === undefined)
    return request.answerRefusal("deny", "ERR_ACCESS_DENIED", "identity-incomplete", { detail: IDENTITY_INCOMPLETE });
  const created = createForward(runtime, {
    request: exchange.request,
    canonical,
    application,
    client,
    requestId,
    consumedAuthorization,
    identity,
  });
  if (created.kind === "refused") return request.answerRefusal("refused", created.code);
  const assertion = services.assertions.get(application, who);
  const access = accessToken(services, application, facts, who);
  const renewed = anonymous ? undefined : renewedCookie(services.tokens, application, authentication, facts.nowMs);
  if (!(assertion instanceof Promise) && renewed === undefined && access === undefined) {
    // The request may have waited for its claims: a configuration that came meanwhile counts (R-N4).
    if (services.runtime() === runtime || services.stillAllowed(request)) return request.forward(created.forward, assertion);
    return request.answerRefusal("deny", "ERR_ACCESS_DENIED", "revoked");
  }
  Promise.all([assertion, renewed, access])
    .then(([signed, cookie = NO_FIELDS, token]) => {
      if (request.closed) return;
      // Nothing that ended while the token was signed goes through: not yet under way, it was not seen by redecide().
      if (!services.stillAllowed(request)) return request.answerRefusal("deny", "ERR_ACCESS_DENIED", "revoked");
      const { head, responseFields } = created.forward;
      const fields = token === undefined || who === undefined ? head.fields : withAccessAssertion(head.fields, token, who);
      request.forward({ ...created.forward, head: { ...head, fields }, responseFields: [...responseFields, ...cookie] }, signed);
    })
    .catch((error: unknown) => request.fault(error));
}

function accessToken(
  services: PipelineServices,
  { access }: Application,
  facts: RequestFacts,
  who: Identity | undefined,
): string | Promise<string> | undefined {
  if (access === undefined || who === undefined) return undefined;
  return services.accessAssertions.get(access, who, facts.countryOf(facts.ip));
}

function factsOf(
  { services, runtime, request, canonical }: Step,
  identity: Identity | undefined,
  external: ExternalLookup = noExternal,
): RequestFacts {
  const nowMs = services.clock.now();
  return {
    identity,
    ip: request.client.ip,
    countryOf: runtime.countryOf,
    method: canonical.method,
    nowMs,
    clientCertificate: certificateFactOf(request.exchange.request, runtime.clientAuthorities.of(canonical.hostname), nowMs),
    external,
  };
}

/** Whether a request to the auth host wants to become a tunnel connection. */
export function isTunnelRequest(canonical: CanonicalRequest): boolean {
  return canonical.upgradeKey !== undefined && canonical.target.path === TUNNEL_PATH;
}
