// The policies of one application with one action, arranged so that a request looks at few of them: policies that need
// a certain email, domain, group, provider or service token are found by it. Which policy is reported never depends on
// the order of the file: the rank does (shortest session first, then name).
//
// Measured on one core of a shared machine, Node 26: see the figures in docs/policies.md ("What it costs").

import type { PersonIdentity } from "../authn/identity.ts";
import type { PolicyAction } from "../config/policy-types.ts";
import { noCountry, noExternal, type RequestFacts } from "./facts.ts";
import { domainOf } from "./names.ts";
import type { CompiledPolicy, IndexedKind } from "./policy.ts";
import { FALSE, TRUE, type Truth } from "./truth.ts";

/**
 * Whether a policy takes effect (R-N3): unknown is never enough to let anybody in, and always enough to deny.
 * `pending` as {@link pendingFor}.
 */
export function takesEffect(policy: CompiledPolicy, facts: RequestFacts, pending: Truth): boolean {
  const truth = policy.rules.evaluate(facts, pending);
  return policy.action === "deny" ? truth !== FALSE : truth === TRUE;
}

/**
 * What selectors about a person count as while nobody is signed in: deny, bypass and service must be decided without
 * them, an allow policy only has to be possible with them.
 */
export function pendingFor(action: PolicyAction): Truth {
  return action === "allow" ? TRUE : FALSE;
}

/** A policy and its place among those of its bucket; the lowest that takes effect is reported. */
interface Ranked {
  readonly policy: CompiledPolicy;
  readonly rank: number;
}

export class PolicyBucket {
  /** By rank. */
  readonly policies: readonly CompiledPolicy[];
  readonly #action: PolicyAction;
  readonly #pending: Truth;
  readonly #ranked: readonly Ranked[];
  /** Policies that no index finds. */
  readonly #unindexed: readonly Ranked[];
  readonly #index: Readonly<Record<IndexedKind, ReadonlyMap<string, readonly Ranked[]>>>;
  /** For visitors who are not signed in: policies whose value depends on the request, and the first that always takes effect. */
  readonly #anonymous: readonly Ranked[];

  /** @param policies all of the same action, in any order. */
  constructor(action: PolicyAction, policies: readonly CompiledPolicy[]) {
    this.#action = action;
    this.#pending = pendingFor(action);
    this.policies = policies.toSorted(byRank);
    this.#ranked = this.policies.map((policy, rank) => ({ policy, rank }));
    this.#unindexed = this.#ranked.filter(({ policy }) => policy.rules.indexKeys === undefined);
    this.#index = {
      email: indexBy("email", this.#ranked),
      emailDomain: indexBy("emailDomain", this.#ranked),
      identityGroup: indexBy("identityGroup", this.#ranked),
      identityProvider: indexBy("identityProvider", this.#ranked),
      serviceToken: indexBy("serviceToken", this.#ranked),
    };
    this.#anonymous = this.#ranked.filter(({ policy }) => !isSettledForAnonymous(policy) || takesEffect(policy, NOBODY, this.#pending));
  }

  /** The policy of lowest rank that takes effect; while nobody is signed in, on the assumption of {@link pendingFor}. */
  first(facts: RequestFacts): CompiledPolicy | undefined {
    const identity = facts.identity;
    if (identity === undefined) return this.#firstOf(this.#anonymous, facts, undefined)?.policy;
    if (identity.kind === "service") {
      const found = this.#lookUp("serviceToken", identity.name, facts, undefined);
      return this.#firstOf(this.#unindexed, facts, found)?.policy;
    }
    // A value that is not known may be any: for deny that is reason enough, so every policy has to be asked.
    if (this.#action === "deny" && this.#lacksIndexedFact(identity)) return this.#firstOf(this.#ranked, facts, undefined)?.policy;
    return this.#firstOf(this.#unindexed, facts, this.#firstIndexed(identity, facts))?.policy;
  }

  #firstIndexed(person: PersonIdentity, facts: RequestFacts): Ranked | undefined {
    let best = this.#lookUp("identityProvider", person.provider, facts, undefined);
    if (person.email !== undefined) {
      best = this.#lookUp("email", person.email, facts, best);
      if (this.#index.emailDomain.size > 0) best = this.#lookUp("emailDomain", domainOf(person.email), facts, best);
    }
    if (this.#index.identityGroup.size === 0 || person.groups === undefined) return best;
    for (const group of person.groups) best = this.#lookUp("identityGroup", group, facts, best);
    return best;
  }

  #lookUp(kind: IndexedKind, key: string, facts: RequestFacts, best: Ranked | undefined): Ranked | undefined {
    const candidates = this.#index[kind].get(key);
    return candidates === undefined ? best : this.#firstOf(candidates, facts, best);
  }

  #firstOf(candidates: readonly Ranked[], facts: RequestFacts, best: Ranked | undefined): Ranked | undefined {
    for (const candidate of candidates) {
      if (best !== undefined && candidate.rank >= best.rank) return best;
      if (takesEffect(candidate.policy, facts, this.#pending)) return candidate;
    }
    return best;
  }

  #lacksIndexedFact(person: PersonIdentity): boolean {
    const byEmail = this.#index.email.size + this.#index.emailDomain.size > 0;
    return (person.email === undefined && byEmail) || (person.groups === undefined && this.#index.identityGroup.size > 0);
  }
}

// Strictest first: of all policies that let somebody in, the one with the shortest session is reported and counts.
function byRank(left: CompiledPolicy, right: CompiledPolicy): number {
  const leftMs = left.sessionDurationMs ?? Number.MAX_SAFE_INTEGER;
  const rightMs = right.sessionDurationMs ?? Number.MAX_SAFE_INTEGER;
  if (leftMs !== rightMs) return leftMs - rightMs;
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

function indexBy(kind: IndexedKind, ranked: readonly Ranked[]): ReadonlyMap<string, readonly Ranked[]> {
  const index = new Map<string, Ranked[]>();
  for (const entry of ranked) {
    for (const value of entry.policy.rules.indexKeys?.get(kind) ?? []) {
      const known = index.get(value);
      if (known === undefined) index.set(value, [entry]);
      else known.push(entry);
    }
  }
  return index;
}

/** A request of nobody, for policies that look at nothing but the identity: their value is the same on every request. */
const NOBODY: RequestFacts = {
  identity: undefined,
  ip: undefined,
  countryOf: noCountry,
  method: "GET",
  nowMs: 0,
  clientCertificate: undefined,
  external: noExternal,
};

function isSettledForAnonymous(policy: CompiledPolicy): boolean {
  // External evaluators are not asked about nobody, so they are settled too.
  return [...policy.rules.looksAt].every((kind) => kind === "identity" || kind === "external");
}
