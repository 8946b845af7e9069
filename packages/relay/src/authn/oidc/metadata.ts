// A provider's discovery document (OpenID Connect Discovery 1.0), checked and remembered: used for an hour, then read
// again; where that fails the last one serves for 12 h. One request at a time, and a failure is not repeated at once.

import type { Clock } from "@sallyport/shared/clock";
import type { Secret } from "@sallyport/shared/secret";
import {
  ClientSecretBasic,
  ClientSecretPost,
  clockTolerance,
  type ClientAuth,
  type Configuration,
  customFetch,
  discovery,
} from "openid-client";
import { FETCH_TIMEOUT_MS, type ProviderFetch } from "../provider-fetch.ts";
import { ProviderRefusal } from "../provider-problem.ts";

const FRESH_MS = 3_600_000;
const MAX_STALE_MS: number = 12 * 3_600_000;
const RETRY_AFTER_MS = 5_000;
/** R-F5: clocks may differ by this much. */
export const CLOCK_TOLERANCE_S = 60;

export interface MetadataOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly algorithms: readonly string[];
  readonly fetch: ProviderFetch;
  readonly clock: Clock;
}

export class ProviderMetadata {
  readonly #options: MetadataOptions;
  #known: { readonly configuration: Configuration; readonly atMs: number } | undefined;
  #failure: { readonly error: unknown; readonly atMs: number } | undefined;
  #pending: Promise<Configuration> | undefined;

  constructor(options: MetadataOptions) {
    this.#options = options;
  }

  /** @throws what discovery failed with, where nothing usable is remembered */
  async current(): Promise<Configuration> {
    const nowMs = this.#options.clock.monotonic();
    const known = this.#known;
    if (known !== undefined && nowMs - known.atMs < FRESH_MS) return known.configuration;
    const usable = known !== undefined && nowMs - known.atMs < MAX_STALE_MS;
    if (this.#failure !== undefined && nowMs - this.#failure.atMs < RETRY_AFTER_MS) {
      if (usable) return known.configuration;
      throw this.#failure.error;
    }
    this.#pending ??= this.#discover().finally(() => (this.#pending = undefined));
    return usable ? await this.#pending.catch(() => known.configuration) : await this.#pending;
  }

  async #discover(): Promise<Configuration> {
    try {
      const configuration = await this.#read();
      this.#known = { configuration, atMs: this.#options.clock.monotonic() };
      this.#failure = undefined;
      return configuration;
    } catch (error) {
      this.#failure = { error, atMs: this.#options.clock.monotonic() };
      throw error;
    }
  }

  async #read(): Promise<Configuration> {
    const { issuer, clientId, clientSecret, fetch, algorithms } = this.#options;
    const metadata = { [clockTolerance]: CLOCK_TOLERANCE_S };
    const configuration = await discovery(new URL(issuer), clientId, metadata, clientAuthentication(clientSecret), {
      algorithm: "oidc",
      timeout: FETCH_TIMEOUT_MS / 1_000,
      [customFetch]: (url, { method, headers, body, signal }) => fetch(url, { method, headers, body: body as string, signal }),
    });
    checkMetadata(configuration, issuer, algorithms);
    return configuration;
  }
}

const REQUIRED = ["authorization_endpoint", "token_endpoint", "jwks_uri"] as const;
const OPTIONAL = ["userinfo_endpoint", "revocation_endpoint"] as const;

/** What openid-client takes on trust and we do not. */
function checkMetadata(configuration: Configuration, issuer: string, algorithms: readonly string[]): void {
  const metadata = configuration.serverMetadata();
  if (metadata.issuer !== issuer) refuse("the discovery document names another issuer than the configuration");
  for (const name of REQUIRED) if (!isHttps(metadata[name])) refuse(`the discovery document has no https ${name}`);
  for (const name of OPTIONAL)
    if (metadata[name] !== undefined && !isHttps(metadata[name])) refuse(`${name} of the discovery document is not https`);
  // Not advertised is not the same as not supported: Entra ID, for one, supports PKCE without saying so.
  if (excludes(metadata.code_challenge_methods_supported, ["S256"])) refuse("the provider supports no PKCE with S256 (R-F3)");
  if (excludes(metadata.response_types_supported, ["code"])) refuse("the provider supports no response type code");
  if (excludes(metadata["id_token_signing_alg_values_supported"] as readonly string[] | undefined, algorithms))
    refuse("the provider signs ID tokens with none of the configured algorithms");
}

function excludes(advertised: readonly string[] | undefined, wanted: readonly string[]): boolean {
  return Array.isArray(advertised) && !wanted.some((one) => advertised.includes(one));
}

function isHttps(endpoint: string | undefined): boolean {
  return endpoint !== undefined && URL.canParse(endpoint) && new URL(endpoint).protocol === "https:";
}

function refuse(message: string): never {
  throw new ProviderRefusal("provider-invalid", message);
}

/**
 * client_secret_post where it is advertised: for client_secret_basic RFC 6749 section 2.3.1 has id and secret form-encoded
 * first, and many providers take a `-` that became `%2D` for a wrong secret. Basic is what no advertisement means (OpenID
 * Connect Discovery section 3).
 */
function clientAuthentication(secret: Secret): ClientAuth {
  const basic = ClientSecretBasic(secret.reveal());
  const post = ClientSecretPost(secret.reveal());
  return (server, client, body, headers): void => {
    const usePost = server.token_endpoint_auth_methods_supported?.includes("client_secret_post") === true;
    if (usePost) post(server, client, body, headers);
    else basic(server, client, body, headers);
  };
}
