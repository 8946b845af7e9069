// The pages of sign-in as the flow asks for them: from intents, sessions and providers to what a page shows. No wording, no
// decision.

import type { Fields } from "@sallyport/shared/http/fields";
import { launcherPage as launcherParts } from "../../pages/launcher-page.ts";
import type { PageParts } from "../../pages/layout.ts";
import { logoutPage as logoutParts, signedOutPage as signedOutParts } from "../../pages/logout-pages.ts";
import type { Account } from "../../pages/parts.ts";
import { pinCodePage as pinCodeParts, pinEmailPage as pinEmailParts } from "../../pages/pin-pages.ts";
import { signedInPage as signedInParts, signInPage } from "../../pages/sign-in-page.ts";
import type { IdentityProvider, PinProvider } from "../provider.ts";
import type { Session } from "../session.ts";
import { ensureBinding } from "./binding.ts";
import type { LoginContext } from "./context.ts";
import { type Intent, sealIntent } from "./intent.ts";
import type { LoginPage, LoginTarget, LoginVisit } from "./types.ts";

export const PIN_PATH = "/.sallyport/pin";
/** What the tokens of the two forms are for. */
export const PIN_FORMS = { email: "pin-email", code: "pin-code" } as const;

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

/** Why a form is shown once more. */
interface PinNote {
  readonly problem?: string | undefined;
  readonly status?: number | undefined;
  readonly retryAfterS?: number | undefined;
}

/** The form's own token, and the login cookie that it is bound to where the browser has none yet (R-H4). */
function formToken(context: LoginContext, visit: LoginVisit, action: string): { readonly token: string; readonly fields: Fields } {
  const { hash, fields } = ensureBinding(context.scheme, visit.fields);
  return { token: context.formTokens.issue(action, hash), fields };
}

function noted(fields: Fields, { status = 200, retryAfterS }: PinNote): Pick<LoginPage, "status" | "fields"> {
  return { status, fields: retryAfterS === undefined ? fields : [...fields, "Retry-After", String(retryAfterS)] };
}

export interface PinEmailNote extends PinNote {
  readonly email?: string | undefined;
}

export function pinEmailPage(
  context: LoginContext,
  visit: LoginVisit,
  intent: Intent,
  provider: PinProvider,
  note: PinEmailNote,
): LoginPage {
  const { problem, email } = note;
  const request = sealIntent(context.sealer, intent);
  const { token, fields } = formToken(context, visit, PIN_FORMS.email);
  const parts = pinEmailParts({
    application: context.target(intent)?.name,
    action: PIN_PATH,
    hidden: { token, request, provider: provider.name },
    problem,
    email,
    otherWaysHref: context.services.providers().size > 1 ? beginHref(request) : undefined,
  });
  return answer(parts, noted(fields, note));
}

export interface PinCodeNote extends PinNote {
  readonly challenge: string;
  readonly email: string;
}

export function pinCodePage(context: LoginContext, visit: LoginVisit, intent: Intent, provider: PinProvider, note: PinCodeNote): LoginPage {
  const { challenge, email, problem } = note;
  const { token, fields } = formToken(context, visit, PIN_FORMS.code);
  const parts = pinCodeParts({
    application: context.target(intent)?.name,
    action: PIN_PATH,
    hidden: { token, challenge },
    problem,
    email,
    againHref: beginHref(sealIntent(context.sealer, intent), provider.name),
    onTerminal: provider.delivery === "terminal",
  });
  return answer(parts, noted(fields, note));
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
