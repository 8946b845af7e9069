// From what the schema says is wrong to what a person should change. Must not read files, and never puts a value from
// the file into a message: it might be a secret.

import type { z } from "zod";
import { nearest } from "./nearest.ts";
import { type ConfigPath, type Finding, printable } from "./problem.ts";
import type { IssueHints } from "./values.ts";

type Issue = z.core.$ZodIssue;

/** What a path leads to in the JSON Schema, as far as messages need it. */
interface SchemaNode {
  readonly description?: string;
  readonly remedy?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
}

/** @param schema JSON Schema with the `remedy` annotations, for the words about a place. */
export function findingsOf(issues: readonly Issue[], document: unknown, schema: unknown): Finding[] {
  return issues.flatMap((issue) => findingOf(issue, document, schema as SchemaNode));
}

function findingOf(issue: Issue, document: unknown, schema: SchemaNode): Finding[] {
  const path = issue.path as ConfigPath;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(key, path, issue.message.split(" ")));
    case "custom":
      return [customFinding(issue.message, issue.params, path, schema)];
    case "invalid_key":
      return issue.issues.map((inner) => ({
        ...customFinding(inner.message, (inner as { readonly params?: unknown }).params, path, schema),
        at: "key" as const,
      }));
    case "too_small":
    case "too_big":
      return [outOfRange(issue, path)];
    case "invalid_type":
    case "invalid_union":
      return [wrongType(issue, path, document, schema)];
    default:
      return [{ path, code: "ERR_CONFIG_VALUE", message: "not an allowed value", remedy: remedyAt(path, schema) }];
  }
}

function unknownKey(key: string, parent: ConfigPath, known: readonly string[]): Finding {
  const meant = nearest(key, known);
  const remedy = meant === undefined ? `remove it; allowed here: ${known.join(", ")}` : `write ${printable(meant)} instead`;
  return { path: [...parent, key], at: "key", code: "ERR_CONFIG_UNKNOWN_KEY", message: `unknown key ${printable(key)}`, remedy };
}

function customFinding(message: string, params: unknown, path: ConfigPath, schema: SchemaNode): Finding {
  const hints = (params ?? {}) as Partial<IssueHints>;
  return { path, code: hints.code ?? "ERR_CONFIG_VALUE", message, remedy: hints.remedy ?? remedyAt(path, schema) };
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "text",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
};

function wrongType(issue: Issue, path: ConfigPath, document: unknown, schema: SchemaNode): Finding {
  const key = path.at(-1);
  const found = valueAt(document, path);
  const remedy = remedyAt(path, schema);
  if (found === undefined && key !== undefined) {
    return { path, code: "ERR_CONFIG_MISSING_KEY", message: `${printable(String(key))} is missing`, remedy: `add it: ${remedy}` };
  }
  const expected = issue.code === "invalid_type" ? (TYPE_WORDS[issue.expected] ?? issue.expected) : "text";
  return { path, code: "ERR_CONFIG_TYPE", message: `expected ${expected}, found ${kindOf(found)}`, remedy };
}

type RangeIssue = Extract<Issue, { readonly code: "too_small" | "too_big" }>;

function outOfRange(issue: RangeIssue, path: ConfigPath): Finding {
  const least = issue.code === "too_small";
  const bound = String(least ? issue.minimum : issue.maximum);
  const unit = issue.origin === "array" ? " entries" : issue.origin === "string" ? " characters" : "";
  const message = `expected at ${least ? "least" : "most"} ${bound}${unit}`;
  return { path, code: "ERR_CONFIG_VALUE", message, remedy: `write ${bound}${unit} or ${least ? "more" : "fewer"}` };
}

// What to write at a place: the nearest words on the way down to it.
function remedyAt(path: ConfigPath, schema: SchemaNode): string {
  let node: SchemaNode | undefined = schema;
  for (const step of path) node = childNode(node, step);
  return node?.remedy ?? node?.description ?? "see docs/connect.md for what may stand here";
}

function childNode(node: SchemaNode | undefined, step: string | number): SchemaNode | undefined {
  if (typeof step === "number") return node?.items;
  const named = node?.properties !== undefined && Object.hasOwn(node.properties, step) ? node.properties[step] : undefined;
  return named ?? (typeof node?.additionalProperties === "object" ? node.additionalProperties : undefined);
}

function valueAt(document: unknown, path: ConfigPath): unknown {
  let value = document;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[step];
  }
  return value;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a mapping" : typeof value === "string" ? "text" : `a ${typeof value}`;
}
