// Names and values of the Cloudflare Access contract (A22) that the relay writes and the connector checks. Pure; must not know
// who is asking, or how it was found out.

import { createHash } from "node:crypto";

/** The signed token; RS256, `typ` as below. */
export const ACCESS_ASSERTION_FIELD = "Cf-Access-Jwt-Assertion";
/** The verified email, percent-encoded outside of printable ASCII. */
export const ACCESS_EMAIL_FIELD = "Cf-Access-Authenticated-User-Email";
/** The same token again. Towards the origin only: a browser never holds it. */
export const ACCESS_COOKIE = "CF_Authorization";
/** What every name of the contract starts with, as normaliseFieldName() writes it. No visitor's field gets through under it. */
export const ACCESS_FIELD_PREFIX = "cf-access-";
/** `typ` of the token: that product's, and none of ours (R-G3). */
export const ACCESS_ASSERTION_TYPE = "JWT";

/**
 * The `sub` of a person: a UUID made from the `sub` of our own assertion, so that it stays when the email changes
 * (RFC 9562 section 5.8).
 * @param subject `<provider>|<subject>`
 */
export function accessSubject(subject: string): string {
  const digest = createHash("sha256").update(subject, "utf8").digest("hex");
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}
