// What a command line and the page in the browser both show of one request, for a person to compare (R-E4): who confirms a
// request that somebody else began sees another code. Pure; must not know either side.

import { createHash } from "node:crypto";

/** RFC 8628 section 6.1: no vowels, so no words. */
export const CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
export const CODE_LENGTH = 8;

/** @param challenge the PKCE challenge, which both have. @returns `BCDF-GHJK` */
export function comparisonCode(challenge: string): string {
  const digest = createHash("sha256").update(`sallyport cli ${challenge}`, "latin1").digest();
  return inHalves([...digest.subarray(0, CODE_LENGTH)].map((byte) => CODE_LETTERS[byte % CODE_LETTERS.length]).join(""));
}

/** Letters as people read them. */
export function inHalves(letters: string): string {
  return `${letters.slice(0, CODE_LENGTH / 2)}-${letters.slice(CODE_LENGTH / 2)}`;
}
