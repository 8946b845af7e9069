// After a change of configuration every exchange under way is decided again by what it was decided by (R-I2, R-N4): what is
// no longer allowed, or no longer published, ends.

import type { Clock } from "@sallyport/shared/clock";
import type { InFlight } from "./in-flight.ts";
import type { Runtime } from "./runtime.ts";

export function redecide(active: Iterable<InFlight>, runtime: Runtime, clock: Clock): void {
  for (const request of [...active]) {
    if (!stillAllowed(request, runtime, clock)) request.revoke();
  }
}

function stillAllowed(request: InFlight, runtime: Runtime, clock: Clock): boolean {
  const { canonical, facts, application } = request;
  if (canonical === undefined || facts === undefined || application === undefined) return true;
  const route = runtime.routes.find(canonical.hostname, canonical.target.readings);
  if (route.kind !== "application" || route.application.tunnel !== application.tunnel || route.application.service !== application.service) return false;
  return runtime.decisions.decide(route.application.policies, { ...facts, countryOf: runtime.countryOf, nowMs: clock.now() }).outcome === "allow";
}
