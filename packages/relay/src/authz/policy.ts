// Policies in compiled form, and what comes out of them. Built by compile.ts once per configuration, read by
// evaluate.ts on every request and by explain.ts on demand: there is one implementation of every selector.

import type { ExternalEvaluationSelector, PolicyAction, SelectorKind } from "../config/policy-types.ts";
import type { DependsOn, FactKind, RequestFacts } from "./facts.ts";
import type { PolicyBucket } from "./policy-bucket.ts";
import type { ReasonCode } from "./reasons.ts";
import type { Truth } from "./truth.ts";

/**
 * Anything that says true, false or unknown about a request.
 *
 * `pending` is the value that selectors take while what they look at is still to come: the person before a sign-in, a
 * certificate before the handshake that asks for it. Evaluating with FALSE and with TRUE gives both ends of what may come
 * out; with nothing to come the two are equal.
 */
export interface Condition {
  evaluate(facts: RequestFacts, pending: Truth): Truth;
}

/** Facts by which policies can be found without evaluating them: exact matches on the identity. */
export type IndexedKind = "email" | "emailDomain" | "identityGroup" | "identityProvider" | "serviceToken";
/** Values of which one must be present for a condition to be true. */
export type IndexKeys = ReadonlyMap<IndexedKind, ReadonlySet<string>>;

/** One selector of a list. */
export interface SelectorNode extends Condition {
  readonly kind: SelectorKind;
  /** As in the file, on one line: `emailDomain: example.com`. */
  readonly text: string;
  readonly looksAt: ReadonlySet<FactKind>;
  /** undefined: cannot be found by index. */
  readonly indexKeys: IndexKeys | undefined;
  /** The definition behind a `group` selector. */
  readonly group: RuleNode | undefined;
  /** What it found, for a person who reads a trace: `email is ann@example.com`. */
  found(facts: RequestFacts): string;
}

/** include, require and exclude of a policy or group. */
export interface RuleNode extends Condition {
  /** In the order of the file. */
  readonly include: readonly SelectorNode[];
  readonly require: readonly SelectorNode[];
  readonly exclude: readonly SelectorNode[];
  readonly looksAt: ReadonlySet<FactKind>;
  readonly indexKeys: IndexKeys | undefined;
}

export interface CompiledPolicy {
  readonly name: string;
  readonly action: PolicyAction;
  readonly rules: RuleNode;
  readonly sessionDurationMs: number | undefined;
  /** The one decision this policy can bring about; made once. */
  readonly decision: Decision;
}

/** Who gets in, by which policy. */
export interface AllowDecision {
  readonly outcome: "allow";
  readonly reason: ReasonCode;
  readonly policy: string;
  readonly action: "allow" | "bypass" | "service";
  /** Longest session that the policy grants, in milliseconds; undefined: no limit of its own. */
  readonly sessionDurationMs: number | undefined;
}

export interface DenyDecision {
  readonly outcome: "deny";
  readonly reason: ReasonCode;
  /** The deny policy; undefined: refused because nothing let the visitor in. */
  readonly policy: string | undefined;
  readonly action: "deny" | undefined;
  readonly sessionDurationMs: undefined;
  /** Only with reason `evaluator-error`: what was thrown, for the log. */
  readonly cause?: unknown;
}

/** Signing in could help. */
export interface LoginDecision {
  readonly outcome: "login";
  readonly reason: ReasonCode;
  readonly policy: undefined;
  readonly action: undefined;
  readonly sessionDurationMs: undefined;
}

export type Decision = AllowDecision | DenyDecision | LoginDecision;

export interface CompiledApplication {
  readonly name: string;
  /** Which facts its policies look at; see decision-cache.ts. */
  readonly dependsOn: DependsOn;
  readonly policyCount: number;
  /** External evaluators of its policies, by URL. */
  readonly evaluators: ReadonlyMap<string, ExternalEvaluationSelector>;
  readonly deny: PolicyBucket;
  readonly bypass: PolicyBucket;
  readonly service: PolicyBucket;
  readonly allow: PolicyBucket;
}
