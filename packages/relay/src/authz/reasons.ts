// Why a decision came out as it did: stable codes for logs, audit, tests and the denial page, with the sentence for
// people. The sentences say nothing about the policies themselves (R-M6). docs/policies.md is checked against this.

/** Reason codes with what the visitor is told. */
export const REASONS = {
  allowed: "A policy lets you in.",
  bypassed: "This application is public.",
  "service-allowed": "A policy lets this service token in.",
  "denied-by-policy": "A policy refuses you.",
  "no-policies": "Nobody was given access to this application yet.",
  "no-policy-matched": "You are signed in, but no policy lets you in.",
  "service-not-allowed": "The service token is valid, but no policy lets it in.",
  "login-required": "Sign in first.",
  "service-token-required": "Only programs with a service token are let in here.",
  "login-cannot-help": "No policy lets anybody in from where you are, signed in or not.",
  "client-certificate-required": "A client certificate is needed here, and none was sent.",
  "client-certificate-refused": "A client certificate is needed here, and the one that was sent does not verify.",
  "evaluator-error": "The policies could not be evaluated. The administrator finds the cause in the log.",
} as const;

export type ReasonCode = keyof typeof REASONS;

export const REASON_CODES: readonly ReasonCode[] = Object.keys(REASONS) as ReasonCode[];

export function isReasonCode(text: string): text is ReasonCode {
  return Object.hasOwn(REASONS, text);
}
