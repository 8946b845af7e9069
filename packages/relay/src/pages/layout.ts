// The frame around every page for people: document head, mark, heading, sheet. Sign-in pages use it too.

import { STYLESHEET } from "./stylesheet.ts";
import { Html, html } from "./template.ts";

/** A door that opens outwards: drawn in the text's colour, decoration only. */
const MARK = new Html(
  '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false"><path d="M5 21V9a7 7 0 0 1 14 0v12"/><path d="M2 21h20"/><path d="M9 21V8.5l6.5 2.4V21"/><path d="M12.9 15.4v1.2"/></svg>',
);
const STYLE = new Html(`<style>${STYLESHEET}</style>`);

export interface PageParts {
  /** Shown in the tab and as the one h1. */
  readonly title: string;
  /** Beside the mark: the application, or Sallyport's own name. */
  readonly place: string;
  readonly content: Html;
  readonly footer?: Html | undefined;
}

/** The whole document, UTF-8. */
export function page(parts: PageParts): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>${parts.title}</title>
        ${STYLE}
      </head>
      <body>
        <main>
          <p class="who">${MARK}<span>${parts.place}</span></p>
          <h1>${parts.title}</h1>
          ${parts.content}
        </main>
        ${parts.footer === undefined ? undefined : html`<footer>${parts.footer}</footer>`}
      </body>
    </html> `.text;
}
