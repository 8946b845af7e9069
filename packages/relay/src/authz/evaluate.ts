// The decision about one request: step 4 of the data path. Pure, no I/O, never throws; live traffic, `explain`, policy
// tests and re-decisions of open streams all call this one function. Must not know HTTP, sessions or tokens.

import { pendingFor, takesEffect } from "./policy-bucket.ts";
import type { CertificateFact, RequestFacts } from "./facts.ts";
import type { PolicyBucket } from "./policy-bucket.ts";
import type { CompiledApplication, CompiledPolicy, Decision, DenyDecision, LoginDecision } from "./policy.ts";
import type { ReasonCode } from "./reasons.ts";
import { TRUE } from "./truth.ts";

// Decisions without a policy, made once: a refused request must cost nothing.
const NO_POLICIES = refusal("no-policies");
const NO_POLICY_MATCHED = refusal("no-policy-matched");
const SERVICE_NOT_ALLOWED = refusal("service-not-allowed");
const LOGIN_CANNOT_HELP = refusal("login-cannot-help");
const SERVICE_TOKEN_REQUIRED = refusal("service-token-required");
const CERTIFICATE_REQUIRED = refusal("client-certificate-required");
const CERTIFICATE_REFUSED = refusal("client-certificate-refused");
const LOGIN_REQUIRED: LoginDecision = {
  outcome: "login",
  reason: "login-required",
  policy: undefined,
  action: undefined,
  sessionDurationMs: undefined,
};

/** Decides (R-N3): deny > bypass > service > allow, whatever their order; without a reason to let in, deny. */
export function evaluate(application: CompiledApplication, facts: RequestFacts): Decision {
  try {
    const decision = decide(application, facts);
    const refused = decision.outcome === "deny" && decision.policy === undefined;
    return refused && application.dependsOn.clientCertificate ? (forWantOfCertificate(application, facts) ?? decision) : decision;
  } catch (cause) {
    return { ...refusal("evaluator-error"), cause };
  }
}

function decide(application: CompiledApplication, facts: RequestFacts): Decision {
  if (application.policyCount === 0) return NO_POLICIES;
  const settled = application.deny.first(facts) ?? application.bypass.first(facts);
  if (settled !== undefined) return settled.decision;
  const identity = facts.identity;
  if (identity === undefined) return withoutIdentity(application, facts);
  if (identity.kind === "service") return application.service.first(facts)?.decision ?? SERVICE_NOT_ALLOWED;
  return application.allow.first(facts)?.decision ?? NO_POLICY_MATCHED;
}

/** A stranger is told what could help: signing in, a service token, or nothing. */
function withoutIdentity(application: CompiledApplication, facts: RequestFacts): Decision {
  if (application.allow.first(facts) !== undefined) return LOGIN_REQUIRED;
  return application.service.policies.length > 0 ? SERVICE_TOKEN_REQUIRED : LOGIN_CANNOT_HELP;
}

const ANY_CERTIFICATE: CertificateFact = { kind: "pending" };

/** The reason of a refusal that the right client certificate would have turned into a way in, or at least to a sign-in (A23). */
function forWantOfCertificate(application: CompiledApplication, facts: RequestFacts): DenyDecision | undefined {
  const { clientCertificate, identity } = facts;
  if (clientCertificate?.kind !== "none" && clientCertificate?.kind !== "refused") return undefined;
  const withOne = { ...facts, clientCertificate: ANY_CERTIFICATE };
  const helps = ({ policies }: PolicyBucket): boolean =>
    policies.some(({ rules }) => rules.looksAt.has("clientCertificate") && rules.evaluate(withOne, TRUE) === TRUE);
  if (!helps(application.bypass) && !helps(identity?.kind === "service" ? application.service : application.allow)) return undefined;
  return clientCertificate.kind === "none" ? CERTIFICATE_REQUIRED : CERTIFICATE_REFUSED;
}

/**
 * Whether a policy is for this kind of visitor at all: allow is for people (and those who may still sign in), service
 * for programs with a service token, deny and bypass for everybody.
 */
export function concerns(policy: CompiledPolicy, facts: RequestFacts): boolean {
  if (policy.action === "allow") return facts.identity?.kind !== "service";
  return policy.action !== "service" || facts.identity?.kind === "service";
}

/** Whether a policy by itself takes effect on a request; for an anonymous visitor's allow policy: whether it could. */
export function policyTakesEffect(policy: CompiledPolicy, facts: RequestFacts): boolean {
  return concerns(policy, facts) && takesEffect(policy, facts, pendingFor(policy.action));
}

function refusal(reason: ReasonCode): DenyDecision {
  return { outcome: "deny", reason, policy: undefined, action: undefined, sessionDurationMs: undefined };
}
