// The signed assertion that an origin and a connector verify: who is asking, for which application (A7, R-G4). Signed once per
// identity and application, renewed before it expires, so that no request pays for a signature. Must not know tunnels.

import type { Clock } from "@sallyport/shared/clock";
import { SignJWT } from "jose";
import type { KeyObject } from "node:crypto";
import { randomUUID } from "node:crypto";
import type { Identity } from "../authn/identity.ts";

/** typ of the JWS header: keeps assertions apart from every other token (R-G3). */
export const ASSERTION_TYPE = "sallyport-assertion+jwt";
/** Longest life of one token (R-G4). */
export const ASSERTION_LIFETIME_MS = 300_000;
/** A token this old is replaced by the next request; leaves a minute for requests under way. */
const RENEW_AFTER_MS = 240_000;

/** What an assertion is for. */
export interface AssertionAudience {
  /** The application's public origin plus its path. */
  readonly aud: string;
  readonly tunnel: string;
  readonly service: string;
}

export interface AssertionKeys {
  signingKey(purpose: "assertion"): { readonly kid: string; readonly privateKey: KeyObject };
}

/** One identity at one application. The object stays the same over renewals: connections refer to it by number. */
export class Assertion {
  token = "";
  kid = "";
  issuedAtMs: number = Number.NEGATIVE_INFINITY;
  renewing: Promise<void> | undefined;
}

/** An anonymous visitor of a bypass application has no identity object of its own. */
const NOBODY = {};

export class AssertionIssuer {
  readonly #issuer: string;
  readonly #keys: AssertionKeys;
  readonly #clock: Clock;
  /** By audience object (one per application and configuration), then by identity object: collected with either. */
  readonly #known = new WeakMap<AssertionAudience, WeakMap<object, Assertion>>();

  /** @param issuer the authUrl */
  constructor(issuer: string, keys: AssertionKeys, clock: Clock) {
    this.#issuer = issuer;
    this.#keys = keys;
    this.#clock = clock;
  }

  /**
   * The current assertion. Usually at hand; a promise where it has to be signed first.
   * `identity` undefined means a bypass.
   */
  get(audience: AssertionAudience, identity: Identity | undefined): Assertion | Promise<Assertion> {
    const assertion = this.#slot(audience, identity);
    const ageMs = this.#clock.now() - assertion.issuedAtMs;
    // A clock that was set back makes a token seem new for ever: a negative age renews too.
    if (ageMs >= 0 && ageMs < RENEW_AFTER_MS && assertion.kid === this.#keys.signingKey("assertion").kid) return assertion;
    assertion.renewing ??= this.#sign(assertion, audience, identity).finally(() => {
      assertion.renewing = undefined;
    });
    return assertion.renewing.then(() => assertion);
  }

  #slot(audience: AssertionAudience, identity: Identity | undefined): Assertion {
    let byIdentity = this.#known.get(audience);
    if (byIdentity === undefined) this.#known.set(audience, (byIdentity = new WeakMap()));
    const key = identity ?? NOBODY;
    let assertion = byIdentity.get(key);
    if (assertion === undefined) byIdentity.set(key, (assertion = new Assertion()));
    return assertion;
  }

  async #sign(assertion: Assertion, audience: AssertionAudience, identity: Identity | undefined): Promise<void> {
    const nowMs = this.#clock.now();
    const { kid, privateKey } = this.#keys.signingKey("assertion");
    const nowS = Math.floor(nowMs / 1000);
    const token = await new SignJWT({ tunnel: audience.tunnel, service: audience.service, ...identityClaims(identity) })
      .setProtectedHeader({ alg: "ES256", typ: ASSERTION_TYPE, kid })
      .setIssuer(this.#issuer)
      .setAudience(audience.aud)
      .setJti(randomUUID())
      .setIssuedAt(nowS)
      .setNotBefore(nowS)
      .setExpirationTime(nowS + ASSERTION_LIFETIME_MS / 1000)
      .sign(privateKey);
    assertion.token = token;
    assertion.kid = kid;
    assertion.issuedAtMs = nowMs;
  }
}

function identityClaims(identity: Identity | undefined): Record<string, unknown> {
  if (identity === undefined) return { kind: "bypass" };
  if (identity.kind === "service") return { kind: "service", sub: identity.tokenId, name: identity.name };
  const { provider, subject, email, name, groups } = identity;
  return { kind: "person", sub: `${provider}|${subject}`, email, name, groups };
}
