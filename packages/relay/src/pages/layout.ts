// The frame around every page for people: document head, name, heading, sheet. Must not know what a page is about.

import type { Fields } from "@sallyport/shared/http/fields";
import { TICK } from "./icons.ts";
import { DEFAULT_LOOK, type Look, type PageHost, pageHeaders } from "./look.ts";
import { html, type Html } from "./template.ts";

/** One page, before it is known at which relay and host it is shown. */
export interface PageParts {
  /** Shown in the tab and as the one h1. */
  readonly title: string;
  /** The application that the page is about, beside the relay's name. */
  readonly place?: string | undefined;
  readonly content: Html;
  /** Which of the operator's own texts belongs here. */
  readonly note?: "signIn" | "denied" | undefined;
  /** It ended well: a tick above the heading. */
  readonly done?: boolean | undefined;
  /** Something entered was not accepted: the tab says so first, which is where a screen reader starts. */
  readonly problem?: boolean | undefined;
  /** Room for lists in two columns. */
  readonly wide?: boolean | undefined;
  /** It has forms, which are sent to its own host. */
  readonly forms?: boolean | undefined;
  /** Addresses on other hosts that the browser asks unseen: they forget there what they kept of this person. */
  readonly asks?: readonly string[] | undefined;
}

/** The whole document, UTF-8. */
export function page(parts: PageParts, look: Look = DEFAULT_LOOK, host: PageHost = "elsewhere"): string {
  const { head, mark } = look.dress[host];
  const note = parts.note && look.texts[parts.note];
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>${parts.problem === true && "Error: "}${parts.title} · ${look.name}</title>
        ${head}
      </head>
      <body>
        <main${parts.wide === true && html` class="wide"`}>
          <p class="who">${mark}<span>${look.name}</span>${parts.place !== undefined && html`<span class="at">${parts.place}</span>`}</p>
          ${parts.done === true && html`<p class="emblem">${TICK}</p>`}
          <h1>${parts.title}</h1>
          ${parts.content} ${note !== undefined && html`<p class="note after">${note}</p>`}
        </main>
        ${parts.asks?.map((address) => html`<img src="${address}" alt="" hidden />`)}
        ${look.texts.footer !== undefined && html`<footer>${look.texts.footer}</footer>`}
      </body>
    </html> `.text;
}

export interface RenderedPage {
  readonly body: string;
  readonly fields: Fields;
}

/** A page with the headers that belong to it. */
export function renderPage(parts: PageParts, look: Look = DEFAULT_LOOK, host: PageHost = "auth"): RenderedPage {
  const formActionOrigins = parts.forms === true ? [] : undefined;
  const imageOrigins = [...new Set(parts.asks?.map((address) => new URL(address).origin))];
  return { body: page(parts, look, host), fields: pageHeaders({ look, host, formActionOrigins, imageOrigins }) };
}
