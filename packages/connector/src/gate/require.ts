// The connector's own `require` (T16): who may reach a service, by whoever runs it, whatever the relay allows. It can only
// narrow, because it is asked after the assertion was accepted and knows no way to allow. Pure; must not know YAML.

import { domainOf } from "@sallyport/shared/names";
import type { AssertionClaims, AssertionKind } from "./verify.ts";

/** Every key that is there has to be met; within one, any value does. An undefined key demands nothing. */
export interface Requirement {
  readonly kinds: ReadonlySet<AssertionKind> | undefined;
  /** Public URLs of applications, as the assertion's `aud` has them: without a slash at the end. */
  readonly applications: ReadonlySet<string> | undefined;
  readonly groups: ReadonlySet<string> | undefined;
  /** In the spelling of normaliseEmail(). */
  readonly emails: ReadonlySet<string> | undefined;
  readonly emailDomains: ReadonlySet<string> | undefined;
}

/** The key of the first demand that is not met, for the log; undefined when all are. Programs have no groups and no email. */
export function unmetDemand(requirement: Requirement, claims: AssertionClaims): keyof Requirement | undefined {
  const { kinds, applications, groups, emails, emailDomains } = requirement;
  if (kinds !== undefined && !kinds.has(claims.kind)) return "kinds";
  if (applications !== undefined && !applications.has(claims.audience)) return "applications";
  if (groups !== undefined && !claims.groups.some((group) => groups.has(group))) return "groups";
  const { email } = claims;
  if (emails !== undefined && (email === undefined || !emails.has(email))) return "emails";
  if (emailDomains !== undefined && (email === undefined || !emailDomains.has(domainOf(email)))) return "emailDomains";
  return undefined;
}
