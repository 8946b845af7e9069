// The moment of login: a new session with a new secret, and the end of the one that this browser had before (R-F6). The
// only place that creates sessions.

import { hashSessionId } from "../../observe/record-line.ts";
import type { ProviderLogin } from "../provider.ts";
import type { LoginContext } from "./context.ts";
import type { Intent } from "./intent.ts";
import { proceed } from "./proceed.ts";
import type { LoginAnswer, LoginVisit } from "./types.ts";

/** Signs a person in and takes them on to where they wanted to go. @throws ERR_STATE_WRITE: then nobody is signed in */
export function startSession(
  context: LoginContext,
  visit: LoginVisit,
  provider: string,
  login: ProviderLogin,
  intent: Intent,
): LoginAnswer {
  const { services } = context;
  const { identity: claims, refreshToken, providerSessionId } = login;
  const before = context.session(visit.fields);
  const expiresAt = services.clock.now() + services.sessionDurationMs();
  const { session, secret } = services.sessions.create({
    identity: { kind: "person", provider, ...claims },
    expiresAt,
    providerSessionId,
    refreshToken,
  });
  if (before !== undefined) services.sessions.end(before.id, "replaced");
  context.visited.begin(session.id);
  const { subject, email = "" } = claims;
  services.event("login.succeeded", `${provider}|${subject}`, {
    provider,
    subject,
    email,
    sessionHash: hashSessionId(session.id),
    sourceIp: visit.clientAddress,
    requestId: visit.requestId,
    application: context.target(intent)?.name ?? "",
  });
  const next = proceed(context, visit, intent, session, context.setSessionCookie(session, secret));
  if (next.kind !== "login-too-old") return next;
  // A login of this moment cannot be too old unless a policy grants no time at all.
  return { kind: "refusal", code: "ERR_ACCESS_DENIED", reason: "session-duration", identity: session.identity };
}
