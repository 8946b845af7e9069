// What an origin is told about who is asking, beside the signed assertion: headers in the clear (A21), the origin's own
// password, the fields of the Cloudflare Access contract (A22). Only where somebody is known; set after every client copy
// was taken out (R-C4). Must not decide who may pass.

import { ACCESS_ASSERTION_FIELD, ACCESS_COOKIE, ACCESS_EMAIL_FIELD } from "@sallyport/shared/access-contract";
import type { Fields } from "@sallyport/shared/http/fields";
import { NO_FIELDS } from "@sallyport/shared/http/fields";
import { Secret } from "@sallyport/shared/secret";
import { escapedText } from "../authn/identity-fields.ts";
import type { Identity } from "../authn/identity.ts";
import type { BasicAuthConfig } from "../config/types.ts";
import type { Application } from "./runtime.ts";

export interface OriginIdentity {
  readonly fields: Fields;
  /** Authorization is among them: the visitor's own is left out. */
  readonly setsAuthorization: boolean;
}

const NOTHING: OriginIdentity = { fields: NO_FIELDS, setsAuthorization: false };

/** @param identity undefined: the origin is told nothing about who asks. @returns undefined when who asks cannot be told, and so must not pass (R-C6) */
export function originIdentity(
  { identityHeaders, originAuthorization }: Application,
  identity: Identity | undefined,
): OriginIdentity | undefined {
  if (identity === undefined) return NOTHING;
  const fields = identityHeaders.fieldsOf(identity);
  if (fields === "incomplete") return undefined;
  if (originAuthorization === undefined) return fields.length === 0 ? NOTHING : { fields, setsAuthorization: false };
  return { fields: [...fields, "Authorization", originAuthorization.reveal()], setsAuthorization: true };
}

/** Adds what an origin written for Cloudflare Access looks at. @param fields without any client copy of it */
export function withAccessAssertion(fields: Fields, token: string, identity: Identity): Fields {
  const email = identity.kind === "person" ? identity.email : undefined;
  const added = [ACCESS_ASSERTION_FIELD, token, ...(email === undefined ? [] : [ACCESS_EMAIL_FIELD, escapedText(email)])];
  return [...withCookie(fields, `${ACCESS_COOKIE}=${token}`), ...added];
}

/** At the end of the one Cookie line that is left, or as one. */
function withCookie(fields: Fields, pair: string): Fields {
  const at = fields.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === "cookie");
  if (at < 0) return [...fields, "Cookie", pair];
  return fields.with(at + 1, `${fields[at + 1]}; ${pair}`);
}

/** The value of Authorization for an origin's own login (RFC 7617, in UTF-8). */
export function basicAuthorization({ user, password }: BasicAuthConfig): Secret {
  return new Secret(`Basic ${Buffer.from(`${user}:${password.reveal()}`, "utf8").toString("base64")}`);
}
