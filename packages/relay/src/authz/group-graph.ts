// How groups refer to each other: cycles and nesting depth, found without recursion, since the file may hold any graph.
// Nesting is bounded because every level may multiply the work of a decision.

import { selectorEntry, type GroupConfig, type RuleLists } from "../config/policy-types.ts";

/** A group without groups in it has depth 1. */
export const MAX_GROUP_DEPTH = 8;

export type GroupProblem = "contains itself" | "leads to a group that contains itself" | "nests too deep";

/** Names of groups that a rule refers to. */
export function referredGroups(rules: RuleLists): readonly string[] {
  return [...rules.include, ...(rules.require ?? []), ...(rules.exclude ?? [])].flatMap((selector) => {
    const entry = selectorEntry(selector);
    return entry.kind === "group" ? [entry.value] : [];
  });
}

/** Problems by group name; unknown names have depth 0. */
export function groupProblems(groups: readonly GroupConfig[]): ReadonlyMap<string, GroupProblem> {
  const references = new Map(groups.map((group) => [group.name, referredGroups(group)]));
  const depths = depthsOf(references);
  const problems = new Map<string, GroupProblem>();
  for (const name of references.keys()) {
    const depth = depths.get(name);
    if (depth === undefined)
      problems.set(name, reaches(name, name, references) ? "contains itself" : "leads to a group that contains itself");
    else if (depth > MAX_GROUP_DEPTH) problems.set(name, "nests too deep");
  }
  return problems;
}

/** Depths of all groups that neither are in a cycle nor lead to one (Kahn's algorithm, from the leaves up). */
function depthsOf(references: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, number> {
  const users = new Map<string, string[]>();
  const open = new Map<string, number>();
  for (const [name, referred] of references) {
    const known = new Set(referred.filter((other) => references.has(other)));
    open.set(name, known.size);
    for (const other of known) users.set(other, [...(users.get(other) ?? []), name]);
  }
  const depths = new Map<string, number>();
  const ready = [...open].filter(([, count]) => count === 0).map(([name]) => name);
  for (const name of ready) {
    depths.set(name, 1 + Math.max(0, ...(references.get(name) ?? []).map((other) => depths.get(other) ?? 0)));
    for (const user of users.get(name) ?? []) {
      const left = (open.get(user) ?? 0) - 1;
      open.set(user, left);
      if (left === 0) ready.push(user);
    }
  }
  return depths;
}

function reaches(from: string, wanted: string, references: ReadonlyMap<string, readonly string[]>): boolean {
  const visited = new Set<string>();
  const queue = [...(references.get(from) ?? [])];
  for (const name of queue) {
    if (name === wanted) return true;
    if (visited.has(name)) continue;
    visited.add(name);
    queue.push(...(references.get(name) ?? []));
  }
  return false;
}
