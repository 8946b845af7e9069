// The front page of the auth host for somebody who is signed in: the applications that are open to them (A17). Lists what it
// is given: who may open what is decided elsewhere.

import { CHEVRON } from "./icons.ts";
import type { PageParts } from "./layout.ts";
import { type Account, accountCard, initialOf, linkButton, pageHref } from "./parts.ts";
import { html, type Html } from "./template.ts";

export interface LauncherApplication {
  readonly name: string;
  /** Absolute URL. */
  readonly href: string;
}

export interface LauncherProps {
  readonly account: Account;
  readonly applications: readonly LauncherApplication[];
  /** Path of the page that confirms a sign-out. */
  readonly logoutHref: string;
}

export function launcherPage({ account, applications, logoutHref }: LauncherProps): PageParts {
  return {
    title: "Your applications",
    wide: true,
    content: html`${applications.length === 0 ? NOTHING : list(applications)} ${accountCard(account, linkButton(logoutHref, "Sign out"))}`,
  };
}

const NOTHING = html`<p class="lead">No application is open to you yet. The people who run this service decide who may open what.</p>`;

function list(applications: readonly LauncherApplication[]): Html {
  return html`<ul class="apps">
    ${applications.map(
      ({ name, href }) =>
        html`<li>
          <a class="choice" href="${pageHref(href)}"
            ><span class="initial" aria-hidden="true">${initialOf(name)}</span><span>${name}<small>${placeOf(href)}</small></span
            >${CHEVRON}</a
          >
        </li>`,
    )}
  </ul>`;
}

/** `grafana.example.com/dashboards` */
function placeOf(href: string): string {
  const url = URL.parse(href);
  return url === null ? "" : url.host + url.pathname.replace(/\/$/, "");
}
