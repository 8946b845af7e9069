// What several pages are put together from: who is signed in, what went wrong with a field, hidden fields, facts.

import { WARNING } from "./icons.ts";
import { html, type Html, safeHref } from "./template.ts";

/** A person as the pages name them. */
export interface Account {
  /** Email, else name, else the provider's id. */
  readonly label: string;
  /** Smaller, below: the provider, or the name where the label is the email. */
  readonly detail?: string | undefined;
}

/** Values that a form carries along. */
export type HiddenFields = Readonly<Record<string, string | undefined>>;

/** @param action what the person can do about it */
export function accountCard({ label, detail }: Account, action?: Html): Html {
  return html`<div class="account">
    <span class="initial" aria-hidden="true">${initialOf(label)}</span>
    <span><small>Signed in as</small><b>${label}</b>${detail !== undefined && html`<small>${detail}</small>`}</span>
    ${action}
  </div>`;
}

/** The first letter or digit, for the eye only. */
export function initialOf(text: string): string {
  return /[\p{L}\p{N}]/u.exec(text)?.[0].toUpperCase() ?? "·";
}

export function hiddenInputs(values: HiddenFields): readonly Html[] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [html`<input type="hidden" name="${name}" value="${value}" />`],
  );
}

/** What is wrong with an input; the input refers to `id` with aria-describedby. */
export function fieldProblem(id: string, text: string | undefined): Html | undefined {
  return text === undefined ? undefined : html`<p class="problem" id="${id}" role="alert">${WARNING}<span>${text}</span></p>`;
}

/** Attributes of an input that has, or may have, a problem and a hint. */
export function described(problem: string | undefined, problemId: string, hintId: string): Html {
  return problem === undefined ? html`aria-describedby="${hintId}"` : html`aria-invalid="true" aria-describedby="${problemId} ${hintId}"`;
}

export interface Facts {
  readonly code: string;
  readonly requestId: string;
  readonly at: Date;
  readonly more?: readonly (readonly [string, string])[] | undefined;
}

/** What to quote when asking for help. */
export function factList({ code, requestId, at, more = [] }: Facts): Html {
  return html`<dl class="facts">
    ${pairs(more)}
    <dt>Code</dt>
    <dd><code>${code}</code></dd>
    <dt>Request id</dt>
    <dd><code>${requestId}</code></dd>
    <dt>Time</dt>
    <dd>${utc(at)}</dd>
  </dl>`;
}

export function pairs(rows: readonly (readonly [string, string])[]): readonly Html[] {
  return rows.map(
    ([term, text]) =>
      html`<dt>${term}</dt>
        <dd>${text}</dd>`,
  );
}

/** `2026-11-23 22:40:35 UTC` */
export function utc(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A link as button; undefined where the address must not stand in a link. */
export function linkButton(href: string | undefined, text: string, main = false): Html | undefined {
  const target = pageHref(href);
  if (target === undefined) return undefined;
  return html`<a class="${main ? "button main" : "button"}" href="${target}">${text}</a>`;
}

/** A path of the page's own host, or what {@link safeHref} lets pass. */
export function pageHref(href: string | undefined): string | undefined {
  return href !== undefined && /^\/(?![/\\])[\x21-\x7e]*$/.test(href) ? href : safeHref(href);
}

/** A mailto: address gets the request id as its text, so that it need not be copied. */
export function contactHref(contact: string | undefined, subject: string, requestId: string): string | undefined {
  const href = safeHref(contact);
  if (href === undefined || !/^mailto:[^?]*$/i.test(href)) return href;
  const text = `Request id: ${requestId}`;
  return `${href}?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(text)}`;
}

export function actionRow(buttons: readonly (Html | undefined)[]): Html | undefined {
  const shown = buttons.filter((button) => button !== undefined);
  return shown.length === 0 ? undefined : html`<p class="actions">${shown}</p>`;
}
