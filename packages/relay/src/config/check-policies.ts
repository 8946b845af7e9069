// Policies, groups and tests of the file as a whole. The judgement is authz's; this file feeds it what is right by
// itself, with places, and refuses selectors that nothing in this release can answer.

import { lintPolicies } from "../authz/lint.ts";
import { finding } from "@sallyport/shared/config/issues";
import type { RuleLists, SelectorKind } from "./policy-types.ts";
import type { ConfigPath, Finding } from "@sallyport/shared/config/problem";
import type { Survey } from "./survey.ts";

export function checkPolicies(survey: Survey): Finding[] {
  const groups = survey.entries("groups");
  const policies = survey.entries("policies");
  const lint = lintPolicies({
    groups,
    policies,
    applications: survey.entries("applications"),
    tests: survey.entries("tests"),
    groupNames: survey.names("groups"),
    policyNames: survey.names("policies"),
    providerNames: survey.names("identityProviders"),
    // A database that could not be read is reported by itself.
    hasGeoip: survey.section("geoip") !== undefined || !survey.intact("geoip"),
    serviceTokenNames: undefined,
  });
  // What is not used may be meant for an entry that has a mistake in it.
  const complete = survey.intact("applications") && survey.intact("policies") && survey.intact("groups");
  return [
    ...lint.filter(({ severity }) => complete || severity !== "warning"),
    ...[...groups, ...policies].flatMap(({ value, path }) => unavailableSelectors(value, path)),
  ];
}

/** Selectors whose facts nothing delivers in this release: they would be unknown for everybody, silently (R-J5). */
const LATER_SELECTORS: Partial<Readonly<Record<SelectorKind, string>>> = {
  externalEvaluation: "external evaluation arrives later; express the rule with claims or groups of the identity provider",
};

function unavailableSelectors(rule: RuleLists, path: ConfigPath): Finding[] {
  return (["include", "require", "exclude"] as const).flatMap((list) =>
    (rule[list] ?? []).flatMap((selector, index) =>
      Object.keys(selector).flatMap((kind) => {
        const remedy = LATER_SELECTORS[kind as SelectorKind];
        return remedy === undefined
          ? []
          : [finding([...path, list, index, kind], "ERR_CONFIG_NOT_YET", `the selector ${kind} is not part of this release`, remedy)];
      }),
    ),
  );
}
