// The configuration a connector runs with: every reference followed, every default filled in. Immutable; a reload
// makes a new one.

import type { Requirement } from "../gate/require.ts";
import type { ServiceOptions } from "../origin/options.ts";
import type { ProxySetting } from "../tunnel/proxy.ts";
import type { SocketAddress } from "./values.ts";

/** Names are the keys; an empty map serves nothing. */
export type Services = ReadonlyMap<string, ServiceOptions>;

export interface ConnectorConfig {
  /** Origin the configuration names for the relay; undefined: the credential's. */
  readonly relay: string | undefined;
  /** Where the credential is, when the configuration says so. */
  readonly credential: CredentialSource | undefined;
  /** 1 to 16. */
  readonly connections: number;
  readonly admin: SocketAddress | undefined;
  /** PEM, trusted for the relay beside the usual authorities. */
  readonly ca: string | undefined;
  readonly proxy: ProxySetting;
  readonly services: Services;
  /** Demands per service, its own and those for all; every one has to be met. No entry: none. */
  readonly requirements: ReadonlyMap<string, readonly Requirement[]>;
}

/** `path` is absolute, or relative to the working folder. `name` is an environment variable holding the file's text. */
export type CredentialSource = { readonly kind: "file"; readonly path: string } | { readonly kind: "env"; readonly name: string };
