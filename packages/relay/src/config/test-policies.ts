// Runs the `tests` of a file that is right otherwise (A20): compiled, routed and decided as live traffic would be.

import { compileApplications } from "../authz/compile.ts";
import { noCountry, type CountryLookup } from "../authz/facts.ts";
import { runPolicyTests } from "../authz/policy-tests.ts";
import { finding } from "@sallyport/shared/config/issues";
import type { Finding } from "@sallyport/shared/config/problem";
import { createRouteFor, type RoutedConfig } from "./route-for.ts";
import type { GroupConfig, PolicyConfig, PolicyTestConfig } from "./policy-types.ts";

/** What of a configuration takes part in decisions. */
export interface DecidingConfig extends RoutedConfig {
  readonly identityProviders: readonly { readonly name: string }[];
  readonly groups: readonly GroupConfig[];
  readonly policies: readonly PolicyConfig[];
  readonly tests: readonly PolicyTestConfig[];
}

export function testPolicies(config: DecidingConfig, countryOf: CountryLookup = noCountry, nowMs: number): Finding[] {
  const routeFor = createRouteFor(config, compileApplications(config));
  const failures = runPolicyTests(config.tests, { routeFor, countryOf, nowMs, defaultProvider: onlyProvider(config) });
  return failures.map(({ index, request, message }) =>
    finding(
      ["tests", index],
      "ERR_CONFIG_TEST_FAILED",
      `this test fails: ${message}`,
      `mend the policies or the test; \`sallyport-relay explain --request "${request}"\` shows every step`,
    ),
  );
}

/** The provider of a person whose provider is not said: the only one there is. */
export function onlyProvider(config: Pick<DecidingConfig, "identityProviders">): string | undefined {
  return config.identityProviders.length === 1 ? config.identityProviders[0]?.name : undefined;
}
