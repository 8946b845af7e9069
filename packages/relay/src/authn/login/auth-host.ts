// /login on the auth host: a session that lives goes straight on; else the way to an identity provider, through the chooser
// where there are several (A1). Must not know what providers speak.

import type { IdentityProvider } from "../provider.ts";
import { SallyportError } from "@sallyport/shared/errors";
import type { LoginContext } from "./context.ts";
import { applicationIntent, HOME, type Intent, openIntent } from "./intent.ts";
import { accountOf, chooserPage, pinEmailPage } from "./pages.ts";
import { proceed } from "./proceed.ts";
import { beginAtProvider } from "./provider-state.ts";
import type { Account } from "../../pages/parts.ts";
import type { LoginAnswer, LoginPage, LoginRefusal, LoginVisit } from "./types.ts";

export type IntentResult = { readonly kind: "intent"; readonly intent: Intent } | { readonly kind: "answer"; readonly answer: LoginAnswer };

/** GET /login?request=SEALED | ?to=APPLICATION-URL, with `provider` when one was chosen. */
export async function showLogin(context: LoginContext, visit: LoginVisit): Promise<LoginAnswer> {
  const found = readIntent(context, visit, visit.query);
  if (found.kind === "answer") return found.answer;
  const { intent } = found;
  const session = context.session(visit.fields);
  const again = visit.query.get("again") !== null;
  if (session !== undefined && !again) {
    const next = proceed(context, visit, intent, session, []);
    if (next.kind !== "login-too-old") return next;
  }
  const providers = [...context.services.providers().values()];
  const chosen =
    context.provider(visit.query.get("provider") ?? undefined) ?? (providers.length === 1 && !again ? providers[0] : undefined);
  if (chosen === undefined) return choose(context, intent, session === undefined ? undefined : accountOf(session));
  return await beginWith(context, visit, intent, chosen, session !== undefined || again);
}

/** The intent that a request carries, sealed or as the plain URL of an application. */
export function readIntent(context: LoginContext, visit: LoginVisit, parameters: URLSearchParams): IntentResult {
  const to = parameters.get("to");
  if (to !== null) return readTarget(context, visit, to);
  const request = parameters.get("request");
  if (request === null) return { kind: "intent", intent: HOME };
  const opened = openIntent(context.sealer, request);
  if (opened.kind === "open") return { kind: "intent", intent: opened.content };
  const start = opened.kind === "expired" ? context.place(opened.content) : context.own("/login");
  return { kind: "answer", answer: context.startAgain(`request-${opened.kind}`, visit, start) };
}

/** `to` names an application by its URL, never a page in it: what comes from outside must not choose the page (R-E1). */
function readTarget(context: LoginContext, visit: LoginVisit, to: string): IntentResult {
  const url = URL.parse(to);
  const target =
    url === null || !/^https?:\/\/[^/?#@\\\s]+(?:\/[^?#\\\s]*)?$/.test(to)
      ? undefined
      : context.services.findTarget(url.hostname, url.pathname);
  if (url === null || target === undefined || url.origin !== target.origin || url.pathname !== target.applicationPath) {
    return { kind: "answer", answer: context.startAgain("request-application", visit, context.own("/login")) };
  }
  return { kind: "intent", intent: applicationIntent(target.hostname, target.applicationPath) };
}

/** The ways to sign in. @param account who is signed in, and wants or needs to sign in anew */
export function choose(context: LoginContext, intent: Intent, account?: Account): LoginPage | LoginRefusal {
  const providers = [...context.services.providers().values()];
  if (providers.length === 0) return { kind: "refusal", code: "ERR_LOGIN_UNAVAILABLE", reason: "no-provider" };
  return chooserPage(context, intent, providers, account);
}

async function beginWith(
  context: LoginContext,
  visit: LoginVisit,
  intent: Intent,
  provider: IdentityProvider,
  renew: boolean,
): Promise<LoginAnswer> {
  if (provider.kind === "pin") return pinEmailPage(context, visit, intent, provider, {});
  try {
    return await beginAtProvider(context, visit, intent, provider, renew);
  } catch (error) {
    context.services.onFault(visit.requestId, error);
    const code =
      error instanceof SallyportError && error.code === "ERR_PROVIDER_INVALID" ? "ERR_LOGIN_PROVIDER" : "ERR_LOGIN_PROVIDER_DOWN";
    context.recordFailure(visit, provider.name, code === "ERR_LOGIN_PROVIDER" ? "provider-invalid" : "provider-unreachable");
    return { kind: "refusal", code, reason: "provider-begin", startAgain: context.loginPage(intent) };
  }
}
