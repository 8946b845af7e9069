// JSON Schema of relay.yaml: for editors (completion, hover texts) and for finding what is allowed at a place.
// Generated from schema.ts, so that it cannot disagree with what the relay accepts.

import { type ConfigPath } from "./problem.ts";
import { rawJsonSchema } from "./schema.ts";

/** One node of a JSON Schema, as far as this file reads it. */
export interface SchemaNode {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly allOf?: readonly SchemaNode[];
  readonly additionalProperties?: boolean | SchemaNode;
  /** What to write instead when the type is wrong; not part of the published schema. */
  readonly remedy?: string;
  /** What option tables call the type; not part of the published schema either. */
  readonly kind?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

const INTERNAL: ReadonlySet<string> = new Set(["remedy", "kind"]);

let cached: SchemaNode | undefined;

/** The schema with internal metadata, built once. */
export function schemaRoot(): SchemaNode {
  cached ??= rawJsonSchema() as SchemaNode;
  return cached;
}

/** The schema as published: printed by `sallyport-relay schema`, committed as docs/relay.schema.json. */
export function publishedSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...rest } = withoutInternals(schemaRoot()) as Record<string, unknown>;
  return { $schema, title: "Sallyport relay configuration (relay.yaml)", ...rest };
}

/** Keys may also be options of such a name; only annotations beside keywords are removed, never entries of `properties`. */
function withoutInternals(node: unknown, isPropertyMap = false): unknown {
  if (Array.isArray(node)) return node.map((item) => withoutInternals(item));
  if (typeof node !== "object" || node === null) return node;
  const entries = Object.entries(node).filter(([key]) => isPropertyMap || !INTERNAL.has(key));
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutInternals(value, key === "properties" && !isPropertyMap)]));
}

/** All schema nodes that may describe the value at `path`; `value` (the whole document) picks between typed alternatives. */
export function nodesAt(path: ConfigPath, value: unknown): readonly SchemaNode[] {
  let nodes = alternatives(schemaRoot(), value);
  let here = value;
  for (const step of path) {
    here = childOf(here, step);
    nodes = nodes.flatMap((node) => {
      const child = typeof step === "number" ? node.items : ownProperty(node, step);
      return child === undefined ? [] : [child, ...alternatives(child, here).filter((one) => one !== child)];
    });
  }
  return nodes;
}

/** Every key that may stand in the mapping at `path`. */
export function keysAt(path: ConfigPath, value: unknown): readonly string[] {
  return [...new Set(nodesAt(path, value).flatMap((node) => Object.keys(node.properties ?? {})))];
}

function alternatives(node: SchemaNode, value: unknown): SchemaNode[] {
  const target = node.$ref === undefined ? node : dereference(node.$ref);
  const choices = [...(target.anyOf ?? []), ...(target.oneOf ?? []), ...(target.allOf ?? [])];
  if (choices.length === 0) return [target];
  const fitting = choices.filter((choice) => !contradicts(choice, value));
  return [target, ...(fitting.length === 0 ? choices : fitting).flatMap((choice) => alternatives(choice, value))];
}

function dereference(pointer: string): SchemaNode {
  let node: unknown = schemaRoot();
  for (const step of pointer.split("/").slice(1)) node = childOf(node, step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return (node ?? {}) as SchemaNode;
}

/** Whether a constant such as `type: oidc` rules the alternative out. */
function contradicts(choice: SchemaNode, value: unknown): boolean {
  return Object.entries(choice.properties ?? {}).some(([key, node]) => {
    const actual = childOf(value, key);
    return node.const !== undefined && actual !== undefined && actual !== node.const;
  });
}

function ownProperty(node: SchemaNode, key: string): SchemaNode | undefined {
  return node.properties !== undefined && Object.hasOwn(node.properties, key) ? node.properties[key] : undefined;
}

/** The value below `value` at one step of a path; undefined where there is none. */
export function childOf(value: unknown, step: string | number): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
  return (value as Readonly<Record<string | number, unknown>>)[step];
}

/** The value at a path; undefined where there is none. */
export function valueAt(value: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>(childOf, value);
}
