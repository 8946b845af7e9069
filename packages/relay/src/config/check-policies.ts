// Policies, groups and tests of the file as a whole. The judgement is authz's; this file feeds it what is right by
// itself, with places.

import { lintPolicies } from "../authz/lint.ts";
import type { Finding } from "@sallyport/shared/config/problem";
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
  return lint.filter(({ severity }) => complete || severity !== "warning");
}
