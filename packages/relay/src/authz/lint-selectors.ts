// Mistakes in single selectors and groups: names that nothing defines, groups in circles, selectors that cannot work
// with the action of their policy. Part of lint.ts; pure.

import type { ConfigPath, Finding } from "@sallyport/shared/config/problem";
import {
  asList,
  type GroupConfig,
  type PolicyConfig,
  type RuleLists,
  type SelectorEntry,
  type SelectorKind,
} from "../config/policy-types.ts";
import { MAX_GROUP_DEPTH, referredGroups, type GroupProblem } from "./group-graph.ts";
import { readCidr } from "./ip.ts";
import { error, selectorsOf, unknownName, warning, type LintInput, type Placed, type PlacedSelector } from "./lint-input.ts";
import { PERSON_SELECTORS, TOKEN_SELECTORS } from "./possible.ts";

export function selectorFindings(rules: Placed<RuleLists>, input: LintInput): readonly Finding[] {
  return selectorsOf(rules).flatMap(({ entry, path }) => selectorFinding(entry, path, input));
}

function selectorFinding({ kind, value }: SelectorEntry, path: ConfigPath, input: LintInput): readonly Finding[] {
  switch (kind) {
    case "group":
      return input.groupNames.has(value) ? [] : [unknownName(path, "group", value)];
    case "identityProvider":
      return input.providerNames.has(value) ? [] : [unknownName(path, "identity provider", value)];
    case "serviceToken":
      return input.serviceTokenNames?.has(value) === false ? [unknownToken(path, value)] : [];
    case "country":
      return input.hasGeoip
        ? []
        : [
            error(
              path,
              "ERR_CONFIG_POLICY",
              "without a geo database every country is unknown",
              "configure `geoip`, or remove the selector",
            ),
          ];
    case "ip":
      return asList(value).flatMap((text, index) => cidrFinding(text, typeof value === "string" ? path : [...path, index]));
    default:
      return [];
  }
}

function cidrFinding(text: string, path: ConfigPath): readonly Finding[] {
  const reading = readCidr(text);
  if (reading.kind === "problem" || reading.cidr.prefix > 0) return [];
  const family = reading.cidr.first.family;
  return [
    warning(
      path,
      "ERR_CONFIG_POLICY",
      `${text} is every IPv${family} address, and no IPv${family === 4 ? 6 : 4} address`,
      "write everyone if that is meant",
    ),
  ];
}

function unknownToken(path: ConfigPath, name: string): Finding {
  return warning(
    path,
    "ERR_CONFIG_REFERENCE",
    `there is no service token ${JSON.stringify(name)} yet`,
    "create it with `sallyport-relay service-token create`, or correct the name",
  );
}

/** What an action cannot work with, whatever the visitor. */
export function actionFindings(policy: Placed<PolicyConfig>, personal: ReadonlySet<string>): readonly Finding[] {
  const { action, sessionDurationMs } = policy.value;
  const findings = selectorsOf(policy).flatMap((selector) => misplaced(action, selector) ?? []);
  if (action === "bypass") findings.push(...hiddenPersonSelectors(policy, personal));
  if (sessionDurationMs !== undefined && action !== "allow") {
    findings.push(
      error(
        [...policy.path, "sessionDuration"],
        "ERR_CONFIG_POLICY",
        `a session length has no effect with action ${action}`,
        "remove it, or use action: allow",
      ),
    );
  }
  return findings;
}

function misplaced(action: PolicyConfig["action"], { entry: { kind }, list, path }: PlacedSelector): Finding | undefined {
  if (action === "bypass" && PERSON_SELECTORS.has(kind)) {
    return error(
      path,
      "ERR_CONFIG_POLICY",
      `bypass is decided before anybody signs in, so ${kind} cannot be known`,
      "use action: allow, or select by ip, country, method, time or client certificate",
    );
  }
  if (action === "bypass" && kind === "externalEvaluation") {
    return error(
      path,
      "ERR_CONFIG_POLICY",
      "an external evaluator is asked about somebody who signed in, which bypass does not wait for",
      "use action: allow",
    );
  }
  if (list === "exclude") return undefined;
  if (action === "allow" && TOKEN_SELECTORS.has(kind)) {
    return error(
      path,
      "ERR_CONFIG_POLICY",
      "an allow policy is for people: a service token never matches it",
      "put it into a policy of its own with action: service",
    );
  }
  if (action === "service" && PERSON_SELECTORS.has(kind)) {
    return error(
      path,
      "ERR_CONFIG_POLICY",
      `a service token has no ${kind}: this never matches`,
      "put it into a policy of its own with action: allow",
    );
  }
  if (action === "service" && kind === "everyone") {
    return warning(
      path,
      "ERR_CONFIG_POLICY",
      "with action service, everyone is every valid service token",
      "write anyServiceToken: true if that is meant",
    );
  }
  return undefined;
}

/** Groups used by a bypass policy, which hold selectors about people somewhere. */
function hiddenPersonSelectors(policy: Placed<PolicyConfig>, personal: ReadonlySet<string>): readonly Finding[] {
  return selectorsOf(policy).flatMap(({ entry, path }) =>
    entry.kind === "group" && personal.has(entry.value)
      ? [
          error(
            path,
            "ERR_CONFIG_POLICY",
            `bypass is decided before anybody signs in, and group ${entry.value} asks who it is`,
            "use action: allow, or a group without selectors about people",
          ),
        ]
      : [],
  );
}

/** Names of groups that ask who the visitor is, themselves or through other groups. */
export function personalGroups(groups: readonly Placed<GroupConfig>[]): ReadonlySet<string> {
  return groupsWith(groups, asksWho);
}

/** Names of groups that have a selector of such a kind, themselves or through other groups. */
export function groupsWith(groups: readonly Placed<GroupConfig>[], wanted: (kind: SelectorKind) => boolean): ReadonlySet<string> {
  const found = new Set(
    groups.filter((group) => selectorsOf(group).some(({ entry }) => wanted(entry.kind))).map(({ value }) => value.name),
  );
  // Nesting is at most a few levels deep, so a few rounds settle it.
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { value } of groups) if (referredGroups(value).some((name) => found.has(name))) found.add(value.name);
  }
  return found;
}

function asksWho(kind: SelectorKind): boolean {
  return PERSON_SELECTORS.has(kind) || kind === "externalEvaluation";
}

const GROUP_REMEDIES = {
  "contains itself": "remove one of the references that lead back to it",
  "leads to a group that contains itself": "mend that group",
  "nests too deep": `write it with at most ${MAX_GROUP_DEPTH} levels of groups in groups`,
} as const satisfies Readonly<Record<GroupProblem, string>>;

export function groupFindings(groups: readonly Placed<GroupConfig>[], problems: ReadonlyMap<string, GroupProblem>): readonly Finding[] {
  return groups.flatMap(({ value, path }) => {
    const problem = problems.get(value.name);
    return problem === undefined
      ? []
      : [error([...path, "name"], "ERR_CONFIG_POLICY", `group ${value.name} ${problem}`, GROUP_REMEDIES[problem])];
  });
}

/** One evaluator has one set of keys: an answer is remembered by its URL. */
export function evaluatorFindings({ groups, policies }: Pick<LintInput, "groups" | "policies">): readonly Finding[] {
  const first = new Map<string, string>();
  return [...groups, ...policies].flatMap(selectorsOf).flatMap(({ entry, path }) => {
    if (entry.kind !== "externalEvaluation") return [];
    const { url, ...rest } = entry.value;
    const text = JSON.stringify([rest.keysUrl, rest.allowPrivateNetwork === true]);
    const before = first.get(url);
    if (before === undefined) first.set(url, text);
    if (before === undefined || before === text) return [];
    return [
      error(path, "ERR_CONFIG_POLICY", "the same evaluator has other settings elsewhere in the file", "write it the same everywhere"),
    ];
  });
}
