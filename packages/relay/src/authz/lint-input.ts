// What lint looks at and how its findings are written. Shared by the lint files; pure.

import type { ConfigCode, ConfigPath, Finding } from "@sallyport/shared/config/problem";
import {
  selectorEntry,
  type GroupConfig,
  type PolicyConfig,
  type PolicyTestConfig,
  type RuleLists,
  type SelectorEntry,
} from "../config/policy-types.ts";

/** A definition with its place in the file. */
export interface Placed<T> {
  readonly value: T;
  readonly path: ConfigPath;
}

export interface LintInput {
  readonly groups: readonly Placed<GroupConfig>[];
  readonly policies: readonly Placed<PolicyConfig>[];
  readonly applications: readonly Placed<{ readonly name: string; readonly policies: readonly string[] }>[];
  readonly tests: readonly Placed<PolicyTestConfig>[];
  /** Every name the file gives, those of broken definitions included: these are not reported as unknown. */
  readonly groupNames: ReadonlySet<string>;
  readonly policyNames: ReadonlySet<string>;
  readonly providerNames: ReadonlySet<string>;
  /** Whether a geo database is configured. */
  readonly hasGeoip: boolean;
  /** Names of the service tokens that exist; undefined where the state is not open. */
  readonly serviceTokenNames: ReadonlySet<string> | undefined;
}

/** A selector with its list and its place in the file. */
export interface PlacedSelector {
  readonly entry: SelectorEntry;
  readonly list: "include" | "require" | "exclude";
  readonly path: ConfigPath;
}

export function selectorsOf({ value, path }: Placed<RuleLists>): readonly PlacedSelector[] {
  return (["include", "require", "exclude"] as const).flatMap((list) =>
    (value[list] ?? []).map((selector, index) => {
      const entry = selectorEntry(selector);
      return { entry, list, path: [...path, list, index, entry.kind] };
    }),
  );
}

export function unknownName(path: ConfigPath, what: string, name: string): Finding {
  return error(path, "ERR_CONFIG_REFERENCE", `there is no ${what} ${JSON.stringify(name)}`, "define it, or correct the name");
}

export function error(path: ConfigPath, code: ConfigCode, message: string, remedy: string): Finding {
  return { severity: "error", path, code, message, remedy };
}

export function warning(path: ConfigPath, code: ConfigCode, message: string, remedy: string): Finding {
  return { severity: "warning", path, code, message, remedy };
}
