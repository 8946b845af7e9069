// Whatever gets installed may be used in and shipped with an Apache-2.0 program. Reads the package.json of every
// installed package; a new licence has to be looked at by a person and added here.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./tree.ts";

const COMPATIBLE = new Set([
  "Apache-2.0", "MIT", "MIT-0", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Unlicense", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0",
  "BlueOak-1.0.0", "Python-2.0", "Zlib", "WTFPL",
  // File-level copyleft: used unmodified by development tools (lightningcss of Vite), never shipped by us.
  "MPL-2.0",
]); // prettier-ignore

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string | { readonly type: string };
  readonly licenses?: readonly { readonly type: string }[];
}

/** Package folders in pnpm's store: `.pnpm/<id>/node_modules/<name>` and `.../<@scope>/<name>`. */
function installed(): readonly string[] {
  const store = join(root, "node_modules", ".pnpm");
  const folders: string[] = [];
  for (const id of readdirSync(store)) {
    const modules = join(store, id, "node_modules");
    if (id === "node_modules" || id.endsWith(".yaml")) continue;
    for (const entry of readdirSync(modules, { withFileTypes: true })) {
      // Links lead to another package's own folder, which is visited by itself.
      if (!entry.isDirectory() || entry.name === ".bin") continue;
      if (!entry.name.startsWith("@")) folders.push(join(modules, entry.name));
      else
        for (const scoped of readdirSync(join(modules, entry.name), { withFileTypes: true })) {
          if (scoped.isDirectory()) folders.push(join(modules, entry.name, scoped.name));
        }
    }
  }
  return folders;
}

function licence(manifest: Manifest): string {
  if (typeof manifest.license === "string") return manifest.license;
  return manifest.license?.type ?? manifest.licenses?.map(({ type }) => type).join(" OR ") ?? "none";
}

/** SPDX in the forms that occur: `A`, `A OR B` (one is enough), `A AND B` (all must do). */
function compatible(expression: string): boolean {
  const plain = expression.replace(/[()]/g, "").trim();
  if (plain.includes(" OR ")) return plain.split(" OR ").some(compatible);
  if (plain.includes(" AND ")) return plain.split(" AND ").every(compatible);
  return COMPATIBLE.has(plain);
}

const manifests = installed().map((folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest);

test("every installed package has a licence that Apache-2.0 can live with", () => {
  const strangers = manifests.filter((manifest) => !compatible(licence(manifest))).map((m) => `${m.name}@${m.version}: ${licence(m)}`);
  expect(strangers).toEqual([]);
});

test("licence expressions are read with their operators", () => {
  expect(["MIT", "(MIT OR GPL-3.0)", "MIT AND GPL-3.0", "GPL-3.0-only", "none"].map(compatible)).toEqual([true, true, false, false, false]);
});

test("there is something to read", () => {
  expect(manifests.length).toBeGreaterThan(50);
});
