// Step 3 of the data path: who is asking. Order: application token in a header, then service token, then cookie. A
// credential of ours that is not valid is 401, never skipped in favour of another; two identities at once are 400 (R-C7).
// Reads headers and memory. Must not know policies or applications beyond their options.

import { firstValue, type Fields } from "@sallyport/shared/http/fields";
import type { Identity } from "./identity.ts";
import type { ServiceTokenRefusal, ServiceTokenResult, ServiceTokenVerifier } from "./service-token.ts";

/** What an application accepts beyond the two standard headers. */
export interface CredentialOptions {
  /** Service tokens over HTTP Basic: all Basic is then ours (A30). */
  readonly basic: boolean;
  /** Name of a header that holds id and secret as one JSON object (A13), lower-case; undefined: none. */
  readonly jsonHeader: string | undefined;
}

export type Authentication =
  | { readonly kind: "anonymous" }
  | {
      readonly kind: "identified";
      readonly identity: Identity;
      /** Authorization was the credential: it is not forwarded. */
      readonly consumedAuthorization: boolean;
    }
  | { readonly kind: "invalid"; readonly reason: ServiceTokenRefusal | "access-token" }
  | { readonly kind: "conflict" };

const ANONYMOUS: Authentication = { kind: "anonymous" };
/** Application tokens of people come with sign-in; until a token can be issued none can be valid. */
const ACCESS_TOKEN_FIELD = "sallyport-access-token";

export class Authenticator {
  readonly #serviceTokens: ServiceTokenVerifier;

  constructor(serviceTokens: ServiceTokenVerifier) {
    this.#serviceTokens = serviceTokens;
  }

  /** Whether an identity could still sign a request: asked for exchanges under way. */
  isLive(identity: Identity): boolean {
    return identity.kind === "service" && this.#serviceTokens.isLive(identity);
  }

  authenticate(fields: Fields, options: CredentialOptions): Authentication {
    if (firstValue(fields, ACCESS_TOKEN_FIELD) !== undefined) return { kind: "invalid", reason: "access-token" };
    const results: Array<[ServiceTokenResult, authorization: boolean]> = [[this.#serviceTokens.fromFields(fields), false]];
    if (options.jsonHeader !== undefined) results.push([this.#serviceTokens.fromJson(fields, options.jsonHeader), options.jsonHeader === "authorization"]);
    if (options.basic) results.push([this.#serviceTokens.fromBasic(fields), true]);
    return combine(results);
  }
}

/** Every credential presented must be valid, and all must name the same identity. */
function combine(results: ReadonlyArray<readonly [ServiceTokenResult, boolean]>): Authentication {
  let found: Authentication = ANONYMOUS;
  for (const [result, authorization] of results) {
    if (result.kind === "none") continue;
    if (result.kind === "invalid") return { kind: "invalid", reason: result.reason };
    if (found.kind === "identified" && !sameIdentity(found.identity, result.identity)) return { kind: "conflict" };
    const consumedAuthorization = authorization || (found.kind === "identified" && found.consumedAuthorization);
    found = { kind: "identified", identity: result.identity, consumedAuthorization };
  }
  return found;
}

function sameIdentity(a: Identity, b: Identity): boolean {
  return a.kind === "service" && b.kind === "service" && a.tokenId === b.tokenId;
}
