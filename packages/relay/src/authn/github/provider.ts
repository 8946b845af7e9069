// Sign-in with GitHub, which speaks OAuth 2.0 and no OpenID Connect: an authorization code with PKCE, then its REST API says
// who holds the token. Must not know sessions, cookies or pages.

import type { Clock } from "@sallyport/shared/clock";
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretPost,
  Configuration,
  customFetch,
  refreshTokenGrant,
  ResponseBodyError,
} from "openid-client";
import type { GithubProviderConfig } from "../../config/types.ts";
import { checkCallback } from "../oidc/callback.ts";
import { readHandle, writeHandle } from "../oidc/renewal-handle.ts";
import { TokenRotation } from "../oidc/rotation.ts";
import type { LoginAttempt, LoginResult, ProviderLogin, RedirectProvider, RefreshResult } from "../provider.ts";
import { FETCH_TIMEOUT_MS, type ProviderFetch } from "../provider-fetch.ts";
import { explainProblem, failedLogin } from "../provider-problem.ts";
import { type GithubApi, GithubTokenRefused, readGithubPerson } from "./api.ts";

/** Account, addresses, and membership of organisations and teams. */
const SCOPES = "read:user user:email read:org";
/** Tokens of OAuth apps do not expire; so that a lost one is not good for ever here. */
const MAX_TOKEN_AGE_MS: number = 30 * 86_400_000;

export interface GithubProviderOptions {
  readonly config: GithubProviderConfig;
  readonly clock: Clock;
  readonly fetch: ProviderFetch;
  readonly onProblem: (explanation: string) => void;
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token?: string;
}

export class GithubProvider implements RedirectProvider {
  readonly kind = "redirect";
  readonly name: string;
  readonly label: string;
  readonly canRefresh = true;
  readonly #options: GithubProviderOptions;
  readonly #api: GithubApi;
  readonly #configuration: Configuration;
  readonly #rotation: TokenRotation = new TokenRotation();

  constructor(options: GithubProviderOptions) {
    const { config, fetch } = options;
    this.name = config.name;
    this.label = config.label;
    this.#options = options;
    this.#api = { url: config.url === "https://github.com" ? "https://api.github.com" : `${config.url}/api/v3`, fetch };
    const server = {
      issuer: config.url,
      authorization_endpoint: `${config.url}/login/oauth/authorize`,
      token_endpoint: `${config.url}/login/oauth/access_token`,
    };
    this.#configuration = new Configuration(server, config.clientId, undefined, ClientSecretPost(config.clientSecret.reveal()));
    this.#configuration.timeout = FETCH_TIMEOUT_MS / 1_000;
    this.#configuration[customFetch] = async (url, { method, headers, body, signal }) =>
      await asOAuthError(await fetch(url, { method, headers, body: body as string, signal }));
  }

  async begin(attempt: LoginAttempt, redirectUri: string, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    return buildAuthorizationUrl(this.#configuration, {
      redirect_uri: redirectUri,
      scope: SCOPES,
      state: attempt.state,
      code_challenge: await calculatePKCECodeChallenge(attempt.codeVerifier),
      code_challenge_method: "S256",
    }).href;
  }

  async finish(attempt: LoginAttempt, callback: URL, signal?: AbortSignal): Promise<LoginResult> {
    signal?.throwIfAborted();
    try {
      checkCallback(callback);
      const tokens = await authorizationCodeGrant(this.#configuration, callback, {
        expectedState: attempt.state,
        pkceCodeVerifier: attempt.codeVerifier,
      });
      return { kind: "login", login: await this.#readLogin(tokens) };
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

  async #refresh(refreshToken: string, subject: string, successor: (handle: string) => void): Promise<RefreshResult> {
    const handle = readHandle(refreshToken);
    if (handle === undefined) return { kind: "unsupported" };
    try {
      if (handle.kind === "refresh-token") {
        const tokens = await refreshTokenGrant(this.#configuration, handle.token);
        const next = this.#handleOf(tokens);
        if (next !== undefined) successor(next);
        return sameSubject(await this.#readLogin(tokens), subject);
      }
      if (this.#options.clock.now() >= handle.expiresAtMs) return { kind: "unsupported" };
      const identity = await readGithubPerson(this.#api, handle.token);
      return sameSubject({ identity, refreshToken, providerSessionId: undefined }, subject);
    } catch (error) {
      const { explanation, oauthError } = explainProblem(error);
      this.#options.onProblem(`claims could not be renewed: ${explanation}`);
      const gone = error instanceof GithubTokenRefused || (error instanceof ResponseBodyError && oauthError === "bad_refresh_token");
      return { kind: gone ? "ended" : "unreachable" };
    }
  }

  /** Takes the token back at GitHub, where it would live on. */
  async revoke(refreshToken: string): Promise<void> {
    const handle = readHandle(refreshToken);
    if (handle?.kind !== "access-token") return;
    const { clientId, clientSecret } = this.#options.config;
    try {
      await this.#options.fetch(`${this.#api.url}/applications/${encodeURIComponent(clientId)}/token`, {
        method: "DELETE",
        headers: {
          accept: "application/vnd.github+json",
          authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret.reveal()}`).toString("base64")}`,
          "content-type": "application/json",
          "user-agent": "sallyport",
        },
        body: JSON.stringify({ access_token: handle.token }),
      });
    } catch (error) {
      this.#options.onProblem(`a token could not be revoked: ${explainProblem(error).explanation}`);
    }
  }

  /** GitHub has none. */
  backChannelLogout(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async #readLogin(tokens: Tokens): Promise<ProviderLogin> {
    const identity = await readGithubPerson(this.#api, tokens.access_token);
    return { identity, refreshToken: this.#handleOf(tokens), providerSessionId: undefined };
  }

  /** GitHub Apps give refresh tokens; the tokens of OAuth apps last. */
  #handleOf({ access_token: accessToken, refresh_token: refreshToken }: Tokens): string | undefined {
    if (refreshToken !== undefined) return writeHandle({ kind: "refresh-token", token: refreshToken });
    return writeHandle({ kind: "access-token", token: accessToken, expiresAtMs: this.#options.clock.now() + MAX_TOKEN_AGE_MS });
  }
}

/** GitHub answers errors of the token endpoint with status 200; RFC 6749 section 5.2 has 400. */
async function asOAuthError(response: Response): Promise<Response> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  const isError = typeof body === "object" && body !== null && typeof (body as { readonly error?: unknown }).error === "string";
  return isError && response.ok ? Response.json(body, { status: 400 }) : response;
}

function sameSubject(login: ProviderLogin, subject: string): RefreshResult {
  return login.identity.subject === subject ? { kind: "claims", login } : { kind: "ended" };
}
