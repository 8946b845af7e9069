// The pages of sign-in as the flow asks for them: content only, in the frame of every page. Wording for people; no decision.

import { html, type Html } from "../../pages/template.ts";
import type { IdentityProvider, PinProvider } from "../provider.ts";
import type { Session } from "../session.ts";
import type { LoginContext } from "./context.ts";
import { type Intent, sealIntent } from "./intent.ts";
import type { LoginAnswer, LoginTarget } from "./types.ts";

type Page = Extract<LoginAnswer, { kind: "page" }>;

export const PIN_PATH = "/.sallyport/pin";

function page(title: string, place: string, content: Html, more: Partial<Page> = {}): Page {
  return { kind: "page", status: 200, title, place, content, forms: false, fields: [], ...more };
}

function placeOf(context: LoginContext, intent: Intent): string {
  return context.target(intent)?.name ?? "Sallyport";
}

export function chooserPage(context: LoginContext, intent: Intent, providers: readonly IdentityProvider[]): Page {
  const request = sealIntent(context.sealer, intent);
  const links = providers.map(({ name, label }) => {
    const query = new URLSearchParams({ request, provider: name, again: "1" });
    return html`<a class="button main" href="/login?${query.toString()}">${label}</a>`;
  });
  return page(
    "Sign in",
    placeOf(context, intent),
    html`<p class="lead">Choose how to sign in.</p>
      <p class="actions">${links}</p>`,
  );
}

export interface PinEmailNote {
  readonly problem?: string | undefined;
  readonly email?: string | undefined;
  readonly status?: number | undefined;
  readonly retryAfterS?: number | undefined;
}

export function pinEmailPage(context: LoginContext, intent: Intent, provider: PinProvider, note: PinEmailNote): Page {
  const content = html`<p class="lead">Enter your email address. You get a code to sign in with.</p>
    ${note.problem !== undefined && html`<p role="alert">${note.problem}</p>`}
    <form method="post" action="${PIN_PATH}">
      <input type="hidden" name="request" value="${sealIntent(context.sealer, intent)}" />
      <input type="hidden" name="provider" value="${provider.name}" />
      <p><label for="email">Email address</label></p>
      <p>
        <input id="email" name="email" type="email" autocomplete="email" required autofocus maxlength="254" value="${note.email ?? ""}" />
      </p>
      <p class="actions"><button class="button main">Send code</button></p>
    </form>`;
  const fields = note.retryAfterS === undefined ? [] : ["Retry-After", String(note.retryAfterS)];
  return page("Sign in", placeOf(context, intent), content, { forms: true, status: note.status ?? 200, fields });
}

export function pinCodePage(context: LoginContext, intent: Intent, challenge: string, email: string, problem?: string): Page {
  const content = html`<p class="lead">If ${email} may sign in, a code was sent there. It is good for 10 minutes.</p>
    ${problem !== undefined && html`<p role="alert">${problem}</p>`}
    <form method="post" action="${PIN_PATH}">
      <input type="hidden" name="challenge" value="${challenge}" />
      <p><label for="pin">Code</label></p>
      <p><input id="pin" name="pin" inputmode="numeric" autocomplete="one-time-code" required autofocus maxlength="16" /></p>
      <p class="actions"><button class="button main">Sign in</button></p>
    </form>
    <p><a href="/login?request=${sealIntent(context.sealer, intent)}&amp;again=1">Use another address, or get a new code</a></p>`;
  return page("Enter your code", placeOf(context, intent), content, { forms: true, status: problem === undefined ? 200 : 403 });
}

/** A form's answer that goes on to another host: a redirect there could be blocked by form-action, wherever it ends. */
export function signedInPage(place: string, continueTo: NonNullable<Page["continueTo"]>, href: string, fields: Page["fields"]): Page {
  return page("You are signed in", place, html`<p class="actions"><a class="button main" href="${href}">Continue</a></p>`, {
    continueTo,
    fields,
  });
}

export function logoutPage(session: Session, token: string, request: string | undefined): Page {
  const { email, name } = session.identity;
  const content = html`<p class="lead">You are signed in${(email ?? name) !== undefined && html` as <strong>${email ?? name}</strong>`}.</p>
    <form method="post" action="/logout">
      <input type="hidden" name="token" value="${token}" />
      ${request !== undefined && html`<input type="hidden" name="request" value="${request}" />`}
      <p class="actions">
        <button class="button main" name="scope" value="session">${request === undefined ? "Sign out" : "Use another account"}</button>
        <button class="button" name="scope" value="everywhere">Sign out on all devices</button>
      </p>
    </form>`;
  return page(request === undefined ? "Sign out?" : "Use another account?", "Sallyport", content, { forms: true });
}

export function applicationLogoutPage(target: LoginTarget, session: Session, token: string, everything: string): Page {
  const { email, name } = session.identity;
  const content = html`<p class="lead">You are signed in${(email ?? name) !== undefined && html` as <strong>${email ?? name}</strong>`}.</p>
    <form method="post" action="/.sallyport/logout">
      <input type="hidden" name="token" value="${token}" />
      <p class="actions">
        <button class="button main">Sign out of ${target.name}</button>
        <a class="button" href="${everything}">Sign out of everything</a>
      </p>
    </form>`;
  return page("Sign out?", target.name, content, { forms: true });
}

export function signedOutPage(place: string, again: string, fields: Page["fields"] = []): Page {
  const content = html`<p class="lead">What was open with this sign-in was closed.</p>
    <p class="actions"><a class="button" href="${again}">Sign in again</a></p>`;
  return page("You are signed out", place, content, { fields });
}

export function launcherPage(session: Session, targets: readonly LoginTarget[]): Page {
  const who = session.identity.email ?? session.identity.name ?? session.identity.subject;
  const links = targets.map(({ name, origin, applicationPath }) => html`<li><a href="${origin}${applicationPath}">${name}</a></li>`);
  const list =
    links.length === 0
      ? html`<p>No application is open to you yet.</p>`
      : html`<ul>
          ${links}
        </ul>`;
  const content = html`<p class="lead">You are signed in as <strong>${who}</strong>.</p>
    ${list}
    <p class="actions"><a class="button" href="/logout">Sign out</a></p>`;
  return page("Your applications", "Sallyport", content);
}
