// A sign-in that did not work: expired or foreign state, a loop, a provider that says no, errs or is down (R-F1, R-E5). Says
// what happened, and that starting again is safe.

import type { PageParts } from "./layout.ts";
import { actionRow, contactHref, factList, type Facts, linkButton } from "./parts.ts";
import { html } from "./template.ts";

export interface LoginProblemProps extends Pick<Facts, "code" | "requestId" | "at"> {
  readonly title: string;
  readonly meaning: string;
  readonly remedy: string;
  readonly application?: string | undefined;
  /** The provider's own words, where it gave some: not ours, so shown as a quotation. */
  readonly detail?: string | undefined;
  readonly startAgainHref?: string | undefined;
  readonly contact?: string | undefined;
}

export function loginProblemPage(props: LoginProblemProps): PageParts {
  const { title, meaning, remedy, application, detail, startAgainHref, requestId, code } = props;
  return {
    title,
    place: application,
    content: html`<p class="lead">${meaning}</p>
      ${detail !== undefined && html`<p class="reason"><b>What was said</b>${detail}</p>`}
      <p class="remedy">${remedy}</p>
      ${actionRow([linkButton(startAgainHref, "Start again", true), linkButton(contactHref(props.contact, `Sign-in: ${code}`, requestId), "Get help")])}
      ${factList(props)}`,
  };
}
