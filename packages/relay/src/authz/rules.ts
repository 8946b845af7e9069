// include (or), require (and), exclude (not): the rule of a policy or group over three truth values (R-N3). Lists of
// selectors of one kind are folded into sets for evaluation; the selectors stay as written for traces.

import type { FactKind, RequestFacts } from "./facts.ts";
import type { Condition, IndexedKind, IndexKeys, RuleNode, SelectorNode } from "./policy.ts";
import { hasValues } from "./selector-node.ts";
import { both, either, FALSE, negate, TRUE, type Truth } from "./truth.ts";

export class CompiledRules implements RuleNode {
  readonly include: readonly SelectorNode[];
  readonly require: readonly SelectorNode[];
  readonly exclude: readonly SelectorNode[];
  readonly looksAt: ReadonlySet<FactKind>;
  readonly indexKeys: IndexKeys | undefined;
  readonly #anyOf: readonly Condition[];
  readonly #noneOf: readonly Condition[];

  constructor(include: readonly SelectorNode[], require: readonly SelectorNode[], exclude: readonly SelectorNode[]) {
    this.include = include;
    this.require = require;
    this.exclude = exclude;
    this.looksAt = new Set([...include, ...require, ...exclude].flatMap((node) => [...node.looksAt]));
    this.indexKeys = unionKeys(include) ?? require.find((node) => node.indexKeys !== undefined)?.indexKeys;
    this.#anyOf = fold(include);
    this.#noneOf = fold(exclude);
  }

  evaluate(facts: RequestFacts, pending: Truth): Truth {
    let truth = anyOf(this.#anyOf, facts, pending);
    if (truth !== FALSE && this.require.length > 0) truth = both(truth, allOf(this.require, facts, pending));
    if (truth === FALSE || this.#noneOf.length === 0) return truth;
    // What a sign-in could exclude must not count as excluded already, and the other way round: hence the flip.
    return both(truth, negate(anyOf(this.#noneOf, facts, negate(pending))));
  }
}

function anyOf(conditions: readonly Condition[], facts: RequestFacts, pending: Truth): Truth {
  let truth = FALSE;
  for (const condition of conditions) {
    truth = either(truth, condition.evaluate(facts, pending));
    if (truth === TRUE) break;
  }
  return truth;
}

function allOf(conditions: readonly Condition[], facts: RequestFacts, pending: Truth): Truth {
  let truth = TRUE;
  for (const condition of conditions) {
    truth = both(truth, condition.evaluate(facts, pending));
    if (truth === FALSE) break;
  }
  return truth;
}

/** Joins selectors of one kind into one with all their values: a list of 10,000 mail addresses costs one look-up. */
function fold(nodes: readonly SelectorNode[]): readonly Condition[] {
  const byKind = Map.groupBy(nodes.filter(hasValues), (node) => node.kind);
  const joined = [...byKind.values()].flatMap((same) => same[0]?.withValues(new Set(same.flatMap((node) => [...node.values]))) ?? []);
  return [...joined, ...nodes.filter((node) => !hasValues(node))];
}

/** Keys of which one must be present for any of the nodes to be true; undefined when one of them has none. */
function unionKeys(nodes: readonly SelectorNode[]): IndexKeys | undefined {
  const union = new Map<IndexedKind, Set<string>>();
  for (const { indexKeys } of nodes) {
    if (indexKeys === undefined) return undefined;
    for (const [kind, values] of indexKeys) {
      const known = union.get(kind) ?? new Set();
      for (const value of values) known.add(value);
      union.set(kind, known);
    }
  }
  return union;
}
