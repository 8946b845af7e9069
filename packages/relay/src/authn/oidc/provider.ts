// Sign-in with an OpenID Connect provider (authorization code flow with PKCE, Core section 3.1): the browser goes there
// and comes back with a code, which is exchanged for tokens that say who it is. Must not know sessions, cookies or pages.

import type { Clock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  type Configuration,
  fetchUserInfo,
  refreshTokenGrant,
  ResponseBodyError,
  tokenRevocation,
  WWWAuthenticateChallengeError,
} from "openid-client";
import type { OidcProviderConfig } from "../../config/types.ts";
import { identityFromClaims } from "../claims.ts";
import type { LoginAttempt, LoginResult, ProviderLogin, RedirectProvider, RefreshResult } from "../provider.ts";
import type { ProviderFetch } from "../provider-fetch.ts";
import { explainProblem, failedLogin, ProviderRefusal } from "../provider-problem.ts";
import { checkCallback } from "./callback.ts";
import { type TokenRules, verifyIdToken } from "./id-token.ts";
import { ProviderKeys } from "./keys.ts";
import { type LoggedOut, LogoutTokens } from "./logout-token.ts";
import { ProviderMetadata } from "./metadata.ts";
import { type PersonRules, readPerson } from "./person.ts";
import { readHandle, writeHandle } from "./renewal-handle.ts";
import { TokenRotation } from "./rotation.ts";

export interface OidcProviderOptions {
  readonly config: OidcProviderConfig;
  /** Parameters of the authorization request and Graph, from the preset. */
  readonly habits: { readonly authorizationParameters: Readonly<Record<string, string>>; readonly groupsOverage: boolean };
  readonly clock: Clock;
  readonly fetch: ProviderFetch;
  /** Told what an operator should know; never holds a token. */
  readonly onProblem: (explanation: string) => void;
}

type Tokens = Pick<Awaited<ReturnType<typeof refreshTokenGrant>>, "access_token" | "id_token" | "refresh_token" | "expires_in">;

/** Of an access token whose answer does not say. */
const DEFAULT_ACCESS_TOKEN_S = 300;

export class OidcProvider implements RedirectProvider {
  readonly kind = "redirect";
  readonly name: string;
  readonly label: string;
  readonly canRefresh: boolean;
  readonly #options: OidcProviderOptions;
  readonly #metadata: ProviderMetadata;
  readonly #keys: ProviderKeys;
  readonly #logoutTokens: LogoutTokens;
  readonly #personRules: PersonRules;
  readonly #rotation: TokenRotation = new TokenRotation();

  constructor(options: OidcProviderOptions) {
    const { config, clock, fetch, habits } = options;
    this.name = config.name;
    this.label = config.label;
    this.canRefresh = config.scopes.includes("offline_access") || config.preset !== undefined;
    this.#options = options;
    this.#metadata = new ProviderMetadata({ ...config, clock, fetch });
    this.#keys = new ProviderKeys(fetch, clock);
    this.#logoutTokens = new LogoutTokens(clock);
    const verifiedEmailOnly = config.emailVerified === "required";
    this.#personRules = { issuer: config.issuer, groupsClaim: config.groupsClaim, verifiedEmailOnly, groupsOverage: habits.groupsOverage };
  }

  async begin(attempt: LoginAttempt, redirectUri: string, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    const { config, habits } = this.#options;
    const parameters = {
      ...habits.authorizationParameters,
      ...config.authorizationParameters,
      redirect_uri: redirectUri,
      scope: config.scopes.join(" "),
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await calculatePKCECodeChallenge(attempt.codeVerifier),
      code_challenge_method: "S256",
    };
    try {
      return buildAuthorizationUrl(await this.#metadata.current(), parameters).href;
    } catch (error) {
      throw this.#fault(error);
    }
  }

  async finish(attempt: LoginAttempt, callback: URL, signal?: AbortSignal): Promise<LoginResult> {
    signal?.throwIfAborted();
    try {
      checkCallback(callback);
      const configuration = await this.#metadata.current();
      const tokens = await authorizationCodeGrant(configuration, callback, {
        expectedState: attempt.state,
        expectedNonce: attempt.nonce,
        pkceCodeVerifier: attempt.codeVerifier,
        idTokenExpected: true,
      });
      return { kind: "login", login: await this.#readLogin(configuration, tokens, attempt.nonce) };
    } catch (error) {
      const problem = explainProblem(error);
      this.#options.onProblem(`sign-in failed: ${problem.explanation}`);
      return failedLogin(problem);
    }
  }

  async refresh(refreshToken: string | undefined, subject: string, signal?: AbortSignal): Promise<RefreshResult> {
    if (refreshToken === undefined) return { kind: "unsupported" };
    return await this.#rotation.renew(refreshToken, signal, (current, successor) => this.#refresh(current, subject, successor));
  }

  async revoke(refreshToken: string): Promise<void> {
    const handle = readHandle(refreshToken);
    if (handle === undefined) return;
    try {
      const configuration = await this.#metadata.current();
      if (configuration.serverMetadata().revocation_endpoint === undefined) return;
      const hint = handle.kind === "refresh-token" ? "refresh_token" : "access_token";
      await tokenRevocation(configuration, handle.token, { token_type_hint: hint });
    } catch (error) {
      this.#options.onProblem(`a token could not be revoked: ${explainProblem(error).explanation}`);
    }
  }

  async backChannelLogout(logoutToken: string): Promise<LoggedOut | undefined> {
    try {
      return await this.#logoutTokens.accept(logoutToken, this.#tokenRules(await this.#metadata.current()));
    } catch (error) {
      this.#options.onProblem(`a logout token was refused: ${explainProblem(error).explanation}`);
      return undefined;
    }
  }

  async #readLogin(configuration: Configuration, tokens: Tokens, nonce: string): Promise<ProviderLogin> {
    const accessToken = tokens.access_token;
    const idToken = await verifyIdToken(tokens.id_token ?? "", this.#tokenRules(configuration), { nonce, accessToken, subject: undefined });
    const subject = idToken.sub as string;
    const person = await readPerson(configuration, { accessToken, idToken, subject }, this.#personRules, this.#options.fetch);
    const { sid } = idToken as { readonly sid?: unknown };
    return {
      identity: person.identity,
      refreshToken: this.#handleOf(tokens, person.userinfoSuffices),
      providerSessionId: typeof sid === "string" && sid.length <= 255 ? sid : undefined,
    };
  }

  #handleOf(tokens: Tokens, userinfoSuffices: boolean): string | undefined {
    if (tokens.refresh_token !== undefined) return writeHandle({ kind: "refresh-token", token: tokens.refresh_token });
    if (!userinfoSuffices) return undefined;
    const expiresAtMs = this.#options.clock.now() + Math.floor((tokens.expires_in ?? DEFAULT_ACCESS_TOKEN_S) * 1_000);
    return writeHandle({ kind: "access-token", token: tokens.access_token, expiresAtMs });
  }

  async #refresh(refreshToken: string, subject: string, successor: (handle: string) => void): Promise<RefreshResult> {
    const handle = readHandle(refreshToken);
    if (handle === undefined) return { kind: "unsupported" };
    try {
      const configuration = await this.#metadata.current();
      if (handle.kind === "refresh-token") return await this.#useRefreshToken(configuration, handle.token, subject, successor);
      if (this.#options.clock.now() >= handle.expiresAtMs) return { kind: "unsupported" };
      const identity = identityFromClaims(await fetchUserInfo(configuration, handle.token, subject), this.#personRules);
      return { kind: "claims", login: { identity, refreshToken, providerSessionId: undefined } };
    } catch (error) {
      return this.#refreshFailed(error);
    }
  }

  async #useRefreshToken(
    configuration: Configuration,
    token: string,
    subject: string,
    successor: (handle: string) => void,
  ): Promise<RefreshResult> {
    const tokens = await refreshTokenGrant(configuration, token);
    const refreshToken = writeHandle({ kind: "refresh-token", token: tokens.refresh_token ?? token });
    if (refreshToken !== undefined) successor(refreshToken);
    const accessToken = tokens.access_token;
    const expected = { nonce: undefined, accessToken, subject };
    const idToken =
      tokens.id_token === undefined ? undefined : await verifyIdToken(tokens.id_token, this.#tokenRules(configuration), expected);
    const { identity } = await readPerson(configuration, { accessToken, idToken, subject }, this.#personRules, this.#options.fetch);
    return { kind: "claims", login: { identity, refreshToken, providerSessionId: undefined } };
  }

  #refreshFailed(error: unknown): RefreshResult {
    const { explanation, oauthError } = explainProblem(error);
    this.#options.onProblem(`claims could not be renewed: ${explanation}`);
    const gone = error instanceof ResponseBodyError && oauthError === "invalid_grant";
    // An access token that is refused within its time was taken back.
    const refused = error instanceof WWWAuthenticateChallengeError && error.status === 401;
    return { kind: gone || refused ? "ended" : "unreachable" };
  }

  #tokenRules(configuration: Configuration): TokenRules {
    const { issuer, clientId, algorithms } = this.#options.config;
    const { jwks_uri: jwksUri } = configuration.serverMetadata();
    if (jwksUri === undefined) throw new ProviderRefusal("provider-invalid", "the discovery document has no jwks_uri");
    return { issuer, clientId, algorithms, jwksUri, keys: this.#keys, clock: this.#options.clock };
  }

  /** Without `cause`: it may hold what the provider answered. */
  #fault(error: unknown): SallyportError {
    const { problem, explanation } = explainProblem(error);
    const retryable = problem === "provider-unreachable";
    const code = retryable ? "ERR_PROVIDER_UNREACHABLE" : "ERR_PROVIDER_INVALID";
    this.#options.onProblem(`sign-in cannot begin: ${explanation}`);
    return new SallyportError(code, `identity provider ${this.name}: ${explanation}`, { retryable });
  }
}
