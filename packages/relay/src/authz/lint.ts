// Mistakes in policies that only the whole file shows: references, cycles, selectors that cannot work with an action,
// policies that can never match, applications that nobody can open. Used by the configuration loader; pure.

import type { Finding } from "@sallyport/shared/config/problem";
import type { PolicyConfig, PolicyTestConfig } from "../config/policy-types.ts";
import { groupProblems, referredGroups } from "./group-graph.ts";
import { error, unknownName, warning, type LintInput, type Placed } from "./lint-input.ts";
import { actionFindings, evaluatorFindings, groupFindings, personalGroups, selectorFindings } from "./lint-selectors.ts";
import { Possibilities } from "./possible.ts";
import { isReasonCode, REASON_CODES } from "./reasons.ts";
import { FALSE, TRUE } from "./truth.ts";

export type { LintInput, Placed } from "./lint-input.ts";

/** Findings with severity, in the order of the sections. References from applications are the loader's to check. */
export function lintPolicies(input: LintInput): readonly Finding[] {
  const problems = groupProblems(input.groups.map(({ value }) => value));
  const possibilities = new Possibilities(input.groups.map(({ value }) => value).filter(({ name }) => !problems.has(name)));
  const personal = personalGroups(input.groups);
  const policies = new Map(input.policies.map(({ value }) => [value.name, value]));
  return [
    ...input.groups.flatMap((group) => selectorFindings(group, input)),
    ...groupFindings(input.groups, problems),
    ...evaluatorFindings(input),
    ...input.policies.flatMap((policy) => [
      ...selectorFindings(policy, input),
      ...actionFindings(policy, personal),
      ...matchFindings(policy, possibilities),
    ]),
    ...input.applications.flatMap((application) => applicationFindings(application, policies, possibilities)),
    ...unusedFindings(input),
    ...input.tests.flatMap((test) => testFindings(test, input)),
  ];
}

function matchFindings({ value: policy, path }: Placed<PolicyConfig>, possibilities: Possibilities): readonly Finding[] {
  if (possibilities.ofPolicy(policy).most !== FALSE) return [];
  return [
    warning(
      [...path, "name"],
      "ERR_CONFIG_POLICY",
      `policy ${policy.name} can never match`,
      "look for requirements that exclude each other, and for what is included and excluded alike",
    ),
  ];
}

function applicationFindings(
  { value, path }: LintInput["applications"][number],
  policiesByName: ReadonlyMap<string, PolicyConfig>,
  possibilities: Possibilities,
): readonly Finding[] {
  const at = [...path, "name"];
  if (value.policies.length === 0)
    return [
      warning(
        at,
        "ERR_CONFIG_POLICY",
        `application ${value.name} has no policies: everybody is denied`,
        "list policies, for example a bypass policy if it is public",
      ),
    ];
  // A policy with mistakes of its own may do anything once they are mended.
  const policies = value.policies.map((name) => policiesByName.get(name));
  if (policies.some((policy) => policy === undefined)) return [];
  const known = policies.filter((policy) => policy !== undefined);
  const blocker = known.find((policy) => policy.action === "deny" && possibilities.ofPolicy(policy).least === TRUE);
  if (blocker !== undefined)
    return [
      warning(
        at,
        "ERR_CONFIG_POLICY",
        `policy ${blocker.name} denies everybody: nobody can open application ${value.name}`,
        "narrow the deny policy, or remove it",
      ),
    ];
  const admitting = known.filter((policy) => policy.action !== "deny" && possibilities.ofPolicy(policy).most !== FALSE);
  return admitting.length > 0
    ? []
    : [
        warning(
          at,
          "ERR_CONFIG_POLICY",
          `no policy of application ${value.name} lets anybody in`,
          "add an allow, service or bypass policy",
        ),
      ];
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
  if (as.provider !== undefined && !input.providerNames.has(as.provider))
    findings.push(unknownName([...path, "as", "provider"], "identity provider", as.provider));
  if (reason !== undefined && !isReasonCode(reason) && !reason.startsWith("ERR_")) {
    findings.push(
      error(
        [...path, "reason"],
        "ERR_CONFIG_REFERENCE",
        `there is no reason code ${JSON.stringify(reason)}`,
        `write one of ${REASON_CODES.join(", ")}`,
      ),
    );
  }
  return findings;
}
