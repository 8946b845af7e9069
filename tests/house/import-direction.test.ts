// Holds the sources to the import map; a failure names the import and the reason of the rule.

import { expect, test } from "vitest";
import { IMPORT_RULES } from "./import-map.ts";
import type { ImportRule } from "./import-map.ts";
import { files, imports } from "./tree.ts";

const sources = files("packages/*/src/**/*.ts", "tests/**/*.ts", "bench/**/*.ts", "scripts/**/*.ts", "examples/**/*.ts");

/** `ws` forbids `ws` and `ws/x`, not `wsx`; a prefix that ends in `/` or `:` or names a file stem matches as it is. */
function matches(from: string, prefix: string): boolean {
  if (/[/:]$/.test(prefix) || prefix.includes("/src/")) return from.startsWith(prefix);
  return from === prefix || from.startsWith(`${prefix}/`);
}

/** Inside its own package a file reaches its siblings by path; only leaving the package is a violation. */
function staysInPackage(file: string, from: string): boolean {
  const home = /^packages\/[^/]+\//.exec(file)?.[0];
  return home !== undefined && from.startsWith(home);
}

function violations(rule: ImportRule): readonly string[] {
  const found: string[] = [];
  for (const file of sources) {
    // Tests may look behind the curtain: the map is about what ships.
    if (file.startsWith("packages/") && /(\.test|\.fixture|test-support)\.ts$|\/testing\//.test(file)) continue;
    if (!rule.files.some((prefix) => file.startsWith(prefix)) || (rule.except ?? []).some((prefix) => file.startsWith(prefix))) continue;
    for (const { from, typeOnly } of imports(file)) {
      if (typeOnly && rule.typesAllowed === true) continue;
      const prefix = rule.forbidden.find((candidate) => matches(from, candidate));
      if (prefix === undefined || (prefix === "packages/" && staysInPackage(file, from))) continue;
      found.push(`${file} imports ${from}`);
    }
  }
  return found;
}

test.each(IMPORT_RULES)("$files do not import $forbidden", (rule) => {
  expect(violations(rule), `${rule.why}\n`).toEqual([]);
});

test("the reader of imports sees static, bare, type and dynamic imports", () => {
  const seen = imports("tests/house/fixtures/imports.ts").map(({ from, typeOnly }) => `${from}${typeOnly ? " (type)" : ""}`);
  expect(seen).toEqual(["node:fs", "tests/house/tree.ts (type)", "tests/house/tree.ts", "node:http", "node:os", "node:dns"]);
});

test("there is something to read", () => {
  expect(sources.filter((file) => file.startsWith("packages/")).length).toBeGreaterThan(10);
});
