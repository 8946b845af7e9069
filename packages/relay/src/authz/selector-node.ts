// What every selector is once compiled, and the two that compare nothing themselves: everyone and group. The others are
// in identity-selectors.ts and request-selectors.ts: one class per way of comparing. Must not know policies or actions.

import type { SelectorKind } from "../config/policy-types.ts";
import type { FactKind, RequestFacts } from "./facts.ts";
import type { Condition, IndexKeys, RuleNode, SelectorNode } from "./policy.ts";
import { TRUE, type Truth } from "./truth.ts";

/** A selector that holds when a fact is one of its values: lists of the same kind are joined into one set. */
export interface ValuesNode extends SelectorNode {
  readonly values: ReadonlySet<string>;
  /** The same comparison with other values. */
  withValues(values: ReadonlySet<string>): Condition;
}

export function hasValues(node: SelectorNode): node is ValuesNode {
  return "values" in node;
}

/** What all selectors have in common. */
export abstract class BaseNode implements SelectorNode {
  readonly kind: SelectorKind;
  readonly text: string;
  readonly looksAt: ReadonlySet<FactKind>;
  readonly indexKeys: IndexKeys | undefined;
  readonly group: RuleNode | undefined;

  constructor(kind: SelectorKind, text: string, looksAt: Iterable<FactKind>, indexKeys?: IndexKeys, group?: RuleNode) {
    this.kind = kind;
    this.text = text;
    this.looksAt = new Set(looksAt);
    this.indexKeys = indexKeys;
    this.group = group;
  }

  abstract evaluate(facts: RequestFacts, pending: Truth): Truth;
  abstract found(facts: RequestFacts): string;
}

export class EveryoneNode extends BaseNode {
  constructor(text: string) {
    super("everyone", text, []);
  }

  evaluate(): Truth {
    return TRUE;
  }

  found(): string {
    return "every visitor";
  }
}

export class GroupNode extends BaseNode {
  readonly #rules: RuleNode;

  constructor(rules: RuleNode, text: string) {
    super("group", text, rules.looksAt, rules.indexKeys, rules);
    this.#rules = rules;
  }

  evaluate(facts: RequestFacts, pending: Truth): Truth {
    return this.#rules.evaluate(facts, pending);
  }

  found(): string {
    return "as the group's own selectors say";
  }
}
