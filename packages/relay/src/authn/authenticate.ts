// Step 3 of the data path: who is asking. Order: application token in a header, then service token, then cookie. A
// credential of ours in a header that is not valid is 401, never skipped in favour of another; two identities at once are
// 400 (R-C7). A cookie is different: browsers send it unasked, so one that is no good is as none (R-H3).
// Reads headers and memory. Must not know policies or applications beyond their options.

import { readCookie } from "@sallyport/shared/http/cookies";
import { allValues, type Fields } from "@sallyport/shared/http/fields";
import type { ApplicationTokens, TokenRefusal, TokenResult } from "./application-token.ts";
import type { Identity } from "./identity.ts";
import {
  CLOUDFLARE_TOKEN_FIELDS,
  SERVICE_TOKEN_FIELDS,
  type ServiceTokenRefusal,
  type ServiceTokenResult,
  type ServiceTokenVerifier,
} from "./service-token.ts";
import type { Session, SessionStore } from "./session.ts";

/** What an application accepts. */
export interface CredentialOptions {
  /** Service tokens over HTTP Basic: all Basic is then ours (A30). */
  readonly basic: boolean;
  /** Name of a header that holds id and secret as one JSON object (A13), lower-case; undefined: none. */
  readonly jsonHeader: string | undefined;
  /** The audience that application tokens must have. */
  readonly audience: string;
  /** Name of the cookie with the application token. */
  readonly cookieName: string;
  /** Credentials in the headers of Cloudflare Access count as well (A22). */
  readonly cloudflareAccess: boolean;
}

/** How a request proved who it is: what browsers send by themselves has to be guarded against other sites (R-H5). */
export type CredentialSource = "header" | "service-token" | "cookie";

/** The login behind a request of a person. */
export interface PersonCredential {
  readonly session: Session;
  /** When its token was issued, milliseconds since the epoch. */
  readonly tokenIssuedAt: number;
}

export type Authentication =
  | {
      readonly kind: "anonymous";
      /**
       * A cookie of ours that says nothing: `over` was good once, `broken` never was (altered, or several with the name, as a
       * sibling host can set them): that one is cleared.
       */
      readonly cookie: "none" | "over" | "broken";
    }
  | {
      readonly kind: "identified";
      readonly identity: Identity;
      readonly source: CredentialSource;
      /** Undefined for programs. */
      readonly person: PersonCredential | undefined;
      /** Authorization was the credential: it is not forwarded. */
      readonly consumedAuthorization: boolean;
    }
  | { readonly kind: "invalid"; readonly reason: ServiceTokenRefusal | `access-token-${TokenRefusal | "duplicate"}` }
  | { readonly kind: "conflict" };

type Identified = Extract<Authentication, { kind: "identified" }>;

const ANONYMOUS: Authentication = { kind: "anonymous", cookie: "none" };
const COOKIE_OVER: Authentication = { kind: "anonymous", cookie: "over" };
const COOKIE_BROKEN: Authentication = { kind: "anonymous", cookie: "broken" };
const CONFLICT: Authentication = { kind: "conflict" };
const ACCESS_TOKEN_FIELD = "sallyport-access-token";
const CLOUDFLARE_ACCESS_TOKEN_FIELD = "cf-access-token";
/** RFC 6750 section 2.1. */
const BEARER = /^bearer +([^ ]+) *$/i;

export interface AuthenticatorOptions {
  readonly serviceTokens: ServiceTokenVerifier;
  readonly tokens: ApplicationTokens;
  readonly sessions: Pick<SessionStore, "get">;
}

export class Authenticator {
  readonly #serviceTokens: ServiceTokenVerifier;
  readonly #tokens: ApplicationTokens;
  readonly #sessions: Pick<SessionStore, "get">;

  constructor({ serviceTokens, tokens, sessions }: AuthenticatorOptions) {
    this.#serviceTokens = serviceTokens;
    this.#tokens = tokens;
    this.#sessions = sessions;
  }

  /** An identity as it is now, with the claims of today; undefined when it could no longer make a request (R-I2). */
  current(identity: Identity): { readonly identity: Identity; readonly session: Session | undefined } | undefined {
    if (identity.kind === "service") return this.#serviceTokens.isLive(identity) ? { identity, session: undefined } : undefined;
    const session = this.#sessions.get(identity.sessionId);
    return session === undefined ? undefined : { identity: session.identity, session };
  }

  authenticate(fields: Fields, options: CredentialOptions): Authentication {
    const header = mayHoldCredential(fields, options) ? combine(this.#inHeaders(fields, options)) : ANONYMOUS;
    if (header.kind === "invalid" || header.kind === "conflict") return header;
    const cookie = this.#inCookie(fields, options);
    if (header.kind === "anonymous") return cookie;
    return cookie.kind === "identified" && !sameIdentity(header.identity, cookie.identity) ? CONFLICT : header;
  }

  *#inHeaders(fields: Fields, options: CredentialOptions): Generator<Authentication> {
    yield* this.#accessTokens(fields, options);
    yield fromServiceToken(this.#serviceTokens.fromFields(fields), false);
    if (options.cloudflareAccess) yield fromServiceToken(this.#serviceTokens.fromFields(fields, CLOUDFLARE_TOKEN_FIELDS), false);
    const { jsonHeader } = options;
    if (jsonHeader !== undefined) yield fromServiceToken(this.#serviceTokens.fromJson(fields, jsonHeader), jsonHeader === "authorization");
    if (options.basic) yield fromServiceToken(this.#serviceTokens.fromBasic(fields), true);
  }

  *#accessTokens(fields: Fields, { audience, cloudflareAccess }: CredentialOptions): Generator<Authentication> {
    for (const name of cloudflareAccess ? [ACCESS_TOKEN_FIELD, CLOUDFLARE_ACCESS_TOKEN_FIELD] : [ACCESS_TOKEN_FIELD]) {
      const [token, ...more] = allValues(fields, name);
      if (more.length > 0) yield { kind: "invalid", reason: "access-token-duplicate" };
      if (token !== undefined) yield fromHeader(this.#tokens.verify(token, audience), false);
    }
    for (const value of allValues(fields, "authorization")) {
      const bearer = BEARER.exec(value)?.[1];
      if (bearer !== undefined && this.#tokens.claims(bearer)) yield fromHeader(this.#tokens.verify(bearer, audience), true);
    }
  }

  #inCookie(fields: Fields, { cookieName, audience }: CredentialOptions): Authentication {
    const cookie = readCookie(fields, cookieName);
    if (cookie.kind === "absent") return ANONYMOUS;
    if (cookie.kind === "conflict") return COOKIE_BROKEN;
    const result = this.#tokens.verify(cookie.value, audience);
    if (result.kind === "valid") return identified(result, "cookie", false);
    return result.reason === "expired" || result.reason === "session-ended" ? COOKIE_OVER : COOKIE_BROKEN;
  }
}

/** Every name that {@link Authenticator} looks for in headers, but the one that an application chooses. */
const CREDENTIAL_FIELDS: ReadonlySet<string> = new Set([
  ACCESS_TOKEN_FIELD,
  CLOUDFLARE_ACCESS_TOKEN_FIELD,
  "authorization",
  ...Object.values(SERVICE_TOKEN_FIELDS),
  ...Object.values(CLOUDFLARE_TOKEN_FIELDS),
]);
const CREDENTIAL_LENGTHS: ReadonlySet<number> = new Set([...CREDENTIAL_FIELDS].map((name) => name.length));

/** Most requests of browsers hold none: one pass tells. */
function mayHoldCredential(fields: Fields, { jsonHeader }: CredentialOptions): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (!CREDENTIAL_LENGTHS.has(name.length) && name.length !== jsonHeader?.length) continue;
    const lower = name.toLowerCase();
    if (CREDENTIAL_FIELDS.has(lower) || lower === jsonHeader) return true;
  }
  return false;
}

/** Every credential presented must be valid, and all must name the same identity; the first one counts. */
function combine(results: Iterable<Authentication>): Authentication {
  let found: Identified | undefined;
  for (const result of results) {
    if (result.kind === "anonymous") continue;
    if (result.kind !== "identified") return result;
    if (found !== undefined && !sameIdentity(found.identity, result.identity)) return CONFLICT;
    found = found === undefined ? result : { ...found, consumedAuthorization: found.consumedAuthorization || result.consumedAuthorization };
  }
  return found ?? ANONYMOUS;
}

function fromServiceToken(result: ServiceTokenResult, consumedAuthorization: boolean): Authentication {
  if (result.kind === "none") return ANONYMOUS;
  if (result.kind === "invalid") return { kind: "invalid", reason: result.reason };
  return { kind: "identified", identity: result.identity, source: "service-token", person: undefined, consumedAuthorization };
}

function fromHeader(result: TokenResult, consumedAuthorization: boolean): Authentication {
  if (result.kind === "invalid") return { kind: "invalid", reason: `access-token-${result.reason}` };
  return identified(result, "header", consumedAuthorization);
}

function identified(
  { session, issuedAt }: Extract<TokenResult, { kind: "valid" }>,
  source: CredentialSource,
  consumedAuthorization: boolean,
): Identified {
  return { kind: "identified", identity: session.identity, source, person: { session, tokenIssuedAt: issuedAt }, consumedAuthorization };
}

function sameIdentity(a: Identity, b: Identity): boolean {
  if (a.kind === "service") return b.kind === "service" && a.tokenId === b.tokenId;
  return b.kind === "person" && a.provider === b.provider && a.subject === b.subject;
}
