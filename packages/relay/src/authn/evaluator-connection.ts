// The way to an external evaluator (A12): the same bounded fetch and the same care with keys as for identity providers
// (R-F7), and less patience, since a visitor waits. Must not know what is asked.

import type { Clock } from "@sallyport/shared/clock";
import { ProviderKeys } from "./oidc/keys.ts";
import { createProviderFetch, type ProviderFetch, type ProviderNetwork } from "./provider-fetch.ts";

/** For one whole exchange: the answer, or the evaluator's keys. */
const EVALUATION_TIMEOUT_MS = 5_000;

export interface EvaluatorAddress {
  readonly allowPrivateNetwork?: boolean | undefined;
}

export function connectEvaluator(
  { allowPrivateNetwork = false }: EvaluatorAddress,
  clock: Clock,
  network: ProviderNetwork,
): { readonly fetch: ProviderFetch; readonly keys: ProviderKeys } {
  const fetch = createProviderFetch({ ...network, allowPrivateNetwork, timeoutMs: EVALUATION_TIMEOUT_MS });
  return { fetch, keys: new ProviderKeys(fetch, clock) };
}
