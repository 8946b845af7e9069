// What the pipeline asks about the login behind a request: whether it is still good for this application, and whether its
// token is due for renewal. The rules are authn's; here they meet configuration and decision.

import type { Fields } from "@sallyport/shared/http/fields";
import { type ApplicationTokens, tokenEnd } from "../authn/application-token.ts";
import type { Authentication } from "../authn/authenticate.ts";
import { setApplicationCookie } from "../authn/cookies.ts";
import { TOKEN_RENEWAL_MS } from "../authn/renewal.ts";
import { judgeSession, type SessionLengths, type SessionVerdict } from "../authn/session-length.ts";
import type { Session } from "../authn/session.ts";
import type { Decision } from "../authz/policy.ts";
import type { Application, Runtime } from "./runtime.ts";

/** How long a login counts for one decision: policy before application before relay (A5). */
export function sessionLengths({ config }: Runtime, application: Application, decision: Decision): SessionLengths {
  return {
    policyMs: decision.sessionDurationMs,
    applicationMs: application.config.sessionDurationMs,
    globalMs: config.sessions.durationMs,
  };
}

export interface SessionSight {
  readonly session: Session;
  /** Last use before this one. */
  readonly lastSeenAt: number | undefined;
  readonly nowMs: number;
}

/** Whether a live session is good for this application under this decision; if not, nothing but a new login helps. */
export function judgeForApplication(runtime: Runtime, application: Application, decision: Decision, sight: SessionSight): SessionVerdict {
  return judgeSession({
    ...sight,
    lengths: sessionLengths(runtime, application, decision),
    idleTimeoutMs: application.config.idleTimeoutMs,
  });
}

/**
 * Renewal in place (A4): a Set-Cookie for the answer when the token in the cookie is past its renewal time. Tokens in headers
 * are their holder's business.
 */
export function renewedCookie(
  tokens: ApplicationTokens,
  application: Application,
  authentication: Authentication,
  nowMs: number,
): Promise<Fields> | undefined {
  if (authentication.kind !== "identified" || authentication.source !== "cookie" || authentication.person === undefined) return undefined;
  const { session, tokenIssuedAt } = authentication.person;
  if (nowMs < tokenIssuedAt + TOKEN_RENEWAL_MS) return undefined;
  return tokens
    .renew(session, application)
    .then((token) => ["Set-Cookie", setApplicationCookie(application.cookie, token, tokenEnd(session, nowMs), nowMs)]);
}
