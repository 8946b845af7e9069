// An explanation as lines for a terminal. Plain text: colour and width are the command's business.

import type { Explanation, PolicyRole, PolicyTrace, RuleTrace, SelectorTrace, TraceValue } from "./explain.ts";

const ROLES: Readonly<Record<PolicyRole, string>> = {
  decides: "decides",
  overruled: "takes effect too, but is overruled",
  possible: "could let this visitor in after a sign-in",
  "no-effect": "does not take effect",
  "other-visitors": "is not for this kind of visitor",
  error: "could not be evaluated",
};

const LISTS = [
  ["include", "include, one of"],
  ["require", "require, all of"],
  ["exclude", "exclude, none of"],
] as const satisfies readonly (readonly [keyof RuleTrace, string])[];

const VALUE_WIDTH = "pending".length;
// Names come from identity providers: a trace must not write escape sequences to a terminal (R-M1).
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Renders an explanation; lines end in `\n`. */
export function renderExplanation(explanation: Explanation): string {
  const { application, decision, text, policies } = explanation;
  const by = decision.policy === undefined ? "" : `, policy ${decision.policy}`;
  const head = `${decision.outcome}: application ${application}, reason ${decision.reason}${by}`;
  const lines = [head, text, ...policies.flatMap(policyLines)];
  return lines.map((line) => `${line.replaceAll(UNPRINTABLE, "\u{fffd}")}\n`).join("");
}

function policyLines(trace: PolicyTrace): readonly string[] {
  return ["", `${trace.action} policy ${trace.policy}: ${trace.value}, ${ROLES[trace.role]}`, ...ruleLines(trace.rules, "  ")];
}

function ruleLines(rules: RuleTrace, indent: string): readonly string[] {
  return LISTS.flatMap(([list, title]) => {
    const selectors = rules[list];
    return selectors.length === 0 ? [] : [`${indent}${title}`, ...selectors.flatMap((selector) => selectorLines(selector, `${indent}  `))];
  });
}

function selectorLines(trace: SelectorTrace, indent: string): readonly string[] {
  const line = `${indent}${pad(trace.value)}  ${trace.selector}`;
  if (trace.group === undefined) return [`${line}  (${trace.found})`];
  return [line, ...ruleLines(trace.group, `${indent}${" ".repeat(VALUE_WIDTH + 2)}`)];
}

function pad(value: TraceValue): string {
  return value.padEnd(VALUE_WIDTH);
}
