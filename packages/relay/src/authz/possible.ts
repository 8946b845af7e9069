// What policies can come out as at all, from the configuration alone: the arithmetic behind warnings such as "can never
// match" and "denies everyone". Not an evaluator: it knows no request, and whatever depends on one is "maybe".

import {
  asList,
  selectorEntry,
  type GroupConfig,
  type PolicyAction,
  type PolicyConfig,
  type RuleLists,
  type Selector,
  type SelectorKind,
} from "../config/policy-types.ts";
import { both, either, FALSE, negate, TRUE, type Truth } from "./truth.ts";

/** Who is asked about: people for allow, programs for service, anybody for deny and bypass. */
export type Audience = "people" | "programs" | "anybody";

/** Both ends of what a condition can be: [FALSE, FALSE] never, [TRUE, TRUE] always, [FALSE, TRUE] depends. */
export interface Possible {
  readonly least: Truth;
  readonly most: Truth;
}

const NEVER: Possible = { least: FALSE, most: FALSE };
const ALWAYS: Possible = { least: TRUE, most: TRUE };
const MAYBE: Possible = { least: FALSE, most: TRUE };

/** Selectors that say something about a person who signed in. */
export const PERSON_SELECTORS: ReadonlySet<SelectorKind> = new Set([
  "email",
  "emailDomain",
  "identityGroup",
  "claim",
  "identityProvider",
  "authMethod",
]);
/** Selectors that say something about a program's token. */
export const TOKEN_SELECTORS: ReadonlySet<SelectorKind> = new Set(["serviceToken", "anyServiceToken"]);
/** Facts of which a request has exactly one: two different ones cannot both be required. */
const SINGLE_VALUED: ReadonlySet<SelectorKind> = new Set(["email", "emailDomain", "identityProvider", "country", "method", "serviceToken"]);

export function audienceOf(action: PolicyAction): Audience {
  if (action === "allow") return "people";
  return action === "service" ? "programs" : "anybody";
}

export class Possibilities {
  readonly #groups: ReadonlyMap<string, GroupConfig>;
  readonly #policies = new Map<PolicyConfig, Possible>();
  /** By audience and group name; a group that is being looked at counts as "maybe", which ends cycles. */
  readonly #known = new Map<string, Possible>();

  /** @param groups without those that {@link groupProblems} names; unknown names count as "maybe". */
  constructor(groups: Iterable<GroupConfig>) {
    this.#groups = new Map([...groups].map((group) => [group.name, group]));
  }

  ofPolicy(policy: PolicyConfig): Possible {
    let possible = this.#policies.get(policy);
    if (possible === undefined) this.#policies.set(policy, (possible = this.#ofRules(policy, audienceOf(policy.action))));
    return possible;
  }

  #ofRules(rules: RuleLists, audience: Audience): Possible {
    const require = rules.require ?? [];
    const exclude = rules.exclude ?? [];
    if (contradicts(require) || isEmptied(rules.include, exclude)) return NEVER;
    const of = (list: readonly Selector[]): readonly Possible[] => list.map((selector) => this.#ofSelector(selector, audience));
    return intersect(union(of(rules.include)), intersect(of(require).reduce(intersect, ALWAYS), invert(union(of(exclude)))));
  }

  #ofSelector(selector: Selector, audience: Audience): Possible {
    const { kind, value } = selectorEntry(selector);
    if (kind === "everyone") return ALWAYS;
    if (kind === "group") return this.#ofGroup(value, audience);
    if (PERSON_SELECTORS.has(kind)) return audience === "programs" ? NEVER : MAYBE;
    if (!TOKEN_SELECTORS.has(kind)) return MAYBE;
    if (audience === "people") return NEVER;
    return audience === "programs" && kind === "anyServiceToken" ? ALWAYS : MAYBE;
  }

  #ofGroup(name: string, audience: Audience): Possible {
    const group = this.#groups.get(name);
    if (group === undefined) return MAYBE;
    const key = `${audience} ${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, MAYBE);
    const possible = this.#ofRules(group, audience);
    this.#known.set(key, possible);
    return possible;
  }
}

function union(all: readonly Possible[]): Possible {
  return all.reduce((left, right) => ({ least: either(left.least, right.least), most: either(left.most, right.most) }), NEVER);
}

function intersect(left: Possible, right: Possible): Possible {
  return { least: both(left.least, right.least), most: both(left.most, right.most) };
}

function invert({ least, most }: Possible): Possible {
  return { least: negate(most), most: negate(least) };
}

/** Whether two requirements ask for different values of a fact that has only one. */
function contradicts(require: readonly Selector[]): boolean {
  const remaining = new Map<SelectorKind, ReadonlySet<string>>();
  for (const selector of require) {
    const { kind, value } = selectorEntry(selector);
    if (!SINGLE_VALUED.has(kind)) continue;
    const values = new Set(asList(value as string | readonly string[]));
    const before = remaining.get(kind);
    const left = before === undefined ? values : new Set([...before].filter((one) => values.has(one)));
    if (left.size === 0) return true;
    remaining.set(kind, left);
  }
  return false;
}

/** Whether everything that is included is excluded again. */
function isEmptied(include: readonly Selector[], exclude: readonly Selector[]): boolean {
  if (exclude.length === 0) return false;
  const excluded = new Set(exclude.map((selector) => JSON.stringify(selector)));
  return include.every((selector) => excluded.has(JSON.stringify(selector)));
}
