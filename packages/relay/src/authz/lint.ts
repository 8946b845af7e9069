// Mistakes in policies that only the whole file shows: references, cycles, selectors that cannot work with an action,
// policies that can never match, applications that nobody can open. Used by the configuration loader; pure.

import type { ConfigCode, ConfigPath, Finding } from "../config/problem.ts";
import { asList, selectorEntry, type GroupConfig, type PolicyConfig, type PolicyTestConfig, type RuleLists, type SelectorEntry, type SelectorKind } from "../config/policy-types.ts";
import { groupProblems, MAX_GROUP_DEPTH, referredGroups, type GroupProblem } from "./group-graph.ts";
import { readCidr } from "./ip.ts";
import { FALSE, TRUE } from "./truth.ts";
import { PERSON_SELECTORS, Possibilities, TOKEN_SELECTORS } from "./possible.ts";
import { isReasonCode, REASON_CODES } from "./reasons.ts";

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

/** Findings with severity, in the order of the sections. References from applications are the loader's to check. */
export function lintPolicies(input: LintInput): readonly Finding[] {
  const problems = groupProblems(input.groups.map(({ value }) => value));
  const possibilities = new Possibilities(input.groups.map(({ value }) => value).filter(({ name }) => !problems.has(name)));
  const personal = personalGroups(input.groups);
  const policies = new Map(input.policies.map(({ value }) => [value.name, value]));
  return [
    ...input.groups.flatMap((group) => selectorFindings(group, input)),
    ...groupFindings(input.groups, problems),
    ...input.policies.flatMap((policy) => [...selectorFindings(policy, input), ...actionFindings(policy, personal), ...matchFindings(policy, possibilities)]),
    ...input.applications.flatMap((application) => applicationFindings(application, policies, possibilities)),
    ...unusedFindings(input),
    ...input.tests.flatMap((test) => testFindings(test, input)),
  ];
}

interface PlacedSelector {
  readonly entry: SelectorEntry;
  readonly list: "include" | "require" | "exclude";
  readonly path: ConfigPath;
}

function selectorsOf({ value, path }: Placed<RuleLists>): readonly PlacedSelector[] {
  return (["include", "require", "exclude"] as const).flatMap((list) =>
    (value[list] ?? []).map((selector, index) => {
      const entry = selectorEntry(selector);
      return { entry, list, path: [...path, list, index, entry.kind] };
    }),
  );
}

function selectorFindings(rules: Placed<RuleLists>, input: LintInput): readonly Finding[] {
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
      return input.hasGeoip ? [] : [error(path, "ERR_CONFIG_POLICY", "without a geo database every country is unknown", "configure `geoip`, or remove the selector")];
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
  return [warning(path, "ERR_CONFIG_POLICY", `${text} is every IPv${family} address, and no IPv${family === 4 ? 6 : 4} address`, "write everyone if that is meant")];
}

function unknownToken(path: ConfigPath, name: string): Finding {
  return warning(path, "ERR_CONFIG_REFERENCE", `there is no service token ${JSON.stringify(name)} yet`, "create it with `sallyport-relay service-token create`, or correct the name");
}

/** What an action cannot work with, whatever the visitor. */
function actionFindings(policy: Placed<PolicyConfig>, personal: ReadonlySet<string>): readonly Finding[] {
  const { action, sessionDurationMs } = policy.value;
  const findings = selectorsOf(policy).flatMap((selector) => misplaced(action, selector) ?? []);
  if (action === "bypass") findings.push(...hiddenPersonSelectors(policy, personal));
  if (sessionDurationMs !== undefined && action !== "allow") {
    findings.push(error([...policy.path, "sessionDuration"], "ERR_CONFIG_POLICY", `a session length has no effect with action ${action}`, "remove it, or use action: allow"));
  }
  return findings;
}

function misplaced(action: PolicyConfig["action"], { entry: { kind }, list, path }: PlacedSelector): Finding | undefined {
  if (action === "bypass" && PERSON_SELECTORS.has(kind)) {
    return error(path, "ERR_CONFIG_POLICY", `bypass is decided before anybody signs in, so ${kind} cannot be known`, "use action: allow, or select by ip, country, method, time or client certificate");
  }
  if (action === "bypass" && kind === "externalEvaluation") {
    return error(path, "ERR_CONFIG_POLICY", "an external evaluator is asked about somebody who signed in, which bypass does not wait for", "use action: allow");
  }
  if (list === "exclude") return undefined;
  if (action === "allow" && TOKEN_SELECTORS.has(kind)) {
    return error(path, "ERR_CONFIG_POLICY", "an allow policy is for people: a service token never matches it", "put it into a policy of its own with action: service");
  }
  if (action === "service" && PERSON_SELECTORS.has(kind)) {
    return error(path, "ERR_CONFIG_POLICY", `a service token has no ${kind}: this never matches`, "put it into a policy of its own with action: allow");
  }
  if (action === "service" && kind === "everyone") {
    return warning(path, "ERR_CONFIG_POLICY", "with action service, everyone is every valid service token", "write anyServiceToken: true if that is meant");
  }
  return undefined;
}

/** Groups used by a bypass policy, which hold selectors about people somewhere. */
function hiddenPersonSelectors(policy: Placed<PolicyConfig>, personal: ReadonlySet<string>): readonly Finding[] {
  return selectorsOf(policy).flatMap(({ entry, path }) =>
    entry.kind === "group" && personal.has(entry.value)
      ? [error(path, "ERR_CONFIG_POLICY", `bypass is decided before anybody signs in, and group ${entry.value} asks who it is`, "use action: allow, or a group without selectors about people")]
      : [],
  );
}

/** Names of groups that ask who the visitor is, themselves or through other groups. */
function personalGroups(groups: readonly Placed<GroupConfig>[]): ReadonlySet<string> {
  const personal = new Set(groups.filter((group) => selectorsOf(group).some(({ entry }) => asksWho(entry.kind))).map(({ value }) => value.name));
  // Nesting is at most a few levels deep, so a few rounds settle it.
  for (let before = -1; before !== personal.size; ) {
    before = personal.size;
    for (const { value } of groups) if (referredGroups(value).some((name) => personal.has(name))) personal.add(value.name);
  }
  return personal;
}

function asksWho(kind: SelectorKind): boolean {
  return PERSON_SELECTORS.has(kind) || kind === "externalEvaluation";
}

function matchFindings({ value: policy, path }: Placed<PolicyConfig>, possibilities: Possibilities): readonly Finding[] {
  if (possibilities.ofPolicy(policy).most !== FALSE) return [];
  return [warning([...path, "name"], "ERR_CONFIG_POLICY", `policy ${policy.name} can never match`, "look for requirements that exclude each other, and for what is included and excluded alike")];
}

function applicationFindings(
  { value, path }: LintInput["applications"][number],
  policiesByName: ReadonlyMap<string, PolicyConfig>,
  possibilities: Possibilities,
): readonly Finding[] {
  const at = [...path, "name"];
  if (value.policies.length === 0) return [warning(at, "ERR_CONFIG_POLICY", `application ${value.name} has no policies: everybody is denied`, "list policies, for example a bypass policy if it is public")];
  // A policy with mistakes of its own may do anything once they are mended.
  const policies = value.policies.map((name) => policiesByName.get(name));
  if (policies.some((policy) => policy === undefined)) return [];
  const known = policies.filter((policy) => policy !== undefined);
  const blocker = known.find((policy) => policy.action === "deny" && possibilities.ofPolicy(policy).least === TRUE);
  if (blocker !== undefined) return [warning(at, "ERR_CONFIG_POLICY", `policy ${blocker.name} denies everybody: nobody can open application ${value.name}`, "narrow the deny policy, or remove it")];
  const admitting = known.filter((policy) => policy.action !== "deny" && possibilities.ofPolicy(policy).most !== FALSE);
  return admitting.length > 0 ? [] : [warning(at, "ERR_CONFIG_POLICY", `no policy of application ${value.name} lets anybody in`, "add an allow, service or bypass policy")];
}

const GROUP_REMEDIES = {
  "contains itself": "remove one of the references that lead back to it",
  "leads to a group that contains itself": "mend that group",
  "nests too deep": `write it with at most ${MAX_GROUP_DEPTH} levels of groups in groups`,
} as const satisfies Readonly<Record<GroupProblem, string>>;

function groupFindings(groups: readonly Placed<GroupConfig>[], problems: ReadonlyMap<string, GroupProblem>): readonly Finding[] {
  return groups.flatMap(({ value, path }) => {
    const problem = problems.get(value.name);
    return problem === undefined ? [] : [error([...path, "name"], "ERR_CONFIG_POLICY", `group ${value.name} ${problem}`, GROUP_REMEDIES[problem])];
  });
}

function unusedFindings({ policies, groups, applications }: LintInput): readonly Finding[] {
  const usedPolicies = new Set(applications.flatMap(({ value }) => value.policies));
  const usedGroups = new Set([...policies, ...groups].flatMap(({ value }) => referredGroups(value)));
  const unused = (what: string, { value, path }: Placed<{ readonly name: string }>): Finding =>
    warning([...path, "name"], "ERR_CONFIG_POLICY", `${what} ${value.name} is not used`, "use it or remove it");
  return [
    ...policies.filter(({ value }) => !usedPolicies.has(value.name)).map((policy) => unused("policy", policy)),
    ...groups.filter(({ value }) => !usedGroups.has(value.name)).map((group) => unused("group", group)),
  ];
}

function testFindings({ value, path }: Placed<PolicyTestConfig>, input: LintInput): readonly Finding[] {
  const findings: Finding[] = [];
  const { policy, reason, as } = value;
  if (policy !== undefined && !input.policyNames.has(policy)) findings.push(unknownName([...path, "policy"], "policy", policy));
  if (as.provider !== undefined && !input.providerNames.has(as.provider)) findings.push(unknownName([...path, "as", "provider"], "identity provider", as.provider));
  if (reason !== undefined && !isReasonCode(reason) && !reason.startsWith("ERR_")) {
    findings.push(error([...path, "reason"], "ERR_CONFIG_REFERENCE", `there is no reason code ${JSON.stringify(reason)}`, `write one of ${REASON_CODES.join(", ")}`));
  }
  return findings;
}

function unknownName(path: ConfigPath, what: string, name: string): Finding {
  return error(path, "ERR_CONFIG_REFERENCE", `there is no ${what} ${JSON.stringify(name)}`, "define it, or correct the name");
}

function error(path: ConfigPath, code: ConfigCode, message: string, remedy: string): Finding {
  return { severity: "error", path, code, message, remedy };
}

function warning(path: ConfigPath, code: ConfigCode, message: string, remedy: string): Finding {
  return { severity: "warning", path, code, message, remedy };
}
