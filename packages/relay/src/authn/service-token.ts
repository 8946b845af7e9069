// Step 3 of the data path for programs: is the service token of this request genuine and usable (A13, A30)? Reads
// headers and memory, does no I/O. Must not know policies: a valid token that no policy admits is a 403 later.

import { timingSafeEqual } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { allValues, type Fields } from "@sallyport/shared/http/fields";
import type { ServiceIdentity } from "./identity.ts";
import { digestSecret, isClientId, isSecret } from "./service-token-format.ts";

/** The part of a stored token that verification reads. */
export interface StoredServiceToken {
  readonly clientId: string;
  readonly name: string;
  readonly secretHash: Uint8Array;
  readonly previousHash: Uint8Array | undefined;
  readonly previousExpiresAt: number | undefined;
  readonly expiresAt: number;
  readonly disabledAt: number | undefined;
  readonly revokedAt: number | undefined;
}

export interface ServiceTokenSource {
  get(clientId: string): StoredServiceToken | undefined;
  /** Notes a use; must not do I/O. */
  used(clientId: string): void;
}

export type ServiceTokenRefusal =
  /** Not a token's shape, one header without the other, or a checksum that shows a typing error. */
  | "malformed"
  /** A header twice: which one counts is nobody's guess. */
  | "duplicate"
  | "unknown"
  | "mismatch"
  | "expired"
  | "disabled"
  | "revoked";

export type ServiceTokenResult =
  | { readonly kind: "none" }
  | { readonly kind: "valid"; readonly identity: ServiceIdentity }
  /** 401, never skipped in favour of another credential (R-C7). The reason is for the record, not for the client. */
  | { readonly kind: "invalid"; readonly reason: ServiceTokenRefusal; readonly clientId: string | undefined };

/** A pair of lower-case field names that carry id and secret. */
export interface ServiceTokenFields {
  readonly id: string;
  readonly secret: string;
}

export const SERVICE_TOKEN_FIELDS: ServiceTokenFields = { id: "sallyport-client-id", secret: "sallyport-client-secret" };
/** Accepted as well on applications with `compatibility: cloudflare-access`. */
export const CLOUDFLARE_TOKEN_FIELDS: ServiceTokenFields = { id: "cf-access-client-id", secret: "cf-access-client-secret" };

export interface ServiceTokenVerifier {
  /** Whether the token behind an identity could still be used now: for streams that are open already (R-I2, R-I4). */
  isLive(identity: ServiceIdentity): boolean;
  /** The token in this pair of fields, if any. Names are matched without regard to case. */
  fromFields(fields: Fields, names?: ServiceTokenFields): ServiceTokenResult;
  /** The token in one field as a JSON object whose members are the two field names (A13), for clients that can set one header. */
  fromJson(fields: Fields, name: string, names?: ServiceTokenFields): ServiceTokenResult;
  /** The token in `Authorization: Basic` (RFC 7617), for applications with that option: all Basic is then ours (A30). */
  fromBasic(fields: Fields): ServiceTokenResult;
}

const NONE: ServiceTokenResult = { kind: "none" };
// What the secret of an unknown id is compared with. No secret has this digest, as far as anybody can compute.
const NO_DIGEST = new Uint8Array(32);
const BASIC = /^basic +([A-Za-z0-9+/]{1,200}={0,2}) *$/i;

/**
 * Measured on Node 26: about 2 us for a valid token, half of that SHA-256, and 0.03 us where there is none. A cache of
 * verified secrets would save one microsecond and keep the secrets themselves in memory, so there is none.
 */
export function createServiceTokenVerifier(source: ServiceTokenSource, clock: Clock): ServiceTokenVerifier {
  // One identity object per state of a token: decisions and assertions are remembered by it, and a change of the token
  // (a new record object) forgets them.
  const identities = new WeakMap<StoredServiceToken, ServiceIdentity>();

  function identityOf(token: StoredServiceToken): ServiceIdentity {
    let identity = identities.get(token);
    if (identity === undefined) identities.set(token, (identity = { kind: "service", tokenId: token.clientId, name: token.name }));
    return identity;
  }

  function verify(clientId: string, secret: string): ServiceTokenResult {
    if (!isClientId(clientId)) return invalid("malformed", undefined);
    if (!isSecret(secret)) return invalid("malformed", clientId);
    const digest = digestSecret(secret);
    const token = source.get(clientId);
    const now = clock.now();
    // The same two comparisons whether or not the id is known, and whether or not a previous secret is there (R-J1).
    const current = timingSafeEqual(digest, token?.secretHash ?? NO_DIGEST);
    const inGrace = token?.previousExpiresAt !== undefined && now < token.previousExpiresAt;
    const previous = timingSafeEqual(digest, (inGrace ? token.previousHash : undefined) ?? NO_DIGEST);
    if (token === undefined) return invalid("unknown", clientId);
    if (!current && !previous) return invalid("mismatch", clientId);
    // Told only to who holds the secret.
    if (token.revokedAt !== undefined) return invalid("revoked", clientId);
    if (token.disabledAt !== undefined) return invalid("disabled", clientId);
    if (now >= token.expiresAt) return invalid("expired", clientId);
    source.used(clientId);
    return { kind: "valid", identity: identityOf(token) };
  }

  return {
    isLive({ tokenId }) {
      const token = source.get(tokenId);
      return token !== undefined && token.revokedAt === undefined && token.disabledAt === undefined && clock.now() < token.expiresAt;
    },

    fromFields(fields, names = SERVICE_TOKEN_FIELDS) {
      const ids = allValues(fields, names.id);
      const secrets = allValues(fields, names.secret);
      if (ids.length === 0 && secrets.length === 0) return NONE;
      if (ids.length > 1 || secrets.length > 1) return invalid("duplicate", undefined);
      const [id, secret] = [ids[0], secrets[0]];
      return id === undefined || secret === undefined ? invalid("malformed", undefined) : verify(id, secret);
    },

    fromJson(fields, name, names = SERVICE_TOKEN_FIELDS) {
      const values = allValues(fields, name).filter((value) => value.trimStart().startsWith("{"));
      if (values.length === 0) return NONE;
      if (values.length > 1) return invalid("duplicate", undefined);
      const pair = readJsonPair(values[0] as string, names);
      return pair === undefined ? invalid("malformed", undefined) : verify(pair.id, pair.secret);
    },

    fromBasic(fields) {
      const values = allValues(fields, "authorization");
      const basic = values.filter((value) => /^basic(?: |$)/i.test(value));
      if (basic.length === 0) return NONE;
      if (values.length > 1) return invalid("duplicate", undefined);
      const encoded = BASIC.exec(basic[0] as string)?.[1];
      if (encoded === undefined) return invalid("malformed", undefined);
      const pair = Buffer.from(encoded, "base64").toString("latin1");
      const colon = pair.indexOf(":");
      return colon < 0 ? invalid("malformed", undefined) : verify(pair.slice(0, colon), pair.slice(colon + 1));
    },
  };
}

const MAX_JSON_LENGTH = 1_024;

/** Member names without regard to case; anything but exactly the two strings is refused. */
function readJsonPair(text: string, names: ServiceTokenFields): { readonly id: string; readonly secret: string } | undefined {
  if (text.length > MAX_JSON_LENGTH) return undefined;
  let members: [string, unknown][];
  try {
    members = Object.entries(JSON.parse(text) as object).map(([name, value]) => [name.toLowerCase(), value]);
  } catch {
    return undefined;
  }
  const id = members.find(([name]) => name === names.id)?.[1];
  const secret = members.find(([name]) => name === names.secret)?.[1];
  return members.length === 2 && typeof id === "string" && typeof secret === "string" ? { id, secret } : undefined;
}

function invalid(reason: ServiceTokenRefusal, clientId: string | undefined): ServiceTokenResult {
  return { kind: "invalid", reason, clientId };
}
