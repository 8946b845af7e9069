// The trace of one decision (A19): what every selector of every policy found, from the nodes and the functions that
// decide live traffic. For `explain`, failing policy tests and the dashboard; never on the request path.

import type { PolicyAction, SelectorKind } from "../config/policy-types.ts";
import { concerns, evaluate, policyTakesEffect } from "./evaluate.ts";
import type { RequestFacts } from "./facts.ts";
import type { CompiledApplication, CompiledPolicy, Condition, Decision, RuleNode, SelectorNode } from "./policy.ts";
import { REASONS } from "./reasons.ts";
import { FALSE, TRUE, type Truth } from "./truth.ts";

/** `pending`: a sign-in decides. `error`: the evaluation threw. */
export type TraceValue = "true" | "false" | "unknown" | "pending" | "error";

export interface SelectorTrace {
  readonly kind: SelectorKind;
  /** The selector as written, on one line. */
  readonly selector: string;
  readonly value: TraceValue;
  /** The fact it found: `email is ann@example.com`. Holds personal data: for administrators only. */
  readonly found: string;
  /** The group's own rules, for a `group` selector. */
  readonly group: RuleTrace | undefined;
}

export interface RuleTrace {
  readonly include: readonly SelectorTrace[];
  readonly require: readonly SelectorTrace[];
  readonly exclude: readonly SelectorTrace[];
}

/**
 * `decides`: the decision is this policy's. `overruled`: it took effect too, but another one comes first. `possible`:
 * it could let the visitor in after a sign-in. `no-effect`: its conditions are not met. `other-visitors`: it is not for
 * this kind of visitor (allow for programs, service for people).
 */
export type PolicyRole = "decides" | "overruled" | "possible" | "no-effect" | "other-visitors" | "error";

export interface PolicyTrace {
  readonly policy: string;
  readonly action: PolicyAction;
  readonly role: PolicyRole;
  readonly value: TraceValue;
  readonly rules: RuleTrace;
}

export interface Explanation {
  readonly application: string;
  readonly decision: Decision;
  /** The sentence for the reason code. */
  readonly text: string;
  /** deny, bypass, service, allow; each in the order in which it is reported. */
  readonly policies: readonly PolicyTrace[];
}

export function explain(application: CompiledApplication, facts: RequestFacts): Explanation {
  const decision = evaluate(application, facts);
  const { deny, bypass, service, allow } = application;
  const policies = [deny, bypass, service, allow].flatMap((bucket) => bucket.policies);
  return {
    application: application.name,
    decision,
    text: REASONS[decision.reason],
    policies: policies.map((policy) => explainPolicy(policy, facts, decision)),
  };
}

function explainPolicy(policy: CompiledPolicy, facts: RequestFacts, decision: Decision): PolicyTrace {
  const { name, action, rules } = policy;
  return { policy: name, action, role: roleOf(policy, facts, decision), value: valueOf(rules, facts), rules: explainRules(rules, facts) };
}

function roleOf(policy: CompiledPolicy, facts: RequestFacts, decision: Decision): PolicyRole {
  if (!concerns(policy, facts)) return "other-visitors";
  try {
    if (!policyTakesEffect(policy, facts)) return "no-effect";
  } catch {
    return "error";
  }
  if (decision.policy === policy.name) return "decides";
  return policy.action === "allow" && facts.identity === undefined ? "possible" : "overruled";
}

function explainRules(rules: RuleNode, facts: RequestFacts): RuleTrace {
  const trace = (nodes: readonly SelectorNode[]): readonly SelectorTrace[] => nodes.map((node) => explainSelector(node, facts));
  return { include: trace(rules.include), require: trace(rules.require), exclude: trace(rules.exclude) };
}

function explainSelector(node: SelectorNode, facts: RequestFacts): SelectorTrace {
  const value = valueOf(node, facts);
  return {
    kind: node.kind,
    selector: node.text,
    value,
    found: value === "error" ? "its evaluation failed" : node.found(facts),
    group: node.group === undefined ? undefined : explainRules(node.group, facts),
  };
}

const WORDS: Readonly<Record<Truth, TraceValue>> = { 0: "false", 1: "unknown", 2: "true" };

/** Pending is what comes out differently with every pending selector false than with every one true. */
function valueOf(condition: Condition, facts: RequestFacts): TraceValue {
  try {
    const least = condition.evaluate(facts, FALSE);
    return least === condition.evaluate(facts, TRUE) ? WORDS[least] : "pending";
  } catch {
    return "error";
  }
}
