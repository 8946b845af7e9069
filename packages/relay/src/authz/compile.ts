// From policies and groups of a configuration to one compiled object per application. Runs once per configuration,
// after authz/lint.ts found no error; nothing of it runs on the request path.

import { SallyportError } from "@sallyport/shared/errors";
import type { GroupConfig, PolicyAction, PolicyConfig, RuleLists } from "../config/policy-types.ts";
import { dependsOnAny, type FactKind } from "./facts.ts";
import { evaluatorsOf } from "./evaluators.ts";
import { groupProblems, type GroupProblem } from "./group-graph.ts";
import { PolicyBucket } from "./policy-bucket.ts";
import type { CompiledApplication, CompiledPolicy, Decision, RuleNode } from "./policy.ts";
import { CompiledRules } from "./rules.ts";
import { compileSelector, type SelectorContext } from "./selector-table.ts";
import { ZoneClock } from "./time-window.ts";

/** The parts of a configuration that decide; a RelayConfig is one. */
export interface PolicyDocument {
  readonly groups: readonly GroupConfig[];
  readonly policies: readonly PolicyConfig[];
  readonly applications: readonly { readonly name: string; readonly policies: readonly string[] }[];
}

/**
 * Compiles every application, by name.
 * @throws SallyportError ERR_CONFIG_REFERENCE for a name that nothing defines, ERR_CONFIG_POLICY for a group that
 *   contains itself or nests too deep.
 */
export function compileApplications(document: PolicyDocument): ReadonlyMap<string, CompiledApplication> {
  const context = new GroupCompiler(document.groups);
  const policies = new Map(document.policies.map((policy) => [policy.name, compilePolicy(policy, context)]));
  const rules = new Map(document.policies.map((policy) => [policy.name, policy]));
  const groups = new Map(document.groups.map((group) => [group.name, group]));
  return new Map(
    document.applications.map(({ name, policies: names }) => {
      const own = names.map((policy) => policies.get(policy) ?? missing("policy", policy));
      const evaluators = evaluatorsOf(
        names.flatMap((policy) => rules.get(policy) ?? []),
        groups,
      );
      return [name, compileApplication(name, own, evaluators)];
    }),
  );
}

function compileApplication(
  name: string,
  policies: readonly CompiledPolicy[],
  evaluators: CompiledApplication["evaluators"],
): CompiledApplication {
  const bucket = (action: PolicyAction): PolicyBucket =>
    new PolicyBucket(
      action,
      policies.filter((policy) => policy.action === action),
    );
  return {
    name,
    dependsOn: dependsOnAny(factsOf(policies)),
    policyCount: policies.length,
    evaluators,
    deny: bucket("deny"),
    bypass: bucket("bypass"),
    service: bucket("service"),
    allow: bucket("allow"),
  };
}

// allow and service tell people, programs and strangers apart even where no selector does.
function factsOf(policies: readonly CompiledPolicy[]): ReadonlySet<FactKind> {
  return new Set(
    policies.flatMap(({ action, rules }): FactKind[] => [
      ...(action === "allow" || action === "service" ? (["identity"] as const) : []),
      ...rules.looksAt,
    ]),
  );
}

function compilePolicy(policy: PolicyConfig, context: SelectorContext): CompiledPolicy {
  const { name, action, sessionDurationMs } = policy;
  return { name, action, sessionDurationMs, rules: compileRules(policy, context), decision: decisionOf(name, action, sessionDurationMs) };
}

const ADMITTED = { allow: "allowed", bypass: "bypassed", service: "service-allowed" } as const;

function decisionOf(policy: string, action: PolicyAction, sessionDurationMs: number | undefined): Decision {
  if (action === "deny") return { outcome: "deny", reason: "denied-by-policy", policy, action, sessionDurationMs: undefined };
  return {
    outcome: "allow",
    reason: ADMITTED[action],
    policy,
    action,
    sessionDurationMs: action === "allow" ? sessionDurationMs : undefined,
  };
}

function compileRules(lists: RuleLists, context: SelectorContext): RuleNode {
  const compile = (list: RuleLists["include"]): ReturnType<typeof compileSelector>[] =>
    list.map((selector) => compileSelector(selector, context));
  return new CompiledRules(compile(lists.include), compile(lists.require ?? []), compile(lists.exclude ?? []));
}

/** Compiles each group once, on first use. */
class GroupCompiler implements SelectorContext {
  readonly #configs: ReadonlyMap<string, GroupConfig>;
  readonly #problems: ReadonlyMap<string, GroupProblem>;
  readonly #compiled = new Map<string, RuleNode>();
  readonly #clocks = new Map<string, ZoneClock>();

  constructor(groups: readonly GroupConfig[]) {
    this.#problems = groupProblems(groups);
    this.#configs = new Map(groups.map((group) => [group.name, group]));
  }

  clockOf(timezone: string): ZoneClock {
    let clock = this.#clocks.get(timezone);
    if (clock === undefined) this.#clocks.set(timezone, (clock = new ZoneClock(timezone)));
    return clock;
  }

  groupOf(name: string): RuleNode {
    const known = this.#compiled.get(name);
    if (known !== undefined) return known;
    if (this.#problems.has(name)) throw new SallyportError("ERR_CONFIG_POLICY", `group ${name} ${this.#problems.get(name)}`);
    const config = this.#configs.get(name) ?? missing("group", name);
    const rules = compileRules(config, this);
    this.#compiled.set(name, rules);
    return rules;
  }
}

function missing(what: "policy" | "group", name: string): never {
  throw new SallyportError("ERR_CONFIG_REFERENCE", `there is no ${what} named ${name}`);
}
