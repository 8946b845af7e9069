// What a Connection field names (RFC 9110 section 7.6.1, R-C4). Must not know requests from responses.

import { classifyField, FieldClass, normaliseFieldName } from "./field-names.ts";
import type { Fields } from "./fields.ts";
import { trimOws } from "./grammar.ts";

/** Options that are no field names, or name fields that are removed anyway. */
const ORDINARY: ReadonlySet<string> = new Set(["keep-alive", "close", "upgrade", "te", "http2-settings", "trailers"]);

/**
 * Removes from `fields` what Connection asks for besides the hop-by-hop fields, which are gone already.
 * @param connection all Connection values joined with `,`; empty when there was none
 * @param protectedNames normalised names that must not be named, besides those that are protected by their class
 * @returns the same list when nothing more is named; undefined when it names a field on which security depends,
 *          or is no list of tokens: refuse the message
 */
export function withoutConnectionOptions(fields: Fields, connection: string, protectedNames: ReadonlySet<string>): Fields | undefined {
  if (connection === "" || ORDINARY.has(connection)) return fields;
  const named = new Set<string>();
  for (const element of connection.split(",")) {
    const option = trimOws(element);
    if (option === "") continue;
    const kind = connectionOptionKind(option, protectedNames);
    if (kind === "refused") return undefined;
    if (kind === "named") named.add(normaliseFieldName(option));
  }
  return named.size === 0 ? fields : removeNamed(fields, named);
}

function connectionOptionKind(option: string, protectedNames: ReadonlySet<string>): "ordinary" | "named" | "refused" {
  const name = normaliseFieldName(option);
  if (ORDINARY.has(name)) return "ordinary";
  if (protectedNames.has(name)) return "refused";
  const kind = classifyField(name);
  if (kind === FieldClass.HOP_BY_HOP || kind === FieldClass.CONNECTION) return "ordinary";
  return kind === FieldClass.PLAIN ? "named" : "refused";
}

function removeNamed(fields: Fields, names: ReadonlySet<string>): Fields {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (!names.has(normaliseFieldName(name))) kept.push(name, fields[i + 1] as string);
  }
  return kept;
}
