// Exchanges under way are decided again by what they were decided by: after every change of configuration or credential, and
// now and then for what only time changes (R-I2, R-I3, R-N4). What is no longer allowed, or no longer published, ends.

import type { Clock } from "@sallyport/shared/clock";
import type { Identity } from "../authn/identity.ts";
import type { InFlight } from "./in-flight.ts";
import type { Runtime } from "./runtime.ts";

/** How often everything is looked at again: bounds how long an expired token or a closed time window keeps a stream. */
export const REDECIDE_INTERVAL_MS = 15_000;

export interface RedecideOptions {
  readonly active: Iterable<InFlight>;
  readonly runtime: Runtime;
  readonly clock: Clock;
  isLive(identity: Identity): boolean;
}

export function redecide(options: RedecideOptions): void {
  for (const request of [...options.active]) {
    if (!stillAllowed(request, options)) request.revoke();
  }
}

function stillAllowed(request: InFlight, { runtime, clock, isLive }: RedecideOptions): boolean {
  const { canonical, facts, application, identity } = request;
  if (canonical === undefined || facts === undefined || application === undefined) return true;
  if (identity !== undefined && !isLive(identity)) return false;
  const route = runtime.routes.find(canonical.hostname, canonical.target.readings);
  if (route.kind !== "application" || route.application.tunnel !== application.tunnel || route.application.service !== application.service) return false;
  return runtime.decisions.decide(route.application.policies, { ...facts, countryOf: runtime.countryOf, nowMs: clock.now() }).outcome === "allow";
}
