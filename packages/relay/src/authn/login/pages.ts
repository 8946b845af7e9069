// The pages of sign-in as the flow asks for them: from intents, sessions and providers to what a page shows. No wording, no
// decision.

import { launcherPage as launcherParts } from "../../pages/launcher-page.ts";
import type { PageParts } from "../../pages/layout.ts";
import { logoutPage as logoutParts, signedOutPage as signedOutParts } from "../../pages/logout-pages.ts";
import type { Account } from "../../pages/parts.ts";
import { pinCodePage as pinCodeParts, pinEmailPage as pinEmailParts } from "../../pages/pin-pages.ts";
import { signedInPage as signedInParts, signInPage } from "../../pages/sign-in-page.ts";
import type { IdentityProvider, PinProvider } from "../provider.ts";
import type { Session } from "../session.ts";
import type { LoginContext } from "./context.ts";
import { type Intent, sealIntent } from "./intent.ts";
import type { LoginPage, LoginTarget } from "./types.ts";

export const PIN_PATH = "/.sallyport/pin";

const FORBIDDEN = 403;

function answer(parts: PageParts, more: Partial<Pick<LoginPage, "status" | "fields" | "continueTo">> = {}): LoginPage {
  return { kind: "page", status: 200, fields: [], ...parts, ...more };
}

/** Sign-in from its beginning, whatever session there is. */
function beginHref(request: string, provider?: string): string {
  const parameters = { request, ...(provider === undefined ? {} : { provider }), again: "1" };
  return `/login?${new URLSearchParams(parameters).toString()}`;
}

export function chooserPage(
  context: LoginContext,
  intent: Intent,
  providers: readonly IdentityProvider[],
  account: Account | undefined,
): LoginPage {
  const request = sealIntent(context.sealer, intent);
  const choices = providers.map(({ kind, name, label }) => ({ label, href: beginHref(request, name), way: kind }));
  return answer(signInPage({ application: context.target(intent)?.name, choices, account }));
}

export interface PinEmailNote {
  readonly problem?: string | undefined;
  readonly email?: string | undefined;
  readonly status?: number | undefined;
  readonly retryAfterS?: number | undefined;
}

export function pinEmailPage(context: LoginContext, intent: Intent, provider: PinProvider, note: PinEmailNote): LoginPage {
  const { problem, email, status = 200, retryAfterS } = note;
  const request = sealIntent(context.sealer, intent);
  const parts = pinEmailParts({
    application: context.target(intent)?.name,
    action: PIN_PATH,
    hidden: { request, provider: provider.name },
    problem,
    email,
    otherWaysHref: context.services.providers().size > 1 ? beginHref(request) : undefined,
  });
  return answer(parts, { status, fields: retryAfterS === undefined ? [] : ["Retry-After", String(retryAfterS)] });
}

export interface PinCodeNote {
  readonly challenge: string;
  readonly email: string;
  readonly problem?: string | undefined;
}

export function pinCodePage(context: LoginContext, intent: Intent, provider: PinProvider, note: PinCodeNote): LoginPage {
  const { challenge, email, problem } = note;
  const parts = pinCodeParts({
    application: context.target(intent)?.name,
    action: PIN_PATH,
    hidden: { challenge },
    problem,
    email,
    againHref: beginHref(sealIntent(context.sealer, intent), provider.name),
    onTerminal: provider.delivery === "terminal",
  });
  return answer(parts, { status: problem === undefined ? 200 : FORBIDDEN });
}

/** A form's answer that goes on to another host: a redirect there could be blocked by form-action, wherever it ends. */
export function signedInPage(
  application: string | undefined,
  continueTo: NonNullable<LoginPage["continueTo"]>,
  href: string,
  fields: LoginPage["fields"],
): LoginPage {
  return answer(signedInParts({ application, continueHref: href }), { continueTo, fields });
}

/** @param request where somebody else wants to go afterwards */
export function logoutPage(session: Session, token: string, request: string | undefined): LoginPage {
  const purpose = request === undefined ? "sign-out" : "switch";
  return answer(logoutParts({ purpose, account: accountOf(session), action: "/logout", hidden: { token, request }, stayHref: "/" }));
}

export function applicationLogoutPage(target: LoginTarget, session: Session, token: string, everythingHref: string): LoginPage {
  const account = accountOf(session);
  const form = { action: "/.sallyport/logout", hidden: { token } };
  return answer(logoutParts({ purpose: "application", application: target.name, account, ...form, everythingHref }));
}

/** @param application what was left; undefined: everything */
export function signedOutPage(application: string | undefined, againHref: string, fields: LoginPage["fields"] = []): LoginPage {
  const scope = application === undefined ? "session" : "application";
  return answer(signedOutParts({ scope, application, againHref }), { fields });
}

export function launcherPage(session: Session, targets: readonly LoginTarget[]): LoginPage {
  const applications = targets.map(({ name, origin, applicationPath }) => ({ name, href: origin + applicationPath }));
  return answer(launcherParts({ account: accountOf(session), applications, logoutHref: "/logout" }));
}

export function accountOf({ identity: { email, name, subject } }: Session): Account {
  const label = email ?? name ?? subject;
  return { label, detail: name === label ? undefined : name };
}
