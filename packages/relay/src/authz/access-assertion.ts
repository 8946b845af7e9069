// The assertion of the Cloudflare Access contract (A22): what that product's documentation says an origin finds in
// Cf-Access-Jwt-Assertion, signed with RS256 by a key of its own. Beside the assertion of every application, never in its
// place: the connector verifies both, and that they are about the same person. Must not know requests.

import { ACCESS_ASSERTION_TYPE, accessSubject } from "@sallyport/shared/access-contract";
import type { Clock } from "@sallyport/shared/clock";
import { SignJWT } from "jose";
import { hash, type KeyObject, randomBytes } from "node:crypto";
import type { Identity, PersonIdentity } from "../authn/identity.ts";

/** Life of one token. */
export const ACCESS_ASSERTION_LIFETIME_MS = 300_000;
/** A token this old is replaced by the next request. */
const RENEW_AFTER_MS = 240_000;

/** One application as its origin knows it. */
export interface AccessAudience {
  /** AUD tag: 64 hexadecimal digits. */
  readonly tag: string;
}

export interface AccessKeys {
  signingKey(purpose: "access"): { readonly kid: string; readonly privateKey: KeyObject };
}

interface Slot {
  readonly nonce: string;
  token: string;
  kid: string;
  issuedAtMs: number;
  renewing: Promise<string> | undefined;
}

/** Tokens that can be asked about; the oldest is forgotten first. */
const MAX_ISSUED = 16_384;

/** By country, of which there are some 250: the only claim that changes with the request. */
type Slots = Map<string, Slot>;

export class AccessAssertionIssuer {
  readonly #issuer: string;
  readonly #keys: AccessKeys;
  readonly #clock: Clock;
  /** By audience object (one per application and configuration), then by identity object: collected with either. */
  readonly #known = new WeakMap<AccessAudience, WeakMap<Identity, Slots>>();
  /** By the token's SHA-256; insertion order is age. */
  readonly #issued = new Map<string, { readonly identity: Identity; readonly expiresAtMs: number }>();

  /** @param issuer the authUrl: what origins know as the team domain */
  constructor(issuer: string, keys: AccessKeys, clock: Clock) {
    this.#issuer = issuer;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** The current token; a promise where it has to be signed first. @param country ISO 3166-1 alpha-2, where known */
  get(audience: AccessAudience, identity: Identity, country: string | undefined): string | Promise<string> {
    const slot = this.#slot(audience, identity, country ?? "");
    const ageMs = this.#clock.now() - slot.issuedAtMs;
    if (ageMs >= 0 && ageMs < RENEW_AFTER_MS && slot.kid === this.#keys.signingKey("access").kid) return slot.token;
    slot.renewing ??= this.#sign(slot, audience, identity, country).finally(() => {
      slot.renewing = undefined;
    });
    return slot.renewing;
  }

  /** Who a token of this relay is about, while it is valid: exactly these bytes were given out, so no signature is looked at. */
  identityIn(token: string): Identity | undefined {
    const issued = this.#issued.get(hash("sha256", token, "base64url"));
    return issued !== undefined && this.#clock.now() < issued.expiresAtMs ? issued.identity : undefined;
  }

  #slot(audience: AccessAudience, identity: Identity, country: string): Slot {
    let byIdentity = this.#known.get(audience);
    if (byIdentity === undefined) this.#known.set(audience, (byIdentity = new WeakMap()));
    let slots = byIdentity.get(identity);
    if (slots === undefined) byIdentity.set(identity, (slots = new Map()));
    let slot = slots.get(country);
    if (slot === undefined) {
      const nonce = randomBytes(12).toString("base64url");
      slots.set(country, (slot = { nonce, token: "", kid: "", issuedAtMs: Number.NEGATIVE_INFINITY, renewing: undefined }));
    }
    return slot;
  }

  async #sign(slot: Slot, audience: AccessAudience, identity: Identity, country: string | undefined): Promise<string> {
    const nowMs = this.#clock.now();
    const nowS = Math.floor(nowMs / 1000);
    const { kid, privateKey } = this.#keys.signingKey("access");
    slot.token = await new SignJWT({ type: "app", ...claimsOf(identity, slot.nonce, country) })
      .setProtectedHeader({ alg: "RS256", kid, typ: ACCESS_ASSERTION_TYPE })
      .setIssuer(this.#issuer)
      .setAudience([audience.tag])
      .setIssuedAt(nowS)
      .setNotBefore(nowS)
      .setExpirationTime(nowS + ACCESS_ASSERTION_LIFETIME_MS / 1000)
      .sign(privateKey);
    slot.kid = kid;
    slot.issuedAtMs = nowMs;
    if (this.#issued.size >= MAX_ISSUED) this.#issued.delete(this.#issued.keys().next().value as string);
    this.#issued.set(hash("sha256", slot.token, "base64url"), { identity, expiresAtMs: nowMs + ACCESS_ASSERTION_LIFETIME_MS });
    return slot.token;
  }
}

/** A program is known by common_name and has an empty sub; a person has a sub that is a UUID, and no common_name. */
function claimsOf(identity: Identity, nonce: string, country: string | undefined): Record<string, unknown> {
  if (identity.kind === "service") return { common_name: identity.tokenId, sub: "" };
  return { email: identity.email, identity_nonce: nonce, sub: personUuid(identity), country };
}

/** The UUID of a person. */
export function personUuid({ provider, subject }: PersonIdentity): string {
  return accessSubject(`${provider}|${subject}`);
}

/** The tag that an application has without one in its configuration. @param url its public URL, without trailing slash */
export function accessTag(url: string): string {
  return hash("sha256", url, "hex");
}
