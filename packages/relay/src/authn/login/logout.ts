// The ways out: of one application, of this browser's session, of every session of a person (A8, R-I1, R-H4). A GET never
// ends anything; it shows the form that does. What was open ends through the session store, within the same call.

import { hashSessionId } from "../../observe/record-line.ts";
import { clearCookie } from "../cookies.ts";
import type { Session, SessionEnd } from "../session.ts";
import { hostTarget } from "./application-host.ts";
import { choose, readIntent } from "./auth-host.ts";
import type { LoginContext } from "./context.ts";
import { FORGET_PAGES, pagesToForget } from "./forget-pages.ts";
import { HOME } from "./intent.ts";
import { applicationLogoutPage, logoutPage, signedOutPage } from "./pages.ts";
import { isSameOrigin } from "./same-origin.ts";
import type { LoginAnswer, LoginVisit } from "./types.ts";

const ACTION = "logout";

/** GET and POST /logout on the auth host; with `request` somebody else signs in afterwards. */
export async function handleLogout(context: LoginContext, visit: LoginVisit): Promise<LoginAnswer> {
  const session = context.session(visit.fields);
  const parameters = visit.method === "POST" ? visit.form : visit.query;
  const request = parameters.get("request") ?? undefined;
  if (session === undefined) return afterLogout(context, visit, request, []);
  if (visit.method === "GET") return logoutPage(session, context.formTokens.issue(ACTION, session.id), request);
  const problem = formProblem(context, visit, session.id, context.services.authUrl().origin);
  if (problem !== undefined) return { kind: "refusal", code: "ERR_LOGIN_FORM", reason: problem, startAgain: context.own("/logout") };
  const asks = pagesToForget(context, visit, session);
  await endSession(context, visit, session, visit.form.get("scope") === "everywhere" ? "logout-everywhere" : "logout");
  return afterLogout(context, visit, request, asks);
}

/** @param asks what the page has the browser forget; a redirect could not */
function afterLogout(context: LoginContext, visit: LoginVisit, request: string | undefined, asks: readonly string[]): LoginAnswer {
  const fields = context.clearSessionCookie();
  if (request === undefined) return { ...signedOutPage(undefined, "/login", fields), asks };
  const found = readIntent(context, visit, new URLSearchParams({ request }));
  const answer = choose(context, found.kind === "intent" ? found.intent : HOME);
  return answer.kind === "page" ? { ...answer, fields, asks } : { ...answer, fields };
}

async function endSession(context: LoginContext, visit: LoginVisit, session: Session, why: SessionEnd): Promise<void> {
  const { sessions } = context.services;
  const { provider: name, subject } = session.identity;
  const refreshTokens = [session, ...(why === "logout" ? [] : sessions.list({ provider: name, subject }))].map(({ id }) =>
    sessions.refreshToken(id),
  );
  const ended = why === "logout" ? [sessions.end(session.id, why)] : sessions.endWhere({ provider: name, subject }, why);
  context.services.event("logout", `${name}|${subject}`, {
    ...personFields(session),
    reason: why,
    count: ended.length,
    sourceIp: visit.clientAddress,
    requestId: visit.requestId,
  });
  await revokeAtProvider(context, visit, name, refreshTokens);
}

/** Best effort: refresh tokens outlive a session at some providers. */
async function revokeAtProvider(
  context: LoginContext,
  visit: LoginVisit,
  name: string,
  tokens: readonly (string | undefined)[],
): Promise<void> {
  const provider = context.provider(name);
  if (provider?.kind !== "redirect") return;
  const revoking = [...new Set(tokens)].map(async (token) => {
    if (token !== undefined) await provider.revoke(token);
  });
  for (const result of await Promise.allSettled(revoking)) {
    if (result.status === "rejected") context.services.onFault(visit.requestId, result.reason);
  }
}

/** GET and POST /.sallyport/logout on an application's host: this application only. */
export function handleApplicationLogout(context: LoginContext, visit: LoginVisit): LoginAnswer {
  const target = hostTarget(context, visit);
  if (target === undefined) return { kind: "refusal", code: "ERR_AUTH_PAGE_UNKNOWN", reason: "no-application" };
  const session = context.services.sessionOf(visit.fields, target);
  const cleared = ["Set-Cookie", clearCookie(context.scheme, target.cookie.name, target.cookie.sameSite)];
  const again = target.origin + target.applicationPath;
  if (session === undefined) return signedOutPage(target.name, again, cleared);
  const holder = `${session.id} ${target.aud}`;
  if (visit.method === "GET") {
    return applicationLogoutPage(target, session, context.formTokens.issue(ACTION, holder), `${context.services.authUrl().origin}/logout`);
  }
  const problem = formProblem(context, visit, holder, target.origin);
  if (problem !== undefined) return { kind: "refusal", code: "ERR_LOGIN_FORM", reason: problem, application: target.name };
  const { provider, subject } = session.identity;
  context.services.leave(session, target);
  context.services.event("logout.application", `${provider}|${subject}`, {
    ...personFields(session),
    application: target.name,
    sourceIp: visit.clientAddress,
    requestId: visit.requestId,
  });
  return signedOutPage(target.name, again, [...cleared, ...FORGET_PAGES]);
}

function formProblem(context: LoginContext, visit: LoginVisit, holder: string, origin: string): string | undefined {
  if (!isSameOrigin(visit.fields, origin)) return "form-origin";
  return context.formTokens.isValid(visit.form.get("token") ?? undefined, ACTION, holder) ? undefined : "form-token";
}

function personFields({ id, identity }: Session): {
  readonly provider: string;
  readonly subject: string;
  readonly email: string;
  readonly sessionHash: string;
} {
  const { provider, subject, email = "" } = identity;
  return { provider, subject, email, sessionHash: hashSessionId(id) };
}
