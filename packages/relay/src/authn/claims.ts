// From a provider's verified claims to a person: names in the spelling in which policies compare them, unverified emails
// left out, nothing taken that has the wrong type (R-F5, R-F8, R-N6). Pure. Must not know how the claims came.

import { normaliseEmail, normaliseName } from "@sallyport/shared/names";
import { ProviderRefusal } from "./provider-problem.ts";
import type { ProviderIdentity } from "./provider.ts";

/** A directory's largest group answers stay below this; more is "the provider did not say". */
export const MAX_GROUPS = 5_000;
const MAX_AUTH_METHODS = 32;
const MAX_CLAIMS = 100;
/** Characters of all further claims as JSON. */
const MAX_CLAIMS_LENGTH = 16_384;

export type Claims = Readonly<Record<string, unknown>>;

export interface ClaimRules {
  /** Name of the claim; where no claim has that name, dots lead into objects (`realm_access.roles`). */
  readonly groupsClaim: string;
  /** False: an email counts although the provider does not call it verified. */
  readonly verifiedEmailOnly: boolean;
}

/** Says how the token itself is checked, or became a field of the identity: no use to policies. */
const NOT_ABOUT_THE_PERSON: ReadonlySet<string> = new Set(
  "iss aud exp iat nbf jti nonce azp at_hash c_hash s_hash sid sub email email_verified name amr _claim_names _claim_sources hasgroups".split(
    " ",
  ),
);

/** @throws ProviderRefusal identity-unusable without a usable subject */
export function identityFromClaims(claims: Claims, rules: ClaimRules): ProviderIdentity {
  return {
    subject: readSubject(claims["sub"]),
    email: readEmail(claims, rules),
    name: readText(claims["name"]) ?? readText(claims["preferred_username"]) ?? readText(claims["nickname"]),
    groups: readGroups(claimAt(claims, rules.groupsClaim)),
    authMethods: readNames(claims["amr"], MAX_AUTH_METHODS),
    claims: furtherClaims(claims, rules.groupsClaim),
  };
}

/** OpenID Connect Core section 2: at most 255 ASCII characters, compared exactly. */
function readSubject(value: unknown): string {
  if (typeof value === "string" && /^[\x20-\x7e]{1,255}$/.test(value) && value.trim() !== "") return value;
  throw new ProviderRefusal("identity-unusable", "the claim sub is not 1 to 255 printable ASCII characters");
}

function readEmail(claims: Claims, rules: ClaimRules): string | undefined {
  const { email } = claims;
  if (typeof email !== "string" || (rules.verifiedEmailOnly && !isVerified(claims))) return undefined;
  return normaliseEmail(email);
}

/** Some providers write the boolean as text. Entra ID says it with xms_edov, "email domain owner verified". */
function isVerified(claims: Claims): boolean {
  const verified = claims["email_verified"];
  const domainOwner = claims["xms_edov"];
  return (
    verified === true ||
    verified === "true" ||
    (verified === undefined && (domainOwner === true || domainOwner === 1 || domainOwner === "1"))
  );
}

function readText(value: unknown): string | undefined {
  return typeof value === "string" ? normaliseName(value) : undefined;
}

/** undefined where the provider did not say, or said something else than names: never "none" and never "all" (R-F8). */
export function readGroups(value: unknown): readonly string[] | undefined {
  return readNames(typeof value === "string" ? [value] : value, MAX_GROUPS);
}

/** A name that no policy can hold is left out: no rule could have meant it. */
function readNames(value: unknown, max: number): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > max || !value.every((entry) => typeof entry === "string")) return undefined;
  return [...new Set(value.flatMap((entry) => normaliseName(entry) ?? []))];
}

export function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const step of name.split(".")) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, step)) return undefined;
    value = (value as Claims)[step];
  }
  return value;
}

/** In the provider's order, as many as fit. */
function furtherClaims(claims: Claims, groupsClaim: string): Claims {
  const kept: [string, unknown][] = [];
  let length = 0;
  for (const [name, value] of Object.entries(claims)) {
    if (NOT_ABOUT_THE_PERSON.has(name) || name === groupsClaim || normaliseName(name) !== name) continue;
    const size = name.length + JSON.stringify(value ?? null).length;
    if (kept.length === MAX_CLAIMS || length + size > MAX_CLAIMS_LENGTH) continue;
    length += size;
    kept.push([name, value]);
  }
  return Object.fromEntries(kept);
}
