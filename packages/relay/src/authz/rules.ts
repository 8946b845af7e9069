// include (or), require (and), exclude (not): the rule of a policy or group over three truth values (R-N3). Lists of
// exact matches are folded into sets for evaluation; the selectors stay as written for traces.

import type { FactKind, RequestFacts } from "./facts.ts";
import type { Condition, IndexedKind, IndexKeys, RuleNode, SelectorNode } from "./policy.ts";
import { ListNode, ServiceTokenNode, SingleNode } from "./selectors.ts";
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

/** Joins exact matches on the same fact into one set: a list of 10,000 addresses costs one look-up. */
function fold(nodes: readonly SelectorNode[]): readonly Condition[] {
  const singles = Map.groupBy(nodes.filter((node) => node instanceof SingleNode), (node) => node.fact);
  const lists = Map.groupBy(nodes.filter((node) => node instanceof ListNode), (node) => node.fact);
  const tokens = nodes.flatMap((node) => (node instanceof ServiceTokenNode && node.values !== undefined ? [...node.values] : []));
  const isFolded = (node: SelectorNode): boolean =>
    node instanceof SingleNode || node instanceof ListNode || (node instanceof ServiceTokenNode && node.values !== undefined);
  return [
    ...[...singles].map(([fact, same]) => new SingleNode(fact, unionValues(same), fact.kind)),
    ...[...lists].map(([fact, same]) => new ListNode(fact, unionValues(same), fact.kind)),
    ...(tokens.length > 0 ? [new ServiceTokenNode(new Set(tokens), "serviceToken")] : []),
    ...nodes.filter((node) => !isFolded(node)),
  ];
}

function unionValues(nodes: readonly { readonly values: ReadonlySet<string> }[]): ReadonlySet<string> {
  return new Set(nodes.flatMap((node) => [...node.values]));
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
