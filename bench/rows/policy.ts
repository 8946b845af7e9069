// Row policy-decision: one decision for a known identity, with many policies and with few applications or many. In this
// process: what is measured is evaluate and its cache as the pipeline calls them.

import { compileApplications } from "@sallyport/relay/authz/compile";
import { DecisionCache } from "@sallyport/relay/authz/decision-cache";
import { facts, person, policy } from "@sallyport/relay/authz/testing";
import { evaluate } from "@sallyport/relay/authz/evaluate";
import type { CompiledApplication } from "@sallyport/relay/authz/policy";
import { median } from "../measure/pairs.ts";
import { DECISIONS, POLICIES, RULES_PER_POLICY } from "../settings.ts";
import type { Context, Result, Row } from "./row.ts";

const LIMIT_US = 10;
const ROUNDS = 5;
const FEW_APPLICATIONS = 1;
const MANY_APPLICATIONS = 1000;
/** Without the cache every decision goes through all policies: fewer of them are enough. */
const UNCACHED_SHARE = 1000;

/** Nothing but the last rule of the last policy matches. */
function compile(applications: number): CompiledApplication {
  const names = Array.from({ length: POLICIES }, (_, index) => `p${index}`);
  const policies = names.map((name, index) =>
    policy(name, "allow", {
      include: Array.from({ length: RULES_PER_POLICY }, (_rule, rule) => ({
        email: index === POLICIES - 1 && rule === RULES_PER_POLICY - 1 ? "ann@example.com" : `nobody-${index}-${rule}@example.com`,
      })),
    }),
  );
  const all = Array.from({ length: applications }, (_, index) => ({ name: `app${index}`, policies: names }));
  const compiled = compileApplications({ groups: [], policies, applications: all }).get("app0");
  if (compiled === undefined) throw new Error("the application was not compiled");
  return compiled;
}

/** Microseconds per decision, median of rounds. */
function time(decisions: number, decide: () => { readonly outcome: string }): readonly number[] {
  return Array.from({ length: ROUNDS }, () => {
    const startedAtMs = performance.now();
    for (let count = 0; count < decisions; count += 1) {
      if (decide().outcome !== "allow") throw new Error("the decision is wrong");
    }
    return ((performance.now() - startedAtMs) * 1000) / decisions;
  });
}

function run(_context: Context): Promise<Result> {
  const identity = person();
  const known = (application: CompiledApplication): readonly number[] => {
    const cache = new DecisionCache();
    return time(DECISIONS, () => cache.decide(application, facts({ identity })));
  };
  const few = compile(FEW_APPLICATIONS);
  const one = median(known(few));
  const runs = known(compile(MANY_APPLICATIONS));
  const first = median(time(DECISIONS / UNCACHED_SHARE, () => evaluate(few, facts({ identity: person() }))));
  const notes = [`${one.toFixed(2)} us with ${FEW_APPLICATIONS} application, first decision of an identity ${first.toFixed(1)} us`];
  return Promise.resolve({ ours: median(runs), unit: "us", runs, notes });
}

export const POLICY_ROWS: readonly Row[] = [
  {
    id: "policy-decision",
    title: `one decision, ${POLICIES} policies of ${RULES_PER_POLICY} rules, ${MANY_APPLICATIONS} applications, known session`,
    quick: false,
    goals: [{ of: "ours", atMost: LIMIT_US }],
    needs: [],
    run,
  },
];
