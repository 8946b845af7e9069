// The second assertion that origins written for Cloudflare Access read (A22), at the connector: it verifies like ours, and it
// must be about whom ours is about. Without this, another person's name beside a genuine assertion, by a mistake or by
// somebody without the keys, would be believed. Pure; must not know sockets or logs.

import {
  ACCESS_ASSERTION_FIELD,
  ACCESS_ASSERTION_TYPE,
  ACCESS_COOKIE,
  ACCESS_EMAIL_FIELD,
  ACCESS_FIELD_PREFIX,
  accessSubject,
} from "@sallyport/shared/access-contract";
import { readCookie } from "@sallyport/shared/http/cookies";
import { normaliseFieldName } from "@sallyport/shared/http/field-names";
import type { Fields } from "@sallyport/shared/http/fields";
import { type JwsKey, verifyJws } from "@sallyport/shared/jws";
import { type AssertionClaims, readTimes, type TokenTimes } from "./verify.ts";

/** What a head says in the names of the contract. */
export interface AccessFields {
  readonly token: string;
  /** As written: percent-encoded. */
  readonly email: string | undefined;
}

/** Of a verified token. */
export interface AccessClaims extends TokenTimes {
  readonly issuer: string;
  /** A person's UUID; empty for a program. */
  readonly subject: string;
  readonly email: string | undefined;
  /** A program's service token. */
  readonly commonName: string | undefined;
}

export type AccessReading =
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly fields: AccessFields }
  /** Names of the contract that do not belong together: no relay of ours writes that. */
  | { readonly kind: "broken" };

const ABSENT: AccessReading = Object.freeze({ kind: "absent" });
const BROKEN: AccessReading = Object.freeze({ kind: "broken" });

const TOKEN_NAME: string = ACCESS_ASSERTION_FIELD.toLowerCase();
const EMAIL_NAME: string = ACCESS_EMAIL_FIELD.toLowerCase();
const COOKIE_START: string = ACCESS_COOKIE.toLowerCase();
const LOWER_CASE = 0x20;
const LETTER_C = 0x63;
const LETTER_F = 0x66;
const LETTER_O = 0x6f;
const COOKIE_NAME_LENGTH = 6;

/** Finds the contract in a request head. Most heads hold none of it: their fields are told apart by two letters. */
export function readAccessFields(fields: Fields): AccessReading {
  let token: string | undefined;
  let email: string | undefined;
  let cookie = false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if ((name.charCodeAt(0) | LOWER_CASE) !== LETTER_C) continue;
    const value = fields[i + 1] as string;
    const second = name.charCodeAt(1) | LOWER_CASE;
    if (second === LETTER_O && name.length === COOKIE_NAME_LENGTH) cookie ||= value.toLowerCase().includes(COOKIE_START);
    else if (second === LETTER_F && normaliseFieldName(name).startsWith(ACCESS_FIELD_PREFIX)) {
      const lower = name.toLowerCase();
      if (lower === TOKEN_NAME && token === undefined) token = value;
      else if (lower === EMAIL_NAME && email === undefined) email = value;
      else return BROKEN;
    }
  }
  if (token === undefined) return email === undefined && !cookie ? ABSENT : BROKEN;
  const reading = readCookie(fields, ACCESS_COOKIE);
  return reading.kind === "value" && reading.value === token ? { kind: "present", fields: { token, email } } : BROKEN;
}

/** Verifies signature and shape; times are checked for order, not against a clock. @returns undefined unless it is one of ours */
export function verifyAccessAssertion(token: string, keys: ReadonlyMap<string, JwsKey>): AccessClaims | undefined {
  const result = verifyJws(token, ACCESS_ASSERTION_TYPE, keys);
  if (!result.ok) return undefined;
  const { iss, sub, email, common_name: commonName, type } = result.payload;
  const times = readTimes(result.payload);
  if (times === undefined || type !== "app" || typeof iss !== "string" || typeof sub !== "string") return undefined;
  if (!isTextOrAbsent(email) || !isTextOrAbsent(commonName)) return undefined;
  return { ...times, issuer: iss, subject: sub, email, commonName };
}

/** Whether both assertions, and the email in the clear, are about the same person or program. */
export function isSameIdentity(ours: AssertionClaims, theirs: AccessClaims, email: string | undefined): boolean {
  switch (ours.kind) {
    case "person":
      return (
        theirs.subject === accessSubject(ours.subject) &&
        theirs.commonName === undefined &&
        theirs.email === ours.email &&
        (email === undefined ? ours.email === undefined : decoded(email) === ours.email)
      );
    case "service":
      return theirs.commonName === ours.subject && theirs.subject === "" && theirs.email === undefined && email === undefined;
    case "bypass":
      return false;
  }
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

function isTextOrAbsent(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}
