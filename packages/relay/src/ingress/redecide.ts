// Exchanges under way are decided again by what they were decided by: after every change of configuration or credential, and
// now and then for what only time changes (R-I2, R-I3, R-N4). What is no longer allowed, or no longer published, ends.

import type { Clock } from "@sallyport/shared/clock";
import type { Identity } from "../authn/identity.ts";
import { isTooOld } from "../authn/session-length.ts";
import type { Session } from "../authn/session.ts";
import type { VerdictLook, Verdicts } from "../authz/external/verdicts.ts";
import { noExternal } from "../authz/facts.ts";
import type { CanonicalRequest } from "./canonicalise.ts";
import { certificateFactOf } from "./client-certificate.ts";
import type { InFlight } from "./in-flight.ts";
import { sessionLengths } from "./session-use.ts";
import type { Application, Runtime } from "./runtime.ts";

/** How often everything is looked at again: bounds how long an expired token or a closed time window keeps a stream. */
export const REDECIDE_INTERVAL_MS = 15_000;

/** What a decision is made by now. */
export interface DecisionContext {
  /** Of the moment, at each use. */
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly verdicts: Pick<Verdicts, "look" | "settle">;
  /** The identity as it is now; undefined when it could no longer make a request. */
  current(identity: Identity): { readonly identity: Identity; readonly session: Session | undefined } | undefined;
  /** An exchange under way is a use of its session: keeps claims current. @returns false when they are too old to go on with */
  used(session: Session): boolean;
}

export function redecide(active: Iterable<InFlight>, context: DecisionContext): void {
  for (const request of [...active]) {
    const missing: VerdictLook[] = [];
    if (stillAllowed(request, context, missing)) continue;
    const [look] = missing;
    if (look === undefined) request.revoke();
    else settleFirst(request, context, look);
  }
}

/** An evaluator that was not asked about new claims yet is no reason to end anything: it is asked first (A12). */
function settleFirst(request: InFlight, context: DecisionContext, look: VerdictLook): void {
  context.verdicts
    .settle(look)
    .then(() => {
      if (!request.closed && !stillAllowed(request, context)) request.revoke();
    })
    .catch((error: unknown) => request.fault(error));
}

/**
 * Whether what was decided once would be decided the same now. True for what no policy was asked about.
 * @param missing takes what is to be asked of evaluators before a refusal is final
 */
export function stillAllowed(
  request: InFlight,
  { runtime, clock, current, used, verdicts }: DecisionContext,
  missing: VerdictLook[] = [],
): boolean {
  const { canonical, facts, application } = request;
  if (canonical === undefined || application === undefined) return true;
  if (request.preflight) return routeNow(runtime, canonical, application)?.config.cors?.preflight === "forward";
  if (facts === undefined) return true;
  const now = facts.identity === undefined ? undefined : current(facts.identity);
  if (facts.identity !== undefined && now === undefined) return false;
  const published = routeNow(runtime, canonical, application);
  if (published === undefined) return false;
  const nowMs = clock.now();
  // A certificate that was verified by authorities which have changed is not known any more.
  const clientCertificate = certificateFactOf(request.exchange.request, runtime.clientAuthorities.of(canonical.hostname), nowMs);
  const look = verdicts.look(published, now?.identity);
  const external = look?.lookup ?? noExternal;
  const factsNow = { ...facts, identity: now?.identity, countryOf: runtime.countryOf, nowMs, clientCertificate, external };
  const decision = runtime.decisions.decide(published.policies, factsNow);
  if (look !== undefined && look.missing.size > 0) missing.push(look);
  if (decision.outcome !== "allow") return false;
  if (now?.session === undefined || decision.action === "bypass") return true;
  return !isTooOld(now.session, sessionLengths(runtime, published, decision), factsNow.nowMs) && used(now.session);
}

/** The application that the request belongs to now; undefined when it would go elsewhere, or nowhere. */
function routeNow(runtime: Runtime, canonical: CanonicalRequest, application: Application): Application | undefined {
  const route = runtime.routes.find(canonical.hostname, canonical.target.readings);
  if (route.kind !== "application") return undefined;
  const { tunnel, service } = route.application;
  return tunnel === application.tunnel && service === application.service ? route.application : undefined;
}
