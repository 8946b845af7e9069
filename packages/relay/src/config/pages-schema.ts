// Section pages of relay.yaml: name, logo, colour, contact and texts of the pages for people (A17). A colour that people
// could not read is refused here, with the nearest one that they can.

import { z } from "zod";
import { contrast, MIN_CONTRAST, PALETTES, readableOn } from "../pages/palette.ts";
import { safeHref } from "../pages/template.ts";
import type { PagesConfig } from "./pages-types.ts";
import { fileReference, textValue, type FileReference } from "./values.ts";

/** The section after checking, its logo still unread. */
export interface PagesDocument extends Omit<PagesConfig, "logo"> {
  readonly logo?: FileReference | undefined;
}

const MAX_NAME = 40;
const MAX_TEXT = 400;
const ACCENT_HINT = "write six hexadecimal digits in quotes";

const accent: z.ZodType<string, string> = textValue(
  (text) => (/^#[0-9a-f]{6}$/i.test(text) ? text.toLowerCase() : undefined),
  "expected a colour",
  { remedy: `${ACCENT_HINT}, for example "#0f5c55"`, kind: "colour" },
).superRefine((colour, context) => {
  const { sheet } = PALETTES.light;
  const ratio = contrast(colour, sheet);
  if (ratio >= MIN_CONTRAST) return;
  const message = `has a contrast of ${ratio.toFixed(1)} on the pages; text needs ${MIN_CONTRAST}`;
  const remedy = `write "${readableOn(colour, sheet, "#000000")}", the nearest shade that can be read, or a darker one`;
  context.addIssue({ code: "custom", message, params: { remedy }, input: colour });
});

const contact: z.ZodType<string, string> = textValue(
  (text) => (text.length <= 500 ? safeHref(httpsOrMail(text)) : undefined),
  "expected an address",
  {
    remedy: "write mailto:help@example.com or an https:// URL",
    kind: "mailto or https URL",
  },
);

function httpsOrMail(text: string): string | undefined {
  return /^(?:https:\/\/|mailto:[^@]+@)/i.test(text) ? text : undefined;
}

function plainText(max: number) {
  return z.string().trim().min(1).max(max);
}

export const pagesSchema: z.ZodType<PagesDocument> = z
  .strictObject({
    name: plainText(MAX_NAME)
      .prefault("Sallyport")
      .meta({ description: "Who runs this, as visitors know them; at most 40 characters.", examples: ["Example Ltd"] }),
    logo: fileReference.optional().meta({
      description: "SVG or PNG file of at most 64 KB, shown 28 pixels high beside the name. Read again when it changes.",
      examples: [{ file: "logo.svg" }],
    }),
    accent: accent.optional().meta({
      description: "Colour of buttons and links. It must be dark enough to be read on white; dark mode uses a lighter shade of it.",
      examples: ["#0f5c55"],
    }),
    contact: contact.optional().meta({
      description:
        "Where people ask for access or help, as a link on the pages that refuse something. A mail address gets the request id filled in.",
      examples: ["mailto:help@example.com"],
    }),
    texts: z
      .strictObject({
        signIn: plainText(MAX_TEXT).optional().meta({ description: "Shown where people sign in." }),
        denied: plainText(MAX_TEXT).optional().meta({ description: "Shown to people whom the policies do not let in." }),
        footer: plainText(MAX_TEXT).optional().meta({ description: "Shown below every page." }),
      })
      .prefault({})
      .meta({ description: "Your own words, as plain text of at most 400 characters." }),
  })
  .transform(({ name, logo, accent: colour, contact: address, texts: { signIn, denied, footer } }) => ({
    name,
    logo,
    accent: colour,
    contact: address,
    texts: { signIn, denied, footer },
  }))
  .prefault({})
  .meta({ description: "How the pages for people look: sign-in, refusals, the list of applications." });
