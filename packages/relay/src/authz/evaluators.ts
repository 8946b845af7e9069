// The external evaluators that policies name, themselves and through groups. Used when a configuration is compiled and
// checked; pure.

import { selectorEntry, type ExternalEvaluationSelector, type GroupConfig, type RuleLists, type Selector } from "../config/policy-types.ts";

/** By URL, in the order in which they are met; of two with one URL the first. */
export function evaluatorsOf(
  rules: readonly RuleLists[],
  groups: ReadonlyMap<string, GroupConfig>,
): ReadonlyMap<string, ExternalEvaluationSelector> {
  const found = new Map<string, ExternalEvaluationSelector>();
  const visited = new Set<string>();
  const open = [...rules];
  for (const lists of open) {
    for (const selector of selectorsIn(lists)) {
      const { kind, value } = selectorEntry(selector);
      if (kind === "externalEvaluation" && !found.has(value.url)) found.set(value.url, value);
      const group = kind === "group" && !visited.has(value) ? groups.get(value) : undefined;
      if (group === undefined) continue;
      visited.add(group.name);
      open.push(group);
    }
  }
  return found;
}

function selectorsIn({ include, require = [], exclude = [] }: RuleLists): readonly Selector[] {
  return [...include, ...require, ...exclude];
}
