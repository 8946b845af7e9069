// Names of people, groups and domains in the one spelling in which they are compared (R-N6): Unicode NFC, domains in
// lower case, nothing invisible. Used by the policy schema and by whatever verifies identities. Must not know policies or providers.

const MAX_NAME_LENGTH = 320;
// Controls, format characters (zero-width, bidi), lone surrogates, line separators and everything that renders as
// nothing: two names that look alike must not differ in what nobody can see.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const DOMAIN = /^(?=.{1,253}$)[\p{L}\p{N}_]([\p{L}\p{N}\p{M}_-]{0,62})(\.[\p{L}\p{N}_][\p{L}\p{N}\p{M}_-]{0,62})*$/u;
const LOCAL_PART = /^[^\s@]{1,64}$/u;

/** A group or claim name in NFC; undefined when empty, longer than 320 characters or holding invisible characters. */
export function normaliseName(text: string): string | undefined {
  const name = text.normalize("NFC");
  return name.length === 0 || name.length > MAX_NAME_LENGTH || INVISIBLE.test(name) ? undefined : name;
}

/** A mail domain in NFC and lower case; undefined unless its labels are letters, digits, `-` and `_`. */
export function normaliseDomain(text: string): string | undefined {
  const domain = normaliseName(text)?.toLowerCase();
  return domain !== undefined && DOMAIN.test(domain) ? domain : undefined;
}

/**
 * A mail address in NFC with a lower-cased domain. The local part keeps its case: RFC 5321 section 2.4 leaves its
 * meaning to the receiving host.
 * @returns undefined unless there is exactly one `@`, between a local part of 1 to 64 characters and a domain.
 */
export function normaliseEmail(text: string): string | undefined {
  const at = text.lastIndexOf("@");
  const localPart = normaliseName(text.slice(0, Math.max(at, 0)));
  const domain = normaliseDomain(text.slice(at + 1));
  if (at < 1 || localPart === undefined || domain === undefined || !LOCAL_PART.test(localPart)) return undefined;
  return `${localPart}@${domain}`;
}

/** The domain of a normalised address. */
export function domainOf(email: string): string {
  return email.slice(email.lastIndexOf("@") + 1);
}
