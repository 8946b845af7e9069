// A provider's public keys (RFC 7517), remembered. An unknown key id leads to one request per 30 s, however many tokens
// name unknown ones; keys are read again after 10 min, and serve for at most 12 h where the provider is down (R-F7).

import type { Clock } from "@sallyport/shared/clock";
import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from "jose";
import type { ProviderFetch } from "../provider-fetch.ts";
import { ProviderRefusal } from "../provider-problem.ts";

const FRESH_MS = 600_000;
const MAX_STALE_MS: number = 12 * 3_600_000;
const REQUEST_EVERY_MS = 30_000;
const MAX_KEYS = 100;

type KeySet = ReturnType<typeof createLocalJWKSet>;
export type VerificationKey = Awaited<ReturnType<KeySet>>;

export class ProviderKeys {
  readonly #fetch: ProviderFetch;
  readonly #clock: Clock;
  #keys: { readonly set: KeySet; readonly uri: string; readonly atMs: number } | undefined;
  #requestedAtMs = Number.NEGATIVE_INFINITY;
  #failure: Error | undefined;
  #pending: Promise<KeySet> | undefined;

  constructor(fetch: ProviderFetch, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** The key that a token's header names. @throws when there is none, or the keys cannot be read */
  async find(uri: string, header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<VerificationKey> {
    const set = await this.#current(uri);
    try {
      return await set(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#mayRequest()) throw error;
      return await (
        await this.#request(uri)
      )(header, token);
    }
  }

  async #current(uri: string): Promise<KeySet> {
    const ageMs = this.#keys?.uri === uri ? this.#clock.monotonic() - this.#keys.atMs : Number.POSITIVE_INFINITY;
    const known = ageMs < MAX_STALE_MS ? this.#keys?.set : undefined;
    if (known !== undefined && (ageMs < FRESH_MS || !this.#mayRequest())) return known;
    if (known !== undefined) return await this.#request(uri).catch(() => known);
    if (this.#pending === undefined && this.#failure !== undefined && !this.#mayRequest()) throw this.#failure;
    return await this.#request(uri);
  }

  #mayRequest(): boolean {
    return this.#pending !== undefined || this.#clock.monotonic() - this.#requestedAtMs >= REQUEST_EVERY_MS;
  }

  #request(uri: string): Promise<KeySet> {
    this.#requestedAtMs = this.#pending === undefined ? this.#clock.monotonic() : this.#requestedAtMs;
    this.#pending ??= this.#read(uri)
      .then((set) => {
        this.#keys = { set, uri, atMs: this.#clock.monotonic() };
        this.#failure = undefined;
        return set;
      })
      .catch((error: unknown) => {
        this.#failure = error instanceof Error ? error : new Error("fetching keys failed", { cause: error });
        throw error;
      })
      .finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  async #read(uri: string): Promise<KeySet> {
    const response = await this.#fetch(uri, { method: "GET", headers: { accept: "application/json, application/jwk-set+json" } });
    if (response.status !== 200)
      throw new ProviderRefusal("provider-unreachable", `the provider's keys are answered with status ${response.status}`);
    try {
      const { keys } = (await response.json()) as JSONWebKeySet;
      // jose would take a symmetric key from the set; nothing public can be one (R-F5).
      const usable = keys.filter(({ kty }) => kty === "RSA" || kty === "EC" || kty === "OKP").slice(0, MAX_KEYS);
      return createLocalJWKSet({ keys: usable });
    } catch {
      throw new ProviderRefusal("provider-invalid", "the provider's keys are no JSON Web Key Set");
    }
  }
}
