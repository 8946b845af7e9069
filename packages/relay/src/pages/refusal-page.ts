// What a person sees when a request ends before the origin answered: what happened, where on the path, what to do,
// and what to quote when asking for help (I6, A17). Also the constant page for hosts that are not ours (I3, R-B6).
// Takes plain data, so that it knows neither the table of refusals nor requests.

import { deniedPage } from "./denied-page.ts";
import { page, type PageParts } from "./layout.ts";
import { loginProblemPage } from "./login-problem-page.ts";
import { DEFAULT_LOOK, type Look, type PageHost } from "./look.ts";
import { actionRow, contactHref, factList, linkButton } from "./parts.ts";
import { html, safeHref, type Html } from "./template.ts";

export interface RefusalPage {
  readonly title: string;
  readonly meaning: string;
  readonly remedy: string;
  /** Where it stopped; drawn only where something is out of order, not where the visitor was refused. */
  readonly hop: "relay" | "tunnel" | "connector" | "origin";
  readonly showPath: boolean;
  readonly code: string;
  readonly requestId: string;
  readonly at: Date;
  readonly applicationName?: string | undefined;
  /** Short reason without internals of the policy. */
  readonly detail?: string | undefined;
  /** Email or name of the signed-in person. */
  readonly signedInAs?: string | undefined;
  /** https URL of the sign-in; for a person who is signed in it offers another account. */
  readonly loginUrl?: string | undefined;
  /** mailto: or https: address to ask for access. */
  readonly contact?: string | undefined;
  /** Offer to load the same address again. */
  readonly retry: boolean;
}

const STOPS = [
  ["visitor", "You"],
  ["relay", "Relay"],
  ["tunnel", "Tunnel"],
  ["connector", "Connector"],
  ["origin", "Application"],
] as const;

/** Sign-ins that can be begun again; the other ERR_LOGIN codes have nothing to begin. */
const LOGIN_PROBLEM = /^ERR_LOGIN_(?!REQUIRED$|UNAVAILABLE$)/;

export function refusalPage(model: RefusalPage, look: Look = DEFAULT_LOOK, host: PageHost = "elsewhere"): string {
  return page(partsOf({ ...model, contact: model.contact ?? look.contact }), look, host);
}

function partsOf(model: RefusalPage): PageParts {
  const { applicationName: application, detail, loginUrl, signedInAs } = model;
  if (LOGIN_PROBLEM.test(model.code)) return loginProblemPage({ ...model, application, startAgainHref: safeHref(loginUrl) });
  if (model.code !== "ERR_ACCESS_DENIED") return plainParts(model);
  const account = signedInAs === undefined ? undefined : { label: signedInAs };
  return deniedPage({ ...model, application, reason: detail, account, switchHref: safeHref(loginUrl) });
}

function plainParts(model: RefusalPage): PageParts {
  return {
    title: model.title,
    place: model.applicationName,
    content: html`<p class="lead">${model.meaning}</p>
      ${model.showPath && hopPath(model.hop)}
      <p class="remedy">${model.remedy}</p>
      ${actions(model)} ${facts(model)}`,
  };
}

/** You - Relay - Tunnel - Connector - Application, with the stop that failed marked in words as well as in colour. */
function hopPath(hop: RefusalPage["hop"]): Html {
  const failedAt = STOPS.findIndex(([name]) => name === hop);
  const stops = STOPS.map(([, label], index) => {
    if (index < failedAt) return html`<li>${label}<span class="unseen">: reached</span></li>`;
    if (index === failedAt) return html`<li class="failed" aria-current="step">${label}<span class="unseen">: stopped here</span></li>`;
    return html`<li class="unreached">${label}<span class="unseen">: not reached</span></li>`;
  });
  return html`<ol class="path" aria-label="How far your request came">
    ${stops}
  </ol>`;
}

function actions(model: RefusalPage): Html | undefined {
  const help = contactHref(model.contact, `${model.applicationName ?? "Sallyport"}: ${model.code}`, model.requestId);
  return actionRow([
    model.retry ? html`<a class="button main" href="">Try again</a>` : undefined,
    linkButton(safeHref(model.loginUrl), model.signedInAs === undefined ? "Sign in" : "Use another account", true),
    linkButton(help, "Get help"),
  ]);
}

function facts({ signedInAs, detail, ...model }: RefusalPage): Html {
  const more: (readonly [string, string])[] = [];
  if (signedInAs !== undefined) more.push(["Signed in as", signedInAs]);
  if (detail !== undefined) more.push(["Reason", detail]);
  return factList({ ...model, more });
}

/** Byte for byte the same for every request: says nothing about the host that was asked for. */
export const UNKNOWN_HOST_PAGE: string = page({
  title: "Nothing is published here",
  content: html`<p class="lead">This server answers for private applications, and none of them has this address.</p>
    <p class="remedy">Check the address for typing errors. If a link brought you here, tell the person who gave it to you.</p>
    <dl class="facts">
      <dt>Code</dt>
      <dd><code>ERR_HOST_UNKNOWN</code></dd>
    </dl>`,
});
