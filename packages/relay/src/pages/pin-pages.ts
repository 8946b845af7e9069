// The two forms of a sign-in with a one-time PIN: address, then code (A2). What they say is the same whether an address is
// known or not (R-F6). Must not know codes, limits or mail.

import type { PageParts } from "./layout.ts";
import { described, fieldProblem, type HiddenFields, hiddenInputs, pageHref } from "./parts.ts";
import { html } from "./template.ts";

interface PinFormProps {
  readonly application?: string | undefined;
  /** Path of the auth host that the form is sent to. */
  readonly action: string;
  readonly hidden: HiddenFields;
  /** Why the last entry was not accepted, as a sentence. */
  readonly problem?: string | undefined;
}

/** Sends `email`. */
export interface PinEmailProps extends PinFormProps {
  /** What was entered before. */
  readonly email?: string | undefined;
  /** Path to the other ways to sign in, where there are some. */
  readonly otherWaysHref?: string | undefined;
}

export function pinEmailPage({ application, action, hidden, problem, email, otherWaysHref }: PinEmailProps): PageParts {
  const other = pageHref(otherWaysHref);
  return {
    title: "Sign in with your email",
    place: application,
    note: "signIn",
    problem: problem !== undefined,
    forms: true,
    content: html`<p class="lead">You get a code by mail, and enter it on the next page.</p>
      ${fieldProblem("email-problem", problem)}
      <form method="post" action="${action}">
        ${hiddenInputs(hidden)}
        <label for="email">Email address</label>
        <input
          id="email"
          name="email"
          type="email"
          autocomplete="email"
          autocapitalize="none"
          spellcheck="false"
          required
          autofocus
          maxlength="254"
          ${described(problem, "email-problem", "email-hint")}
          value="${email ?? ""}"
        />
        <p class="hint" id="email-hint">For example name@example.com</p>
        <p class="actions"><button class="button main">Send me a code</button></p>
      </form>
      ${other !== undefined && html`<p class="after"><a href="${other}">Sign in another way</a></p>`}`,
  };
}

/** Sends `pin`. */
export interface PinCodeProps extends PinFormProps {
  readonly email: string;
  /** Path to begin again with another address, or for a new code. */
  readonly againHref: string;
  /** How long a code is good for. @default 10 */
  readonly minutes?: number | undefined;
  /** The code is not mailed but shown where the relay runs (delivery `terminal`). */
  readonly onTerminal?: boolean | undefined;
}

export function pinCodePage(props: PinCodeProps): PageParts {
  const { application, action, hidden, problem, email, againHref, minutes = 10, onTerminal = false } = props;
  const where = onTerminal ? "it is shown on the terminal where the relay runs" : "a code is on its way to that address";
  return {
    title: "Enter your code",
    place: application,
    problem: problem !== undefined,
    forms: true,
    content: html`<p class="lead">If <b>${email}</b> may sign in here, ${where}.</p>
      ${fieldProblem("pin-problem", problem)}
      <form method="post" action="${action}">
        ${hiddenInputs(hidden)}
        <label for="pin">Code</label>
        <input
          id="pin"
          class="code"
          name="pin"
          inputmode="numeric"
          autocomplete="one-time-code"
          spellcheck="false"
          required
          autofocus
          maxlength="16"
          ${described(problem, "pin-problem", "pin-hint")}
        />
        <p class="hint" id="pin-hint">The code is good for ${minutes} minutes, once, in this browser.</p>
        <p class="actions"><button class="button main">Sign in</button></p>
      </form>
      ${!onTerminal && html`<p class="note after">Nothing arrived? Look among the unwanted mail.</p>`}
      <p class="after"><a href="${pageHref(againHref)}">Use another address, or get a new code</a></p>`,
  };
}
