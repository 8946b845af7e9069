// The first page of a sign-in, where people choose how to prove who they are, and the last one, which leads on to where they
// wanted to go (A1). Must not know providers or what the addresses hold.

import { CHEVRON, ENVELOPE, KEY } from "./icons.ts";
import type { PageParts } from "./layout.ts";
import { type Account, accountCard, actionRow, linkButton, pageHref } from "./parts.ts";
import { html, type Html } from "./template.ts";

export interface SignInChoice {
  /** What the operator calls the provider. */
  readonly label: string;
  /** Path on the auth host that begins at this provider. */
  readonly href: string;
  /** `pin`: a code by mail; `redirect`: a page of somebody else. */
  readonly way: "redirect" | "pin";
}

export interface SignInProps {
  readonly application?: string | undefined;
  readonly choices: readonly SignInChoice[];
  /** Somebody is signed in and wants, or needs, to sign in anew. */
  readonly account?: Account | undefined;
}

export function signInPage({ application, choices, account }: SignInProps): PageParts {
  const goal = application === undefined ? "to see your applications" : html`to open <b>${application}</b>`;
  return {
    title: "Sign in",
    place: application,
    note: "signIn",
    content: html`<p class="lead">Choose how to sign in ${goal}.</p>
      ${account !== undefined && accountCard(account)}
      <ul class="choices">
        ${choices.map(choiceItem)}
      </ul>`,
  };
}

function choiceItem({ label, href, way }: SignInChoice): Html {
  const hint = way === "pin" && html`<small>A code is sent to your email address</small>`;
  return html`<li>
    <a class="choice" href="${pageHref(href)}">${way === "pin" ? ENVELOPE : KEY}<span>${label}${hint}</span>${CHEVRON}</a>
  </li>`;
}

export interface SignedInProps {
  readonly application?: string | undefined;
  /** Where the browser goes by itself (header Refresh); the button is for those that do not. */
  readonly continueHref: string;
}

/** The answer to a form that leads on to another host. */
export function signedInPage({ application, continueHref }: SignedInProps): PageParts {
  return {
    title: "You are signed in",
    place: application,
    done: true,
    content: html`<p class="lead">
        ${application === undefined ? "Your applications open" : html`<b>${application}</b> opens`} in a moment.
      </p>
      ${actionRow([linkButton(continueHref, "Continue", true)])}`,
  };
}
