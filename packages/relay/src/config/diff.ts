// What a reload changes, for the log and the audit record: names and hashes, never values, so never secrets (O3, R-M3).

import { createHash } from "node:crypto";
import { Secret } from "@sallyport/shared/secret";
import type { RelayConfig } from "./types.ts";

export interface ConfigChange {
  readonly kind: "added" | "removed" | "changed";
  /** Section of the file: `applications`, `policies`, `limits`. */
  readonly section: string;
  /** Name of the entry; undefined for a section without names. */
  readonly name: string | undefined;
}

export interface ConfigDiff {
  /** SHA-256 of the YAML text, hex. */
  readonly hashBefore: string;
  readonly hashAfter: string;
  /** At most {@link MAX_CHANGES}. */
  readonly changes: readonly ConfigChange[];
  /** All changes, those beyond the bound included. */
  readonly totalChanges: number;
}

/** More changes than this are counted, not listed. */
export const MAX_CHANGES = 100;

export function diffConfigs(before: RelayConfig, after: RelayConfig): ConfigDiff {
  const changes = [
    ...NAMED_SECTIONS.flatMap((section) => diffNamed(section, byName(before[section]), byName(after[section]))),
    ...diffNamed("listen", listeners(before), listeners(after)),
    ...PLAIN_SECTIONS.filter((section) => digest(before[section]) !== digest(after[section])).map((section): ConfigChange => ({
      kind: "changed",
      section,
      name: undefined,
    })),
  ];
  return {
    hashBefore: before.source.hash,
    hashAfter: after.source.hash,
    changes: changes.slice(0, MAX_CHANGES),
    totalChanges: changes.length,
  };
}

const NAMED_SECTIONS = ["applications", "policies", "groups", "tunnels", "identityProviders"] as const;
const PLAIN_SECTIONS = ["authUrl", "admin", "state", "trustedProxies", "geoip", "tests", "limits", "sessions", "pages", "records"] as const;

/**
 * Sections whose change takes a restart, because sockets, stores or sessions were made with them. A reload that
 * needs one is refused as a whole: half of a configuration is none.
 */
export function restartSections(before: RelayConfig, after: RelayConfig): readonly string[] {
  const plain = (["authUrl", "admin", "state", "limits", "records"] as const).filter(
    (section) => digest(before[section]) !== digest(after[section]),
  );
  return digest(sockets(before)) === digest(sockets(after)) ? plain : [...plain, "listen"];
}

/** What of the listeners is fixed once they are bound: everything but the certificates themselves. */
function sockets(config: RelayConfig): unknown {
  return config.listen.map(({ certificates, ...rest }) => ({ ...rest, tls: certificates !== undefined }));
}

function listeners(config: RelayConfig): ReadonlyMap<string, string> {
  return new Map(config.listen.map((listen) => [`${listen.address.host}:${listen.address.port}`, digest(listen)]));
}

function byName(entries: readonly { readonly name: string }[]): ReadonlyMap<string, string> {
  return new Map(entries.map((entry) => [entry.name, digest(entry)]));
}

function diffNamed(section: string, before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): ConfigChange[] {
  const changes: ConfigChange[] = [];
  for (const [name, value] of after) {
    if (!before.has(name)) changes.push({ kind: "added", section, name });
    else if (before.get(name) !== value) changes.push({ kind: "changed", section, name });
  }
  for (const name of before.keys()) if (!after.has(name)) changes.push({ kind: "removed", section, name });
  return changes;
}

/** Equal for equal values. Secrets go in by their hash, so that a rotated one shows as a change, and only as that. */
function digest(value: unknown): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify(withoutSecrets(value)) ?? "undefined");
  return hash.digest("hex");
}

function withoutSecrets(value: unknown): unknown {
  if (value instanceof Secret) return createHash("sha256").update(value.reveal()).digest("hex");
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, withoutSecrets(inner)]),
  );
}
