// Who a token answer is about: the verified ID token, filled up from userinfo and, for people in too many groups, from
// Microsoft Graph. Used at login and at every renewal of claims.

import { isDeepStrictEqual } from "node:util";
import { type Configuration, fetchUserInfo } from "openid-client";
import { claimAt, type Claims, identityFromClaims, type ClaimRules } from "../claims.ts";
import type { ProviderIdentity } from "../provider.ts";
import type { ProviderFetch } from "../provider-fetch.ts";
import { ProviderRefusal } from "../provider-problem.ts";
import { hasGroupsOverage, readEntraGroups } from "./entra-groups.ts";

export interface PersonRules extends ClaimRules {
  readonly issuer: string;
  /** Ask Microsoft Graph where the token left groups out. */
  readonly groupsOverage: boolean;
}

export interface Person {
  readonly identity: ProviderIdentity;
  /** Userinfo alone says as much, so that it will do for a renewal. */
  readonly userinfoSuffices: boolean;
}

/** `idToken` is verified already; undefined at a renewal whose answer has none. @throws where userinfo is needed and fails */
export async function readPerson(
  configuration: Configuration,
  tokens: { readonly accessToken: string; readonly idToken: Claims | undefined; readonly subject: string },
  rules: PersonRules,
  fetch: ProviderFetch,
): Promise<Person> {
  const { accessToken, idToken, subject } = tokens;
  const overage = idToken !== undefined && hasGroupsOverage(idToken);
  const wanted = idToken === undefined || isIncomplete(idToken, rules, overage);
  const userinfo = wanted ? await readUserinfo(configuration, accessToken, subject) : undefined;
  if (idToken === undefined && userinfo === undefined)
    throw new ProviderRefusal("provider-invalid", "the provider has neither userinfo nor an ID token at renewal");
  const identity = identityFromClaims(merge(idToken ?? {}, userinfo ?? {}), rules);
  if (overage) {
    // Groups that userinfo might name are those of another view; only the complete list counts.
    const groups = rules.groupsOverage ? await readEntraGroups(rules.issuer, accessToken, fetch) : undefined;
    return { identity: { ...identity, groups }, userinfoSuffices: false };
  }
  return { identity, userinfoSuffices: userinfo !== undefined && saysTheSame(identityFromClaims(userinfo, rules), identity) };
}

function isIncomplete(claims: Claims, rules: PersonRules, overage: boolean): boolean {
  const groups = overage || claimAt(claims, rules.groupsClaim) !== undefined;
  const email = claims["email"] !== undefined && (claims["email_verified"] !== undefined || !rules.verifiedEmailOnly);
  return !groups || !email || claims["name"] === undefined;
}

/** The subject must be that of the ID token (Core section 5.3.2): openid-client compares it. */
async function readUserinfo(configuration: Configuration, accessToken: string, subject: string): Promise<Claims | undefined> {
  if (configuration.serverMetadata().userinfo_endpoint === undefined) return undefined;
  return await fetchUserInfo(configuration, accessToken, subject);
}

const VERIFIED_CLAIMS = ["email_verified", "xms_edov"] as const;
const EMAIL_CLAIMS = ["email", ...VERIFIED_CLAIMS] as const;

/** The signed source wins; an email and the word that it is verified never come from two sources. */
function merge(idToken: Claims, userinfo: Claims): Claims {
  const merged: Record<string, unknown> = { ...userinfo, ...idToken };
  const same = idToken["email"] === userinfo["email"] && idToken["email_verified"] === undefined;
  const source = idToken["email"] === undefined || same ? { ...idToken, ...userinfo } : idToken;
  for (const name of EMAIL_CLAIMS) {
    if (source[name] === undefined) delete merged[name];
    else merged[name] = source[name];
  }
  // Without an email of its own the ID token verifies nobody's.
  if (idToken["email"] === undefined && userinfo["email_verified"] === undefined) for (const name of VERIFIED_CLAIMS) delete merged[name];
  return merged;
}

/** The time and strength of the login are not renewed. */
const ABOUT_THE_LOGIN: ReadonlySet<string> = new Set(["auth_time", "acr"]);

function saysTheSame(userinfo: ProviderIdentity, whole: ProviderIdentity): boolean {
  const facts = ({ email, name, groups, claims }: ProviderIdentity): unknown => ({
    email,
    name,
    groups,
    claims: Object.keys(claims)
      .filter((claim) => !ABOUT_THE_LOGIN.has(claim))
      .toSorted(),
  });
  return isDeepStrictEqual(facts(userinfo), facts(whole));
}
