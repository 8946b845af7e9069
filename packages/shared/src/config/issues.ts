// From what a schema says is wrong to what a person should change. The schema knows shapes; this file knows words.
// Must not read files, and never puts a value from the file into a message: it might be a secret.

import { flow } from "./flow.ts";
import { nearest } from "./nearest.ts";
import { MAX_PROBLEMS, printable, type ConfigCode, type ConfigPath, type Finding } from "./problem.ts";
import { childOf, keysAt, nodesAt, valueAt, type SchemaNode } from "./schema-tree.ts";
import { describeValue } from "./text.ts";

interface IssueOf<Code extends string> {
  readonly code: Code;
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What a validator reports: the shape of zod's issues, which both configurations are checked with. */
export type SchemaIssue =
  | (IssueOf<"unrecognized_keys"> & { readonly keys: readonly string[] })
  /** `errors` is empty where the key that tells the alternatives apart has a value none of them knows. */
  | (IssueOf<"invalid_union"> & { readonly errors: readonly (readonly SchemaIssue[])[] })
  | (IssueOf<"invalid_type"> & { readonly expected: string })
  /** `params` may be {@link IssueHints}. */
  | (IssueOf<"custom"> & { readonly params?: unknown })
  | (IssueOf<"invalid_value"> & { readonly values: readonly unknown[] })
  | RangeIssue
  /** Of the name of an entry. */
  | (IssueOf<"invalid_key"> & { readonly issues: readonly SchemaIssue[] })
  | IssueOf<"invalid_format" | "not_multiple_of" | "invalid_element">;

type RangeIssue =
  | (IssueOf<"too_small"> & { readonly origin: string; readonly minimum: number | bigint })
  | (IssueOf<"too_big"> & { readonly origin: string; readonly maximum: number | bigint });

/** What a custom issue tells beside its message. */
export interface IssueHints {
  readonly remedy: string;
  readonly code?: ConfigCode;
}

/** The configuration that the issues are about. */
export interface ConfigSchema {
  /** With the annotations for messages. */
  root(): SchemaNode;
  /** What to do about an option of a later release; undefined when the key at `path` is simply unknown. */
  later?(path: ConfigPath): string | undefined;
  /** Where its options are described, for those that nothing else is said about. */
  readonly described: string;
}

/** Findings for the schema's issues; `value` is the whole document as read from YAML. */
export function findingsOf(issues: readonly SchemaIssue[], value: unknown, schema: ConfigSchema): Finding[] {
  const source: Source = { document: value, schema };
  return issues.flatMap((issue) => findingOf(issue, issue.path as ConfigPath, source));
}

/** What was read, and what may stand in it. */
interface Source {
  readonly document: unknown;
  readonly schema: ConfigSchema;
}

function findingOf(issue: SchemaIssue, path: ConfigPath, source: Source): Finding[] {
  switch (issue.code) {
    case "unrecognized_keys":
      // One more than is listed, so that the list says that it is cut.
      return issue.keys.slice(0, MAX_PROBLEMS + 1).map((key) => unknownKey(key, path, source));
    case "invalid_union":
      return unionFindings(issue, path, source);
    case "invalid_type":
      return [wrongType(issue.expected, path, source)];
    case "custom":
      return [customFinding(issue.message, issue.params, path, source)];
    case "invalid_value":
      return [valueFinding(`expected ${choices(issue.values)}`, `write ${choices(issue.values)}`, path)];
    case "too_small":
    case "too_big":
      return [outOfRange(issue, path)];
    case "invalid_key":
      return issue.issues.map((inner) => ({ ...nameFinding(inner, path, source), at: "key" }));
    default:
      return [valueFinding(`not an allowed value (${issue.code})`, remedyAt(path, source), path)];
  }
}

function unknownKey(key: string, parent: ConfigPath, source: Source): Finding {
  const path = [...parent, key];
  const later = source.schema.later?.(path);
  if (later !== undefined)
    return { path, at: "key", code: "ERR_CONFIG_NOT_YET", message: `${printable(key)} is not part of this release`, remedy: later };
  const known = keysAt(source.schema.root(), parent, source.document);
  const meant =
    nearest(
      key,
      known.filter((name) => childOf(valueAt(source.document, parent), name) === undefined),
    ) ?? nearest(key, known);
  const remedy = meant === undefined ? `remove it; allowed here: ${known.join(", ") || "nothing"}` : `write ${printable(meant)} instead`;
  return { path, at: "key", code: "ERR_CONFIG_UNKNOWN_KEY", message: `unknown key ${printable(key)}`, remedy };
}

function wrongType(expected: string, path: ConfigPath, source: Source): Finding {
  const key = path.at(-1);
  const found = valueAt(source.document, path);
  const remedy = remedyAt(path, source);
  if (found === undefined && typeof key === "string") {
    return { path, code: "ERR_CONFIG_MISSING_KEY", message: `${printable(key)} is missing`, remedy: `add it: ${remedy}` };
  }
  return { path, code: "ERR_CONFIG_TYPE", message: `expected ${TYPE_WORDS[expected] ?? expected}, found ${describeValue(found)}`, remedy };
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

function customFinding(message: string, params: unknown, path: ConfigPath, source: Source): Finding {
  const hints = (params ?? {}) as Partial<IssueHints>;
  return { path, code: hints.code ?? "ERR_CONFIG_VALUE", message, remedy: hints.remedy ?? remedyAt(path, source) };
}

/** About the name of an entry: the schema's own words, where it has some. */
function nameFinding(issue: SchemaIssue, path: ConfigPath, source: Source): Finding {
  if (issue.code === "custom") return customFinding(issue.message, issue.params, path, source);
  return valueFinding("not an allowed name", remedyAt(path, source), path);
}

type UnionIssue = Extract<SchemaIssue, { readonly code: "invalid_union" }>;

/** Reports the alternative that the author most likely meant, instead of every one that failed. */
function unionFindings(issue: UnionIssue, path: ConfigPath, source: Source): Finding[] {
  const value = valueAt(source.document, path);
  if (isSecretReference(path, source) && typeof value === "string") {
    return [{ path, code: "ERR_CONFIG_SECRET", message: "a secret is written in this file", remedy: remedyAt(path, source) }];
  }
  if (value === undefined && typeof path.at(-1) === "string" && issue.errors.length > 0) return [wrongType("", path, source)];
  // No alternative was even tried: the key that tells them apart has a value none of them knows.
  if (issue.errors.length === 0) return [discriminatorFinding(path, source)];
  const unknown = unknownKeysOf(path, source);
  if (unknown.length > 0) return unknown;
  const meant = issue.errors.toSorted((a, b) => mismatch(a) - mismatch(b))[0] ?? [];
  if (meant.some((inner) => inner.path.length === 0 && inner.code === "invalid_type")) {
    return [{ path, code: "ERR_CONFIG_TYPE", message: `${describeValue(value)} does not fit here`, remedy: remedyAt(path, source) }];
  }
  return meant.flatMap((inner) => findingOf(inner, [...path, ...(inner.path as ConfigPath)], source));
}

function discriminatorFinding(path: ConfigPath, source: Source): Finding {
  const key = path.at(-1);
  const parent = path.slice(0, -1);
  const allowed = nodesAt(source.schema.root(), parent, removed(source.document, path)).flatMap((node) => childConst(node, key));
  const found = valueAt(source.document, path);
  const list = choices(allowed);
  if (found === undefined)
    return { path, code: "ERR_CONFIG_MISSING_KEY", message: `${printable(String(key))} is missing`, remedy: `add it: ${list}` };
  return { path, code: "ERR_CONFIG_VALUE", message: `expected ${list}`, remedy: `write ${list}` };
}

/** The document with the constant taken out, so that it rules no alternative out. */
function removed(document: unknown, path: ConfigPath): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof document !== "object" || document === null) return undefined;
  return rest.length === 0 ? undefined : Object.assign(Object.create(null) as object, { [step]: removed(childOf(document, step), rest) });
}

function childConst(node: SchemaNode, key: string | number | undefined): unknown[] {
  const child = key === undefined ? undefined : node.properties?.[key];
  return child?.const === undefined ? (child?.enum?.slice() ?? []) : [child.const];
}

function unknownKeysOf(path: ConfigPath, source: Source): Finding[] {
  const value = valueAt(source.document, path);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const known = new Set(keysAt(source.schema.root(), path, source.document));
  return Object.keys(value)
    .filter((key) => !known.has(key))
    .map((key) => unknownKey(key, path, source));
}

/** Issues at the top of an alternative say that another one was meant; deeper ones that this one was. */
function mismatch(issues: readonly SchemaIssue[]): number {
  return issues.reduce(
    (sum, issue) => sum + (issue.path.length === 0 ? 100 : issue.path.length === 1 && issue.code === "invalid_type" ? 10 : 1),
    0,
  );
}

function isSecretReference(path: ConfigPath, source: Source): boolean {
  const keys = keysAt(source.schema.root(), path, source.document);
  return keys.includes("env") && keys.includes("file");
}

function outOfRange(issue: RangeIssue, path: ConfigPath): Finding {
  const low = issue.code === "too_small";
  const bound = String(low ? issue.minimum : issue.maximum);
  const unit = issue.origin === "array" ? " entries" : issue.origin === "string" ? " characters" : "";
  if (low && bound === "1" && unit !== "")
    return valueFinding(
      "must not be empty",
      `write at least one${issue.origin === "array" ? " entry" : " character"}, or leave the key out`,
      path,
    );
  return valueFinding(
    `expected at ${low ? "least" : "most"} ${bound}${unit}`,
    `write ${low ? bound : `${bound}${unit} or fewer`}${low ? `${unit} or more` : ""}`,
    path,
  );
}

function valueFinding(message: string, remedy: string, path: ConfigPath): Finding {
  return { path, code: "ERR_CONFIG_VALUE", message, remedy };
}

/** What to write at a place: the value type's own words, or its documented example. */
function remedyAt(path: ConfigPath, source: Source): string {
  const nodes = nodesAt(source.schema.root(), path, source.document);
  const key = typeof path.at(-1) === "string" ? `${String(path.at(-1))}: ` : "";
  const own = nodes.find((node) => node.remedy !== undefined)?.remedy;
  const example =
    nodes.find((node) => node.examples !== undefined)?.examples?.[0] ?? nodes.find((node) => node.default !== undefined)?.default;
  const sample = example === undefined || isEmpty(example) ? undefined : `for example \`${key}${flow(example)}\``;
  if (own !== undefined) return sample === undefined || own.includes("for example") ? own : `${own}, ${sample}`;
  if (sample !== undefined) return sample;
  return nodes.find((node) => node.description !== undefined)?.description ?? `see the option's description in ${source.schema.described}`;
}

function isEmpty(example: unknown): boolean {
  return typeof example === "object" && example !== null && Object.keys(example).length === 0;
}

function choices(values: readonly unknown[]): string {
  const words = values.map(String);
  return words.length < 2 ? (words[0] ?? "nothing") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** For checks that report by hand. */
export function finding(path: ConfigPath, code: ConfigCode, message: string, remedy: string): Finding {
  return { path, code, message, remedy };
}

export function warning(path: ConfigPath, code: ConfigCode, message: string, remedy: string): Finding {
  return { severity: "warning", path, code, message, remedy };
}
