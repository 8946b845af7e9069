// For unit tests of OpenID Connect: a provider that answers out of memory whatever a test wants it to, right or wrong.
// What a right provider does is tested with a real one in tests/conformance. Imported by tests only.

import { createHash } from "node:crypto";
import { ManualClock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import { Secret } from "@sallyport/shared/secret";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { OIDC_PRESETS } from "../../config/provider-presets.ts";
import type { OidcPreset, OidcProviderConfig } from "../../config/types.ts";
import type { LoginAttempt, LoginResult } from "../provider.ts";
import type { ProviderFetch, ProviderRequest } from "../provider-fetch.ts";
import { OidcProvider } from "./provider.ts";

export const ATTEMPT: LoginAttempt = { state: "state-of-the-attempt", nonce: "nonce-of-the-attempt", codeVerifier: "v".repeat(43) };
const CALLBACK = "https://auth.example.com/callback/corp";

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export async function signingKey(alg = "ES256", kid = "k1"): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

const shared = await signingKey();

export class FakeProvider {
  readonly clock: ManualClock = new ManualClock(Date.now());
  readonly issuer: string;
  /** What each URL answers; the defaults are those of a right provider. */
  readonly answers: Map<string, (request: ProviderRequest) => Response | Promise<Response>> = new Map();
  readonly requests: { readonly url: string; readonly request: ProviderRequest }[] = [];
  readonly problems: string[] = [];
  readonly discovery: Record<string, unknown>;
  key: SigningKey = shared;
  idToken: JWTPayload;
  /** Members of the token answer beside the ID token. */
  tokens: Record<string, unknown> = { access_token: "access-token", token_type: "Bearer", expires_in: 3600 };

  constructor(discovery?: Readonly<Record<string, unknown>>) {
    this.discovery = { ...(discovery ?? plainDiscovery("https://idp.example.com")) };
    this.issuer = this.discovery["issuer"] as string;
    this.idToken = { iss: this.issuer, sub: "248289761001", aud: "client", nonce: ATTEMPT.nonce, ...this.times() };
    const endpoint = (name: string): string => this.discovery[name] as string;
    this.answers.set(`${this.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, () => Response.json(this.discovery));
    this.answers.set(endpoint("jwks_uri"), () => Response.json({ keys: [this.key.publicJwk] }));
    this.answers.set(endpoint("token_endpoint"), async () => Response.json({ id_token: await this.sign(this.idToken), ...this.tokens }));
  }

  times(): { readonly iat: number; readonly exp: number } {
    const now = Math.floor(this.clock.now() / 1_000);
    return { iat: now, exp: now + 300 };
  }

  /** Answers userinfo; undefined removes the endpoint. */
  setUserinfo(claims: Readonly<Record<string, unknown>>): void {
    this.answers.set(this.discovery["userinfo_endpoint"] as string, () => Response.json(claims));
  }

  async sign(payload: JWTPayload, header: Readonly<Record<string, unknown>> = {}, key: SigningKey = this.key): Promise<string> {
    return await new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);
  }

  count(url: string): number {
    return this.requests.filter((request) => request.url === url).length;
  }

  get fetch(): ProviderFetch {
    return async (url, request) => {
      this.requests.push({ url, request });
      const answer = this.answers.get(url);
      if (answer === undefined) throw new SallyportError("ERR_PROVIDER_UNREACHABLE", `nothing answers ${url}`, { retryable: true });
      return await answer(request);
    };
  }

  provider(options: Partial<OidcProviderConfig> = {}): OidcProvider {
    const habits = options.preset === undefined ? { authorizationParameters: {}, groupsOverage: false } : OIDC_PRESETS[options.preset];
    const config = { ...plainConfig(this.issuer), ...options };
    return new OidcProvider({ config, habits, clock: this.clock, fetch: this.fetch, onProblem: (text) => void this.problems.push(text) });
  }

  /** As the preset's defaults have it. */
  presetProvider(preset: OidcPreset, options: Partial<OidcProviderConfig> = {}): OidcProvider {
    const { label, scopes, groupsClaim } = OIDC_PRESETS[preset];
    return this.provider({ preset, label, scopes, groupsClaim, ...options });
  }
}

export function callbackUrl(parameters: Readonly<Record<string, string>> = { code: "code", state: ATTEMPT.state }): URL {
  return new URL(`${CALLBACK}?${new URLSearchParams(parameters).toString()}`);
}

/** The whole result in a few words: what most tests look at. */
export async function outcome(result: Promise<LoginResult>): Promise<string> {
  const settled = await result;
  return settled.kind === "login" ? `login ${settled.login.identity.subject}` : settled.problem;
}

export function atHash(accessToken: string, digest = "sha256"): string {
  const whole = createHash(digest).update(accessToken).digest();
  return whole.subarray(0, whole.length / 2).toString("base64url");
}

function plainDiscovery(issuer: string): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    revocation_endpoint: `${issuer}/revoke`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256", "RS256"],
    code_challenge_methods_supported: ["S256"],
  };
}

function plainConfig(issuer: string): OidcProviderConfig {
  return {
    type: "oidc",
    name: "corp",
    label: "Corp",
    preset: undefined,
    issuer,
    clientId: "client",
    clientSecret: new Secret("client-secret"),
    scopes: ["openid", "profile", "email"],
    groupsClaim: "groups",
    algorithms: ["RS256", "PS256", "ES256", "EdDSA"],
    emailVerified: "required",
    authorizationParameters: {},
    allowPrivateNetwork: false,
  };
}
