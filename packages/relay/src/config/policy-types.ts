// Policies, groups and policy tests as relay.yaml gives them after checking: names normalised, references not yet
// followed. What the schema produces and the policy compiler reads. Must not know zod, YAML or requests.

import type { Weekday } from "../authz/time-window.ts";

export type OneOrList<T> = T | readonly T[];
export type ClaimScalar = string | number | boolean;

/** Either `equals` or `contains` is set. */
export interface ClaimSelector {
  readonly name: string;
  readonly equals?: ClaimScalar | undefined;
  readonly contains?: ClaimScalar | undefined;
}

/** Exactly one is set. */
export interface CertificateFields {
  readonly commonName?: string | undefined;
  readonly subjectAlternativeName?: string | undefined;
  readonly fingerprint?: string | undefined;
}

export interface TimeWindowSelector {
  readonly days?: readonly Weekday[] | undefined;
  /** HH:MM */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly timezone: string;
}

export interface ExternalEvaluationSelector {
  readonly url: string;
  readonly keysUrl: string;
  /** Whether it may have addresses that are not public. */
  readonly allowPrivateNetwork?: boolean | undefined;
}

/** What each selector takes. A selector in the file is an object with exactly one of these keys. */
export interface SelectorValues {
  readonly everyone: true;
  readonly email: string;
  readonly emailDomain: string;
  readonly identityGroup: string;
  readonly claim: ClaimSelector;
  readonly identityProvider: string;
  readonly authMethod: string;
  readonly ip: OneOrList<string>;
  readonly country: OneOrList<string>;
  readonly serviceToken: string;
  readonly anyServiceToken: true;
  readonly clientCertificate: "any" | CertificateFields;
  readonly method: OneOrList<string>;
  readonly timeWindow: TimeWindowSelector;
  readonly externalEvaluation: ExternalEvaluationSelector;
  readonly group: string;
}

export type SelectorKind = keyof SelectorValues;
/** Exactly one key is set; {@link selectorEntry} reads it. */
export type Selector = { readonly [K in SelectorKind]?: SelectorValues[K] | undefined };
export type SelectorEntry = { [K in SelectorKind]: { readonly kind: K; readonly value: SelectorValues[K] } }[SelectorKind];

/** include: at least one matches; require: all match; exclude: none matches. */
export interface RuleLists {
  readonly include: readonly Selector[];
  readonly require?: readonly Selector[] | undefined;
  readonly exclude?: readonly Selector[] | undefined;
}

export interface GroupConfig extends RuleLists {
  readonly name: string;
}

export const POLICY_ACTIONS = ["allow", "deny", "bypass", "service"] as const;
export type PolicyAction = (typeof POLICY_ACTIONS)[number];

export interface PolicyConfig extends RuleLists {
  readonly name: string;
  readonly action: PolicyAction;
  /** 15 minutes to 30 days; undefined: the application's or the global length. */
  readonly sessionDurationMs?: number | undefined;
}

/** A visitor as a policy test describes one. Without a person's key or serviceToken: nobody signed in. */
export interface TestVisitor {
  readonly email?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly authMethods?: readonly string[] | undefined;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  readonly provider?: string | undefined;
  readonly serviceToken?: string | undefined;
  readonly ip?: string | undefined;
  readonly country?: string | undefined;
  /** RFC 3339 */
  readonly time?: string | undefined;
  readonly clientCertificate?: TestCertificate | undefined;
  /** Answers by URL of the evaluator. */
  readonly external?: Readonly<Record<string, boolean>> | undefined;
}

export interface TestCertificate {
  readonly commonName?: string | undefined;
  readonly subjectAlternativeNames?: readonly string[] | undefined;
  readonly fingerprint?: string | undefined;
}

export interface PolicyTestConfig {
  readonly as: TestVisitor;
  /** `METHOD URL`; {@link parseTestRequest} in policy-test-schema.ts splits it. */
  readonly request: string;
  readonly expect: "allow" | "deny" | "login";
  readonly policy?: string | undefined;
  readonly reason?: string | undefined;
}

/** The one key of a selector with its value. @throws TypeError when there is none, which the schema excludes. */
export function selectorEntry(selector: Selector): SelectorEntry {
  for (const kind of Object.keys(selector) as SelectorKind[]) {
    if (selector[kind] !== undefined) return { kind, value: selector[kind] } as SelectorEntry;
  }
  throw new TypeError("a selector without a key");
}

/** A value or a list of values as a list. */
export function asList<T extends string>(value: OneOrList<T>): readonly T[] {
  return typeof value === "string" ? [value] : value;
}
