// What somebody sees whom the policies do not let in: why, as whom they asked, and the two ways on: another account, or a
// message to the people who decide (A17, R-M6). Nothing of the policy itself.

import type { PageParts } from "./layout.ts";
import { type Account, accountCard, actionRow, contactHref, factList, type Facts, linkButton } from "./parts.ts";
import { html } from "./template.ts";

export interface DeniedProps extends Pick<Facts, "code" | "requestId" | "at"> {
  readonly title: string;
  readonly meaning: string;
  readonly application?: string | undefined;
  /** Short reason without internals of the policy. */
  readonly reason?: string | undefined;
  readonly account?: Account | undefined;
  /** Where to sign in, or to do so as somebody else. */
  readonly switchHref?: string | undefined;
  /** mailto: or https: address to ask for access. */
  readonly contact?: string | undefined;
  readonly remedy: string;
}

export function deniedPage(props: DeniedProps): PageParts {
  const { title, meaning, application, reason, account, switchHref, remedy, requestId } = props;
  const contact = contactHref(props.contact, `Access to ${application ?? "an application"}`, requestId);
  return {
    title,
    place: application,
    note: "denied",
    content: html`<p class="lead">${meaning}</p>
      ${reason !== undefined && html`<p class="reason"><b>Reason</b>${reason}</p>`} ${account !== undefined && accountCard(account)}
      <p class="remedy">${remedy}</p>
      ${actionRow([
        linkButton(switchHref, account === undefined ? "Sign in" : "Use another account", true),
        linkButton(contact, "Ask for access", switchHref === undefined),
      ])}
      ${factList(props)}`,
  };
}
