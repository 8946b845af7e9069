// The identity providers of a configuration, by name. A provider whose configuration did not change survives a reload with
// what it remembers: discovery, keys, PINs on their way. Must not know who uses them.

import { createHash } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { Secret } from "@sallyport/shared/secret";
import { OIDC_PRESETS } from "../config/provider-presets.ts";
import type { IdentityProviderConfig, OidcProviderConfig, OneTimePinProviderConfig } from "../config/types.ts";
import { GithubProvider } from "./github/provider.ts";
import { type PinDelivery, smtpDelivery } from "./one-time-pin/mail.ts";
import { OneTimePinProvider } from "./one-time-pin/provider.ts";
import { OidcProvider } from "./oidc/provider.ts";
import type { IdentityProvider } from "./provider.ts";
import { createProviderFetch, type ProviderFetch, type ProviderNetwork } from "./provider-fetch.ts";

export interface ProviderDeps {
  readonly clock: Clock;
  /** Public origin where people sign in: named in mails. */
  readonly authUrl: string;
  /** For the log: what an operator should know. The text holds no token, code or secret. */
  readonly onProblem: (provider: string, explanation: string) => void;
  /** Prints a line where the relay runs, for PINs with delivery `terminal`. */
  readonly showOnTerminal: (line: string) => void;
  /** Default: the system's resolver and certificate authorities. */
  readonly network?: ProviderNetwork;
}

export type IdentityProviders = ReadonlyMap<string, IdentityProvider>;

const fingerprints = new WeakMap<IdentityProvider, string>();

/** Reaches nothing yet. @param previous providers to keep where nothing about them changed; `deps` must be the same then */
export function createProviders(
  configs: readonly IdentityProviderConfig[],
  deps: ProviderDeps,
  previous?: IdentityProviders,
): IdentityProviders {
  return new Map(
    configs.map((config) => {
      const fingerprint = fingerprintOf(config);
      const known = previous?.get(config.name);
      const provider = known !== undefined && fingerprints.get(known) === fingerprint ? known : createProvider(config, deps);
      fingerprints.set(provider, fingerprint);
      return [config.name, provider] as const;
    }),
  );
}

function createProvider(config: IdentityProviderConfig, deps: ProviderDeps): IdentityProvider {
  const onProblem = (explanation: string): void => deps.onProblem(config.name, explanation);
  const { clock } = deps;
  switch (config.type) {
    case "oidc":
      return new OidcProvider({ config, habits: habitsOf(config), clock, fetch: fetchFor(config, deps), onProblem });
    case "github":
      return new GithubProvider({ config, clock, fetch: fetchFor(config, deps), onProblem });
    case "one-time-pin":
      return new OneTimePinProvider({ config, clock, authUrl: deps.authUrl, deliver: deliveryOf(config, deps), onProblem });
  }
}

function habitsOf({ preset }: OidcProviderConfig): {
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly groupsOverage: boolean;
} {
  return preset === undefined ? { authorizationParameters: {}, groupsOverage: false } : OIDC_PRESETS[preset];
}

function fetchFor({ allowPrivateNetwork }: { readonly allowPrivateNetwork: boolean }, deps: ProviderDeps): ProviderFetch {
  return createProviderFetch({ ...deps.network, allowPrivateNetwork });
}

function deliveryOf({ smtp, name }: OneTimePinProviderConfig, deps: ProviderDeps): PinDelivery {
  const ca = deps.network?.ca;
  if (smtp !== undefined) return smtpDelivery(smtp, ca === undefined ? {} : { ca });
  return ({ email, pin }) => Promise.resolve(deps.showOnTerminal(`Code for ${email} (${name}): ${pin}`));
}

function fingerprintOf(config: IdentityProviderConfig): string {
  return createHash("sha256")
    .update(JSON.stringify(revealed(config)))
    .digest("base64");
}

/** As plain values, secrets included: a rotated one makes another provider. Never leaves this file. */
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal();
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).map(([key, inner]) => [key, revealed(inner)]);
}
