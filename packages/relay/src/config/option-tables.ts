// The option tables of docs/configure.md, from the schema, so that the documentation cannot say anything else than the
// relay does. A table per section; nested options are rows with a dotted name.

import { flow } from "@sallyport/shared/config/flow";
import type { SchemaNode } from "@sallyport/shared/config/schema-tree";
import { schemaRoot } from "./json-schema.ts";

/** One documented option. */
export interface OptionRow {
  /** `applications[].limits.maxRequestBody` */
  readonly path: string;
  /** `size, 1MB to 10GB` */
  readonly type: string;
  readonly required: boolean;
  /** As written in YAML; undefined when there is none. */
  readonly default: string | undefined;
  readonly description: string;
  /** The kinds that have this option, where not all have it: `oidc, github`. */
  readonly only?: string | undefined;
}

/** Every option of a section, in the order of the schema; of the whole file without `section`. */
export function optionRows(section?: string): readonly OptionRow[] {
  const root = schemaRoot();
  const names = section === undefined ? Object.keys(root.properties ?? {}) : [section];
  return names.flatMap((name) => rowsOf(name, root.properties?.[name] ?? {}, root.required?.includes(name) === true));
}

/** A Markdown table of a section's options. */
export function optionTable(section: string): string {
  const rows = optionRows(section).map(({ path, type, required, default: preset, description, only }) => {
    const value = preset === undefined ? (required ? "required" : "") : `\`${preset}\``;
    const otherwise = only === undefined ? value : `${only}: ${value}`;
    return `| \`${path}\` | ${cell(type)} | ${cell(otherwise)} | ${cell(description)} |`;
  });
  return ["| Option | Type | Default | Meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

const BEGIN = /<!-- options: (\w+) -->/g;

/** Replaces what stands between `<!-- options: SECTION -->` and `<!-- end -->` by the table of that section. */
export function withOptionTables(markdown: string): string {
  return markdown.replaceAll(
    /(<!-- options: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_all, begin: string, section: string, end: string) => `${begin}\n${optionTable(section)}\n\n${end}`,
  );
}

/** Sections whose table a text has. */
export function documentedSections(markdown: string): readonly string[] {
  return [...markdown.matchAll(BEGIN)].map((match) => match[1] as string);
}

function rowsOf(path: string, node: SchemaNode, required: boolean): OptionRow[] {
  const shape = resolve(node);
  const preset = shape.default ?? node.default;
  const own: OptionRow = {
    path,
    type: typeOf(node),
    required: required && preset === undefined,
    default: preset === undefined || isObject(preset) ? undefined : flow(preset),
    description: node.description ?? shape.description ?? "",
  };
  // References to files and secrets are explained once, in the text.
  if (kindOf(node)?.endsWith("reference") === true) return [own];
  return [own, ...childRows(path, node)];
}

function childRows(path: string, node: SchemaNode): OptionRow[] {
  const alternatives = shapesOf(node).map(({ suffix, shape }) => ({
    kind: kindOfAlternative(shape),
    rows: Object.entries(shape.properties ?? {}).flatMap(([key, child]) =>
      rowsOf(`${path}${suffix}.${key}`, child, shape.required?.includes(key) === true),
    ),
  }));
  const merged = new Map<string, OptionRow>();
  for (const { kind, rows } of alternatives) {
    for (const row of rows) merged.set(row.path, join(merged.get(row.path), row, kind));
  }
  // What not every kind has is said with the kinds that have it.
  const everywhere = (row: OptionRow): boolean => alternatives.every(({ rows }) => rows.some(({ path: other }) => other === row.path));
  return [...merged.values()].map((row) => (everywhere(row) ? { ...row, only: undefined } : row));
}

function kindOfAlternative(shape: SchemaNode): string | undefined {
  const kind = shape.properties?.["type"]?.const;
  return typeof kind === "string" ? kind : undefined;
}

function join(before: OptionRow | undefined, row: OptionRow, kind: string | undefined): OptionRow {
  if (before === undefined) return { ...row, only: row.only ?? kind };
  const different = before.type !== row.type;
  return {
    ...before,
    only: [before.only, kind].filter((one) => one !== undefined).join(", "),
    type: different ? `${before.type}, ${row.type}` : before.type,
    description: different ? `${before.description} ${row.description}` : before.description,
  };
}

/** The mappings that may stand at a node: itself, entries of its list, alternatives. */
function shapesOf(node: SchemaNode, suffix = ""): { readonly suffix: string; readonly shape: SchemaNode }[] {
  const shape = resolve(node);
  // Selectors have a reference of their own (docs/policies.md).
  if (shape.properties?.["everyone"] !== undefined) return [];
  const alternatives = [...(shape.anyOf ?? []), ...(shape.oneOf ?? [])];
  if (alternatives.length > 0)
    return alternatives.flatMap((one) => shapesOf(one, suffix)).slice(0, shape.oneOf === undefined ? 1 : undefined);
  if (shape.items !== undefined) return shapesOf(shape.items, `${suffix}[]`);
  return shape.properties === undefined ? [] : [{ suffix, shape }];
}

function typeOf(node: SchemaNode): string {
  const shape = resolve(node);
  const kind = kindOf(node);
  if (kind !== undefined) return kind;
  const alternatives = [...(shape.anyOf ?? []), ...(shape.oneOf ?? [])].map(typeOf);
  if (alternatives.length > 0) return [...new Set(alternatives)].join(" or ");
  if (shape.const !== undefined) return `\`${String(shape.const)}\``;
  if (shape.enum !== undefined) return shape.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (shape.items !== undefined) return `list of ${plural(typeOf(shape.items))}`;
  return simpleType(shape);
}

function simpleType({ type, minimum, maximum }: SchemaNode): string {
  if (type === "boolean") return "`true`, `false`";
  if (type === "integer") return `number, ${minimum ?? ""} to ${maximum ?? ""}`;
  return type === "object" ? "mapping" : "text";
}

function plural(type: string): string {
  return type.startsWith("mapping") || /^[a-z ]*name$|^address range$/.test(type) ? `${type}s` : type;
}

function kindOf(node: SchemaNode): string | undefined {
  return node.kind ?? resolve(node).kind;
}

function resolve(node: SchemaNode): SchemaNode {
  const name = node.$ref?.split("/").at(-1);
  return name === undefined ? node : (schemaRoot().$defs?.[name] ?? node);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
