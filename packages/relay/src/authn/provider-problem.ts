// What went wrong with a provider, in three strengths: the reason that a page shows, the line that an operator reads, and
// what may be tried again. Provider libraries keep whole token answers in `cause`, so no error object leaves this file:
// only their fixed texts do (R-M2).

import { SallyportError } from "@sallyport/shared/errors";
import { AuthorizationResponseError, ResponseBodyError } from "openid-client";
import type { LoginProblem, LoginResult } from "./provider.ts";

/** Characters of a detail that is shown. */
const MAX_DETAIL_LENGTH = 200;

export interface ProviderProblem {
  readonly problem: LoginProblem;
  /** For the page: no secret, no control character. */
  readonly detail: string;
  /** For the log: says what did not verify. */
  readonly explanation: string;
  /** OAuth error code (RFC 6749 sections 4.1.2.1 and 5.2) where the provider gave one. */
  readonly oauthError: string | undefined;
}

/** A provider's answer that parsed, and is refused by a rule of ours; the message names the rule, never a value. */
export class ProviderRefusal extends Error {
  override readonly name: string = "ProviderRefusal";
  readonly problem: LoginProblem;

  constructor(problem: LoginProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

const PERSON_OR_PROVIDER_SAID_NO: ReadonlySet<string> = new Set([
  "access_denied",
  "login_required",
  "consent_required",
  "interaction_required",
  "account_selection_required",
  "unmet_authentication_requirements",
]);
const TRY_LATER: ReadonlySet<string> = new Set(["temporarily_unavailable", "server_error"]);

export function explainProblem(error: unknown): ProviderProblem {
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError) return fromOAuthError(error);
  const own = causes(error).find((cause) => cause instanceof SallyportError || cause instanceof ProviderRefusal);
  if (own instanceof ProviderRefusal) return problemOf(own.problem, own.message);
  if (own instanceof SallyportError) {
    const problem = own.code === "ERR_PROVIDER_UNREACHABLE" ? "provider-unreachable" : "provider-invalid";
    return problemOf(problem, own.message);
  }
  const texts = causes(error).map((cause) => cause.message);
  return problemOf("provider-invalid", [...new Set(texts)].join(": ") || "unknown fault");
}

export function failedLogin({ problem, detail }: ProviderProblem): LoginResult {
  return { kind: "problem", problem, detail };
}

function fromOAuthError(error: AuthorizationResponseError | ResponseBodyError): ProviderProblem {
  const code = cleanText(error.error, 64);
  const words = error.error_description === undefined ? "" : `: ${error.error_description}`;
  const problem = PERSON_OR_PROVIDER_SAID_NO.has(code)
    ? "refused-by-provider"
    : TRY_LATER.has(code)
      ? "provider-unreachable"
      : "provider-invalid";
  const text = cleanText(`${code}${words}`, MAX_DETAIL_LENGTH);
  return { problem, detail: text, explanation: text, oauthError: code };
}

const DETAILS: Readonly<Record<LoginProblem, string>> = {
  "refused-by-provider": "The identity provider refused the sign-in.",
  "provider-unreachable": "The identity provider cannot be reached.",
  "provider-invalid": "The identity provider's answer cannot be accepted.",
  "identity-unusable": "The identity provider sent no usable identity.",
};

function problemOf(problem: LoginProblem, explanation: string): ProviderProblem {
  return { problem, detail: DETAILS[problem], explanation: cleanText(explanation, 500), oauthError: undefined };
}

function causes(error: unknown): readonly Error[] {
  const chain: Error[] = [];
  for (let cause = error; cause instanceof Error && chain.length < 8; cause = cause.cause) chain.push(cause);
  return chain;
}

// Controls, bidi and other format characters, separators, surrogates: what could forge a line or reorder it (R-M1).
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;

export function cleanText(text: string, maxLength: number): string {
  const clean = text
    .slice(0, maxLength * 4)
    .toWellFormed()
    .replaceAll(UNPRINTABLE, " ")
    .trim();
  return clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean;
}
