// The usual bed of an end-to-end test: one relay, one connector, one published application per service.

import { startConnector } from "./connector.ts";
import type { Connector, Service } from "./connector.ts";
import { startRelay } from "./relay.ts";
import type { Relay } from "./relay.ts";
import type { Authority } from "./tls.ts";
import { createAuthority } from "./tls.ts";
import { scratchFolder } from "./scratch.ts";

export interface BedOptions {
  /** Application name = service name -> origin. All are public unless named in `protect`. */
  readonly services: Readonly<Record<string, Service>>;
  /** Applications that need a service token. */
  readonly protect?: readonly string[];
  /** Serves TLS and HTTP/2 with a certificate of a test authority. */
  readonly tls?: boolean;
  readonly connectorArgs?: readonly string[];
}

export interface Bed {
  readonly relay: Relay;
  readonly connector: Connector;
  /** Only with `tls`. */
  readonly authority: Authority | undefined;
}

export async function createBed(stack: AsyncDisposableStack, options: BedOptions): Promise<Bed> {
  const authority = options.tls === true ? await createAuthority(scratchFolder(stack, "sallyport-ca")) : undefined;
  const tls = await authority?.issue("relay", ["*.relay.localhost"]);
  const applications = Object.keys(options.services).map((name) => ({
    name,
    policies: [options.protect?.includes(name) === true ? "programs" : "public"],
  }));
  const relay = await startRelay(stack, { applications, ...(tls === undefined ? {} : { tls }) });
  const connector = await startConnector(stack, relay, {
    services: options.services,
    args: options.connectorArgs ?? [],
    env: authority === undefined ? {} : { NODE_EXTRA_CA_CERTS: authority.caFile },
  });
  return { relay, connector, authority };
}
