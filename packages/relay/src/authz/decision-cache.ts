// Remembers decisions of signed-in visitors, so that a known session costs a look-up. Between the pipeline and
// evaluate.ts. Correct by construction: keyed by the objects themselves, which are replaced when they change.

import type { Identity } from "../authn/identity.ts";
import { evaluate } from "./evaluate.ts";
import { ruleMethod, type RequestFacts } from "./facts.ts";
import type { CompiledApplication, Decision } from "./policy.ts";

/** Different keys remembered per identity and application; then its decisions are forgotten and start anew. */
const MAX_KEYS = 64;
const MS_PER_MINUTE = 60_000;

/**
 * What a decision depends on besides application and identity: the same key, the same decision. Empty when the policies
 * look at the identity alone. Time counts in minutes, which is as fine as time windows are.
 * @returns undefined when the decision must not be remembered: nobody is signed in, or an evaluator outside is asked.
 */
export function decisionKey(application: CompiledApplication, facts: RequestFacts): string | undefined {
  const { ip, country, clientCertificate, method, time, external } = application.dependsOn;
  if (external || facts.identity === undefined) return undefined;
  let key = method ? ruleMethod(facts.method) : "";
  if (ip || country) key += `|${facts.ip?.text ?? ""}`;
  if (time) key += `|${Math.floor(facts.nowMs / MS_PER_MINUTE)}`;
  if (clientCertificate) key += `|${certificateKey(facts)}`;
  return key;
}

// The fingerprint covers the names in it: it is a hash of the whole certificate.
function certificateKey({ clientCertificate }: RequestFacts): string {
  return clientCertificate?.kind === "verified" ? clientCertificate.fingerprint : (clientCertificate?.kind ?? "unknown");
}

/**
 * Decisions by identity object, application object and {@link decisionKey}. A refreshed claim makes a new identity and
 * a reload makes new applications, so nothing has to be invalidated; what is no longer referenced is collected. Make a
 * new cache when the geo database is replaced without a reload.
 */
export class DecisionCache {
  #known = new WeakMap<Identity, WeakMap<CompiledApplication, Map<string, Decision>>>();

  decide(application: CompiledApplication, facts: RequestFacts): Decision {
    const key = decisionKey(application, facts);
    if (key === undefined || facts.identity === undefined) return evaluate(application, facts);
    const decisions = this.#decisionsOf(facts.identity, application);
    const known = decisions.get(key);
    if (known !== undefined) return known;
    const decision = evaluate(application, facts);
    if (decision.reason !== "evaluator-error") remember(decisions, key, decision);
    return decision;
  }

  #decisionsOf(identity: Identity, application: CompiledApplication): Map<string, Decision> {
    let applications = this.#known.get(identity);
    if (applications === undefined) this.#known.set(identity, (applications = new WeakMap()));
    let decisions = applications.get(application);
    if (decisions === undefined) applications.set(application, (decisions = new Map()));
    return decisions;
  }
}

function remember(decisions: Map<string, Decision>, key: string, decision: Decision): void {
  if (decisions.size >= MAX_KEYS) decisions.clear();
  decisions.set(key, decision);
}
