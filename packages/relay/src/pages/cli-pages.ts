// The pages that a command line sends its user to: what asks for access, from where, and a clear no (A16, R-E4). Must not
// know tokens or how the program gets one.

import type { PageParts } from "./layout.ts";
import { type Account, accountCard, described, fieldProblem, type HiddenFields, hiddenInputs, pairs, utc } from "./parts.ts";
import { html } from "./template.ts";

/** Sends `decision`, `allow` or `deny`, beside `hidden` (the token against forgery among it). */
export interface CliConfirmProps {
  readonly account: Account;
  /** What the machine calls itself: a claim, shown as such. */
  readonly machine: string;
  /** Source address of its request; undefined where it is the visitor's own machine (loopback redirect). */
  readonly address?: string | undefined;
  readonly requestedAt: Date;
  /** Undefined: every application that is open to the person. */
  readonly application?: string | undefined;
  /** To compare with the terminal. */
  readonly code: string;
  readonly action: string;
  readonly hidden: HiddenFields;
}

export function cliConfirmPage(props: CliConfirmProps): PageParts {
  const { account, machine, address, requestedAt, application, code, action, hidden } = props;
  const rows: (readonly [string, string])[] = [["Machine", machine]];
  if (address !== undefined) rows.push(["Asks from", address]);
  rows.push(["Asked at", utc(requestedAt)], ["Opens", application ?? "every application that is open to you"]);
  return {
    title: "A command line asks for access",
    place: application,
    forms: true,
    content: html`<p class="lead">It would act as you. Compare the code with the one in your terminal.</p>
      <p class="compare">${code}</p>
      <dl class="facts inside">${pairs(rows)}</dl>
      ${accountCard(account)}
      <p class="caution">Allow this only if you started it yourself a moment ago. If somebody sent you here, deny it.</p>
      <form method="post" action="${action}">
        ${hiddenInputs(hidden)}
        <p class="actions">
          <button class="button main" name="decision" value="allow">The codes match, allow</button>
          <button class="button" name="decision" value="deny">Deny</button>
        </p>
      </form>`,
  };
}

/** Sends `code`. */
export interface CliCodeProps {
  readonly action: string;
  readonly hidden: HiddenFields;
  /** What was entered before, or came with the address. */
  readonly code?: string | undefined;
  readonly problem?: string | undefined;
}

/** For machines without a browser: the person types here what the terminal shows. */
export function cliCodePage({ action, hidden, code, problem }: CliCodeProps): PageParts {
  return {
    title: "Connect a command line",
    problem: problem !== undefined,
    forms: true,
    content: html`<p class="lead">Enter the code that your terminal shows.</p>
      ${fieldProblem("code-problem", problem)}
      <form method="post" action="${action}">
        ${hiddenInputs(hidden)}
        <label for="code">Code</label>
        <input
          id="code"
          class="code"
          name="code"
          autocomplete="off"
          autocapitalize="characters"
          spellcheck="false"
          required
          autofocus
          maxlength="16"
          ${described(problem, "code-problem", "code-hint")}
          value="${code ?? ""}"
        />
        <p class="hint" id="code-hint">Only enter a code that you asked for yourself.</p>
        <p class="actions"><button class="button main">Continue</button></p>
      </form>`,
  };
}

export interface CliDoneProps {
  readonly decision: "allowed" | "denied";
  readonly machine: string;
}

export function cliDonePage({ decision, machine }: CliDoneProps): PageParts {
  const allowed = decision === "allowed";
  return {
    title: allowed ? "Back to your terminal" : "Access was denied",
    done: allowed,
    content: html`<p class="lead"><b>${machine}</b> ${allowed ? "may now act as you." : "got nothing."} You can close this page.</p>
      ${!allowed && html`<p class="remedy">If you did not start it, tell the people who run this service.</p>`}`,
  };
}
