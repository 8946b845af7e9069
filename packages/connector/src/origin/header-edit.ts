// The set/remove header options of a service, compiled once per definition. Runs in both directions, after
// everything the connector itself strips. Must not know where the headers come from.

import type { Fields } from "@sallyport/shared/http/fields";
import { Secret } from "@sallyport/shared/secret";

import type { HeaderValue } from "./options.ts";

export type HeaderEdit = (fields: Fields) => Fields;

/**
 * @param set replaces every field of that name by one, at the place of the first, or adds it at the end
 * @param remove names; `set` wins over it
 * @returns undefined when there is nothing to edit
 */
export function compileHeaderEdit(set: Readonly<Record<string, HeaderValue>>, remove: readonly string[]): HeaderEdit | undefined {
  const values = new Map(Object.entries(set).map(([name, value]) => [name.toLowerCase(), { name, value }]));
  const removed = new Set(remove.map((name) => name.toLowerCase()).filter((name) => !values.has(name)));
  if (values.size === 0 && removed.size === 0) return undefined;
  return (fields) => edit(fields, values, removed);
}

type Values = ReadonlyMap<string, { readonly name: string; readonly value: HeaderValue }>;

function edit(fields: Fields, values: Values, removed: ReadonlySet<string>): Fields {
  const edited: string[] = [];
  const written = new Set<string>();
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const lower = name.toLowerCase();
    if (removed.has(lower) || written.has(lower)) continue;
    const own = values.get(lower);
    if (own === undefined) edited.push(name, fields[i + 1] as string);
    else {
      edited.push(own.name, reveal(own.value));
      written.add(lower);
    }
  }
  for (const [lower, own] of values) if (!written.has(lower)) edited.push(own.name, reveal(own.value));
  return edited;
}

function reveal(value: HeaderValue): string {
  return value instanceof Secret ? value.reveal() : value;
}
