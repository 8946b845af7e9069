// What the lock file installs, as docs/dependencies.md shows it: what ships with the programs, what only development needs,
// with version, licence and reason. Reads the lock file and the installed packages' own words about their licence.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { REASONS } from "./reasons.ts";

interface Importer {
  readonly dependencies?: Readonly<Record<string, { readonly version: string }>>;
  readonly devDependencies?: Readonly<Record<string, { readonly version: string }>>;
  readonly optionalDependencies?: Readonly<Record<string, { readonly version: string }>>;
}

interface Snapshot {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  /** Installed where it fits the machine. */
  readonly optional?: boolean;
}

interface LockFile {
  readonly importers: Readonly<Record<string, Importer>>;
  readonly snapshots: Readonly<Record<string, Snapshot>>;
}

/** The packages that are published: what they depend on is installed by users. */
const PUBLISHED = ["packages/shared", "packages/relay", "packages/connector"];

interface Installed {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Direct dependencies that bring it, itself where it is one. */
  readonly broughtBy: Set<string>;
}

export interface DependencyList {
  readonly text: string;
  /** One sentence each; empty when every direct dependency has its reason. */
  readonly problems: readonly string[];
}

/** @param root of a checkout with its packages installed */
export function listDependencies(root: string): DependencyList {
  const lock = parse(readFileSync(join(root, "pnpm-lock.yaml"), "utf8")) as LockFile;
  const licences = readLicences(root);
  const shipped = collect(lock, licences, directOf(lock, PUBLISHED, ["dependencies"]));
  const everything = collect(
    lock,
    licences,
    directOf(lock, Object.keys(lock.importers), ["dependencies", "devDependencies", "optionalDependencies"]),
  );
  const development = new Map([...everything].filter(([key]) => !shipped.has(key)));
  const direct = new Set([...everything.values()].filter(isDirect).map(({ name }) => name));
  return {
    text: [
      "# Dependencies",
      "",
      "Written from the lock file by `pnpm dependencies --write`; `pnpm check` fails while it is out of date, so that a new package or",
      "version, its licence included, is something a reviewer sees. Versions younger than three days are not taken, install scripts do",
      "not run, and `pnpm advisories` asks the registry for known holes.",
      "",
      `## What ships with the programs: ${shipped.size} packages`,
      "",
      ...tableOf(shipped),
      "",
      `## What only development and tests need: ${development.size} packages`,
      "",
      ...tableOf(development),
      "",
    ].join("\n"),
    problems: [
      ...[...direct]
        .filter((name) => REASONS[name] === undefined)
        .map((name) => `${name} has no reason: say in tests/dependencies/reasons.ts why it is there`),
      ...Object.keys(REASONS)
        .filter((name) => !direct.has(name))
        .map((name) => `${name} is no direct dependency any more: remove its reason`),
    ],
  };
}

function isDirect({ name, broughtBy }: Installed): boolean {
  return broughtBy.has(name);
}

type Kind = keyof Importer;

/** `name@version` of what the importers ask for; workspace packages are their own. */
function directOf(lock: LockFile, importers: readonly string[], kinds: readonly Kind[]): ReadonlySet<string> {
  const keys = importers.flatMap((path) =>
    kinds.flatMap((kind) => Object.entries(lock.importers[path]?.[kind] ?? {}).map(([name, { version }]) => `${name}@${version}`)),
  );
  return new Set(keys.filter((key) => lock.snapshots[key] !== undefined));
}

/** Everything that these bring, by `name@version`. */
function collect(lock: LockFile, licences: ReadonlyMap<string, string>, direct: ReadonlySet<string>): ReadonlyMap<string, Installed> {
  const found = new Map<string, Installed>();
  for (const origin of direct) {
    const seen = new Set<string>();
    const queue = [origin];
    for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
      if (seen.has(key)) continue;
      seen.add(key);
      const plain = withoutPeers(key);
      const [name, version] = split(plain);
      // What is installed on one kind of machine only would make the list differ between machines.
      const licence = lock.snapshots[key]?.optional === true ? "as its package" : (licences.get(plain) ?? "unknown");
      const known = found.get(plain) ?? { name, version, licence, broughtBy: new Set<string>() };
      known.broughtBy.add(split(withoutPeers(origin))[0]);
      found.set(plain, known);
      const { dependencies = {}, optionalDependencies = {} } = lock.snapshots[key] ?? {};
      for (const [dependency, at] of Object.entries({ ...dependencies, ...optionalDependencies }))
        queue.push(lock.snapshots[at] === undefined ? `${dependency}@${at}` : at);
    }
  }
  return found;
}

/** Direct ones with their reasons first; then what they bring, in one table. */
function tableOf(packages: ReadonlyMap<string, Installed>): readonly string[] {
  const sorted = [...packages.values()].toSorted((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
  const rows = (list: readonly Installed[], last: (one: Installed) => string): readonly string[] =>
    list.map((one) => `| ${one.name} | ${one.version} | ${one.licence} | ${last(one)} |`);
  return [
    "| package | version | licence | why |",
    "| --- | --- | --- | --- |",
    ...rows(sorted.filter(isDirect), ({ name }) => REASONS[name] ?? "**no reason given**"),
    "",
    "| brought along | version | licence | by |",
    "| --- | --- | --- | --- |",
    ...rows(
      sorted.filter((one) => !isDirect(one)),
      ({ broughtBy }) => [...broughtBy].toSorted(compare).join(", "),
    ),
  ];
}

/** By `name@version`, from the store of installed packages. */
function readLicences(root: string): ReadonlyMap<string, string> {
  const store = join(root, "node_modules", ".pnpm");
  const licences = new Map<string, string>();
  for (const id of readdirSync(store)) {
    const modules = join(store, id, "node_modules");
    if (id === "node_modules" || !existsSync(modules)) continue;
    for (const folder of packageFolders(modules)) {
      const { name, version, license, licenses } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        readonly name?: string;
        readonly version?: string;
        readonly license?: string | { readonly type: string };
        readonly licenses?: readonly { readonly type: string }[];
      };
      const stated = typeof license === "string" ? license : (license?.type ?? licenses?.map(({ type }) => type).join(" OR "));
      licences.set(`${name}@${version}`, stated ?? "none stated");
    }
  }
  return licences;
}

/** Links lead to another package's own folder, which is read by itself. */
function packageFolders(modules: string): readonly string[] {
  return readdirSync(modules, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== ".bin")
    .flatMap(({ name }) => {
      if (!name.startsWith("@")) return [join(modules, name)];
      const scope = readdirSync(join(modules, name), { withFileTypes: true });
      return scope.filter((entry) => entry.isDirectory()).map((entry) => join(modules, name, entry.name));
    });
}

/** `a@1.0.0(b@2.0.0)` is a with b as its peer. */
function withoutPeers(key: string): string {
  const at = key.indexOf("(");
  return at < 0 ? key : key.slice(0, at);
}

function split(key: string): readonly [name: string, version: string] {
  const at = key.lastIndexOf("@");
  return [key.slice(0, at), key.slice(at + 1)];
}

/** The same order on every machine, whatever its language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
