// The value types that policies and policy tests share: names and addresses in the one spelling in which they are
// compared (R-N6), countries, certificate fields.

import type { z } from "zod";
import { normaliseAlternativeName } from "../authz/alternative-name.ts";
import { normaliseDomain, normaliseEmail, normaliseName } from "../authz/names.ts";
import { textValue } from "./values.ts";

/** A name that is compared as a whole (R-N6): NFC, nothing invisible, 1 to 320 characters. */
export const comparedName: z.ZodType<string, string> = textValue(normaliseName, "expected a name without invisible characters", {
  remedy: "write 1 to 320 visible characters",
});

export const email: z.ZodType<string, string> = textValue(normaliseEmail, "expected a mail address", {
  remedy: "write an address such as ann@example.com",
});

export const emailDomain: z.ZodType<string, string> = textValue(normaliseDomain, "expected a mail domain", {
  remedy: "write the domain alone, without @ or *, such as example.com",
});

export const country: z.ZodType<string, string> = textValue(
  (text) => (/^[A-Z]{2}$/.test(text) ? text : undefined),
  "expected a country code",
  {
    remedy: "write two upper-case letters of ISO 3166-1, such as DE",
  },
);

const fingerprintHex = (text: string): string | undefined => {
  const hex = text.replaceAll(":", "").toLowerCase();
  return /^[0-9a-f]{64}$/.test(hex) ? hex : undefined;
};

export const fingerprint: z.ZodType<string, string> = textValue(fingerprintHex, "expected a SHA-256 fingerprint", {
  remedy: "write the SHA-256 of the certificate as 64 hex digits, with or without colons",
});

export const alternativeName: z.ZodType<string, string> = textValue(normaliseAlternativeName, "expected a subject alternative name", {
  remedy: "write type and value, such as dns:ci.example.com or uri:spiffe://example.com/ci",
});
