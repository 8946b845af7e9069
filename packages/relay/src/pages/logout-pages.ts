// Before and after a sign-out: a link alone ends nothing, a form does (R-H4). Must not know sessions.

import type { PageParts } from "./layout.ts";
import { type Account, accountCard, actionRow, type HiddenFields, hiddenInputs, linkButton, pageHref } from "./parts.ts";
import { html } from "./template.ts";

/** Sends what `hidden` has (the token against forgery among it); on the auth host `scope`, `session` or `everywhere`. */
export interface LogoutProps {
  /**
   * `sign-out`: on the auth host, of everything in this browser or on all devices; `switch`: the same, to come back as
   * somebody else; `application`: on an application's host, of it alone.
   */
  readonly purpose: "sign-out" | "switch" | "application";
  readonly account: Account;
  readonly application?: string | undefined;
  readonly action: string;
  readonly hidden: HiddenFields;
  /** With `application`: address of the auth host's own page. */
  readonly everythingHref?: string | undefined;
  /** Where somebody goes who does not want to; undefined: no such button. */
  readonly stayHref?: string | undefined;
}

const TITLES = { "sign-out": "Sign out?", switch: "Use another account?", application: "Sign out?" } as const;

export function logoutPage(props: LogoutProps): PageParts {
  const { purpose, account, application, action, hidden } = props;
  const stay = pageHref(props.stayHref);
  return {
    title: TITLES[purpose],
    place: application,
    forms: true,
    content: html`<p class="lead">${leadOf(props)}</p>
      ${accountCard(account)}
      <form method="post" action="${action}">
        ${hiddenInputs(hidden)} ${purpose === "application" ? applicationButtons(props) : ownButtons(props)}
      </form>
      ${stay !== undefined && html`<p class="after"><a href="${stay}">Stay signed in</a></p>`}`,
  };
}

function leadOf({ purpose, application }: LogoutProps) {
  if (purpose === "switch") return "You are signed out first, from every application in this browser.";
  if (purpose === "application")
    return html`You are signed out of <b>${application ?? "this application"}</b> in this browser. Other applications stay open.`;
  return "Every application that is open with this sign-in is closed.";
}

function ownButtons({ purpose }: LogoutProps) {
  return html`<p class="actions">
    <button class="button main" name="scope" value="session">${purpose === "switch" ? "Use another account" : "Sign out"}</button>
    <button class="button" name="scope" value="everywhere">Sign out on all devices</button>
  </p>`;
}

function applicationButtons({ everythingHref }: LogoutProps) {
  return html`<p class="actions"><button class="button main">Sign out</button>${linkButton(everythingHref, "Sign out of everything")}</p>`;
}

export interface SignedOutProps {
  /** `session`: of everything that was open with a sign-in; `application`: of one application. */
  readonly scope: "session" | "application";
  readonly application?: string | undefined;
  readonly againHref: string;
}

const SIGNED_OUT = {
  session: "What was open with this sign-in is closed. You can leave this page.",
  application: "Your other applications stay open.",
} as const;

export function signedOutPage({ scope, application, againHref }: SignedOutProps): PageParts {
  return {
    title: "You are signed out",
    place: application,
    done: true,
    content: html`<p class="lead">${SIGNED_OUT[scope]}</p>
      <p class="remedy">Your identity provider may still know you: on a shared computer, sign out there too.</p>
      ${actionRow([linkButton(againHref, "Sign in again")])}`,
  };
}
