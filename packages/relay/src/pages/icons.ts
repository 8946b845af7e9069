// The few drawings of the pages: strokes in the text's colour, decoration only, so hidden from screen readers.

import { Html } from "./template.ts";

function icon(paths: string): Html {
  return new Html(
    `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">${paths}</svg>`,
  );
}

/** A door that opens outwards. */
export const MARK: Html = icon(
  '<path d="M5 21V9a7 7 0 0 1 14 0v12"/><path d="M2 21h20"/><path d="M9 21V8.5l6.5 2.4V21"/><path d="M12.9 15.4v1.2"/>',
);
export const KEY: Html = icon('<circle cx="8" cy="15" r="4.25"/><path d="m11 12 8.5-8.5"/><path d="m16 7 2.75 2.75"/>');
export const ENVELOPE: Html = icon('<rect x="3" y="5.5" width="18" height="13" rx="2"/><path d="m3.5 7 8.5 6.5L20.5 7"/>');
export const CHEVRON: Html = icon('<path d="m9.5 6 6 6-6 6"/>');
export const TICK: Html = icon('<path d="m5.5 12.5 4.25 4.25L18.5 8"/>');
export const WARNING: Html = icon('<circle cx="12" cy="12" r="9"/><path d="M12 7.5v5.25"/><path d="M12 16.25v.01"/>');
