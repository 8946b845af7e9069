// What can still be relied on in a file with mistakes: every section, and every entry of a list section, that is
// right by itself. Checks across sections run on this, so that one typo does not hide the other mistakes (O2),
// and a broken policy is not also reported as missing. Must not judge anything itself.

import type { z } from "zod";
import type { ConfigPath } from "@sallyport/shared/config/problem";
import { childOf } from "@sallyport/shared/config/schema-tree";
import { parseSection, SECTION_NAMES, type RelayDocument, type SectionName } from "./schema.ts";

export interface Entry<Value> {
  readonly value: Value;
  readonly path: ConfigPath;
}

type ListSection = { [Name in SectionName]: RelayDocument[Name] extends readonly unknown[] ? Name : never }[SectionName];
type EntryOf<Name extends ListSection> = RelayDocument[Name][number];

export interface Survey {
  /** One section; undefined when it is wrong or absent without a default. */
  section<Name extends SectionName>(name: Name): RelayDocument[Name] | undefined;
  /** The entries of a list section that are right by themselves, with their places in the file. */
  entries<Name extends ListSection>(name: Name): readonly Entry<EntryOf<Name>>[];
  /** The entries of a list section as written, mistakes included. */
  rawEntries(name: ListSection): readonly Entry<unknown>[];
  /** Every `name` written in a list section, entries with mistakes included. */
  names(name: ListSection): ReadonlySet<string>;
  /** Whether the section as a whole is right. */
  intact(name: SectionName): boolean;
}

/** `issues` are those of the whole document; none of them means that everything is right. */
export function survey(value: unknown, issues: readonly z.core.$ZodIssue[], document: RelayDocument | undefined): Survey {
  const sections = new Map<SectionName, unknown>();
  const entries = new Map<SectionName, readonly Entry<unknown>[]>();
  for (const name of SECTION_NAMES) {
    const raw = childOf(value, name);
    const own = issues.filter((issue) => issue.path[0] === name);
    const section = document?.[name] ?? (own.length === 0 ? parseSection(name, raw) : undefined);
    if (section !== undefined) sections.set(name, section);
    entries.set(name, entriesOf(name, raw, section, own));
  }
  return {
    section: (name) => sections.get(name) as never,
    entries: (name) => (entries.get(name) ?? []) as never,
    rawEntries: (name) => rawEntries(name, childOf(value, name)),
    names: (name) => declaredNames(childOf(value, name)),
    intact: (name) => !issues.some((issue) => issue.path[0] === name),
  };
}

function entriesOf(name: SectionName, raw: unknown, section: unknown, issues: readonly z.core.$ZodIssue[]): readonly Entry<unknown>[] {
  if (Array.isArray(section)) return section.map((value: unknown, index) => ({ value, path: [name, index] }));
  if (!Array.isArray(raw) || issues.some((issue) => typeof issue.path[1] !== "number")) return [];
  const broken = new Set(issues.map((issue) => issue.path[1]));
  const indexes = Array.from(raw.keys()).filter((index) => !broken.has(index));
  const parsed: unknown = parseSection(
    name,
    indexes.map((index): unknown => raw[index]),
  );
  if (!Array.isArray(parsed)) return [];
  return parsed.map((value: unknown, position) => ({ value, path: [name, indexes[position] ?? 0] }));
}

function rawEntries(name: SectionName, raw: unknown): readonly Entry<unknown>[] {
  return Array.isArray(raw) ? raw.map((value: unknown, index) => ({ value, path: [name, index] })) : [];
}

function declaredNames(raw: unknown): ReadonlySet<string> {
  const names = Array.isArray(raw) ? raw.map((entry) => childOf(entry, "name")) : [];
  return new Set(names.filter((name) => typeof name === "string"));
}
