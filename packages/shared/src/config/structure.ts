// What a configuration may not use of YAML, whatever its keys mean: depth, tags, duplicate or odd keys, many aliases
// (R-N1). Also the look at the raw text that keeps the parser itself from taking minutes and gigabytes.

import { isAlias, isCollection, isMap, isNode, isPair, isScalar, visit, type Document, type Node, type Pair, type YAMLMap } from "yaml";
import type { Finding } from "./problem.ts";

/** Aliases share a list or a mapping; more of them than this is a mistake or an attack on memory. */
export const MAX_ALIASES = 100;
/** The deepest documented option is nine levels down. */
export const MAX_DEPTH = 32;
/** Open brackets, and possible aliases, that a text may have before it is parsed at all; quoted text counts too, hence the distance. */
const MAX_OPEN_BRACKETS = 1_000;
const MAX_ALIAS_MARKS = 100_000;

/**
 * Deep flow collections and masses of aliases cost the parser far more than their bytes: 8 MB of `[` take 24 s and
 * 3.5 GB. One pass over the text tells.
 */
export function parsingCost(text: string): "fine" | "excessive" {
  let open = 0;
  let stars = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) open++;
    else if ((code === 0x5d || code === 0x7d) && open > 0) open--;
    else if (code === 0x2a) stars++;
    if (open > MAX_OPEN_BRACKETS || stars > MAX_ALIAS_MARKS) return "excessive";
  }
  return "fine";
}

export const TOO_DEEP: Finding = {
  path: [],
  code: "ERR_CONFIG_SYNTAX",
  message: `the file nests deeper than ${MAX_DEPTH} levels`,
  remedy: "use the structure of the documented options; none of them is nested that deeply",
};

const DUPLICATE_KEY: Finding = {
  path: [],
  code: "ERR_CONFIG_DUPLICATE_KEY",
  message: "this key is already written in the same mapping",
  remedy: "keep one of them; two would leave it open which one counts",
};

export interface StructureFault {
  readonly range: readonly [number, number];
  readonly finding: Finding;
}

/** Everything that YAML allows and a configuration does not need. */
export function structureFaults(document: Document.Parsed): StructureFault[] {
  const faults: StructureFault[] = [];
  let aliases = 0;
  visit(document, (_key, node, ancestors) => {
    if (ancestors.length > MAX_DEPTH && ancestors.filter(isCollection).length > MAX_DEPTH) {
      faults.push({ range: [0, 1], finding: TOO_DEEP });
      return visit.BREAK;
    }
    if (isNode(node) && node.tag !== undefined) faults.push({ range: rangeOfNode(node), finding: TAGGED });
    if (isMap(node)) faults.push(...duplicateKeys(node));
    if (isPair(node) && !hasPlainKey(node)) faults.push({ range: rangeOfNode(node.key), finding: BAD_KEY });
    if (isAlias(node) && node.resolve(document) === undefined) faults.push({ range: rangeOfNode(node), finding: NO_ANCHOR });
    if (isAlias(node) && ++aliases > MAX_ALIASES) {
      faults.push({ range: rangeOfNode(node), finding: TOO_MANY_ALIASES });
      return visit.BREAK;
    }
    return undefined;
  });
  if (faults.length === 0 && !expandable(document)) faults.push({ range: [0, 1], finding: TOO_MANY_ALIASES });
  return faults;
}

function duplicateKeys(map: YAMLMap): StructureFault[] {
  const seen = new Set<unknown>();
  return map.items.flatMap(({ key }) => {
    const name: unknown = isScalar(key) ? key.value : key;
    const again = seen.has(name);
    seen.add(name);
    return again ? [{ range: rangeOfNode(key), finding: DUPLICATE_KEY }] : [];
  });
}

/** Aliases inside aliased values multiply ("billion laughs"), and one inside itself never ends; toJS counts what they would become. */
function expandable(document: Document.Parsed): boolean {
  try {
    document.toJS({ maxAliasCount: MAX_ALIASES });
    return !hasCycle(document);
  } catch {
    return false;
  }
}

function hasCycle(document: Document.Parsed): boolean {
  let cycle = false;
  visit(document, {
    Alias(_key, alias, ancestors) {
      const target = alias.resolve(document);
      cycle ||= target !== undefined && ancestors.includes(target);
      return cycle ? visit.BREAK : undefined;
    },
  });
  return cycle;
}

const BAD_KEY: Finding = {
  path: [],
  code: "ERR_CONFIG_SYNTAX",
  message: "a key must be plain text",
  remedy: "write the key as a word, or quote it; numbers, lists and mappings cannot be keys",
};

const TAGGED: Finding = {
  path: [],
  code: "ERR_CONFIG_SYNTAX",
  message: "a YAML tag changes what this value is",
  remedy: "remove the tag; values are plain text, numbers, lists and mappings",
};

const NO_ANCHOR: Finding = {
  path: [],
  code: "ERR_CONFIG_ALIAS",
  message: "this alias names no anchor above it",
  remedy: "write the value out, or quote it if it starts with a *",
};

const TOO_MANY_ALIASES: Finding = {
  path: [],
  code: "ERR_CONFIG_ALIAS",
  message: `the aliases (*name) of this file expand to more than ${MAX_ALIASES} values, or contain themselves`,
  remedy: "write reusable groups and policies and refer to them by name instead of by YAML alias",
};

function hasPlainKey(pair: Pair): boolean {
  return isScalar(pair.key) && typeof pair.key.value === "string" && pair.key.value !== "__proto__";
}

export function rangeOfNode(node: unknown): readonly [number, number] {
  const range = (node as Node | null | undefined)?.range;
  return range === null || range === undefined ? [0, 1] : [range[0], range[1]];
}
