// The one way HTML is made: a template tag that escapes every value. Markup passes through only as Html, which
// nothing but the tag (and literal constants of this folder) produces. Must not know requests or identities.

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
/** Controls and bidirectional overrides could reorder what a person reads: they become a visible mark. */
const INVISIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** Finished markup. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = string | number | Html | undefined | false | readonly Html[];

/** Escapes for element content and for quoted attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(INVISIBLE, "\ufffd").replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}

/** `html\`<p>${anything}</p>\``: strings are escaped, Html is not, lists are joined, undefined and false vanish. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let text = strings[0] as string;
  for (let i = 0; i < values.length; i++) text += render(values[i]) + (strings[i + 1] as string);
  return new Html(text);
}

function render(value: HtmlValue): string {
  if (value === undefined || value === false) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map((part) => part.text).join("");
  return escapeHtml(String(value));
}

/** A link target that may stand in href: https, http or mailto, else undefined. Escaping alone does not stop `javascript:`. */
export function safeHref(url: string | undefined): string | undefined {
  if (url === undefined || !/^(?:https?:\/\/|mailto:)[\x21-\x7e]+$/i.test(url)) return undefined;
  return URL.canParse(url) ? url : undefined;
}
