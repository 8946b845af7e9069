// Which host names ask for a client certificate, and whose certificates they believe (A23): from the configuration, by the
// same rule by which routes are found. The listener asks it at the handshake, the pipeline at each request, and where the
// two differ the request is on the wrong connection (R-B5). Must not know sockets or policies.

import { createHash } from "node:crypto";
import type { ClientAuthorityConfig, RelayConfig } from "../config/types.ts";

export class ClientAuthorities {
  readonly #exact = new Map<string, ClientAuthorityConfig | undefined>();
  /** By the part behind `*.`. */
  readonly #wildcard = new Map<string, ClientAuthorityConfig>();
  /** Equal for equal rules: tells a listener that nothing changed. */
  readonly id: string;
  /** The distinct bundles. */
  readonly all: readonly ClientAuthorityConfig[];

  constructor({ authUrl, applications }: Pick<RelayConfig, "authUrl" | "applications">) {
    // A host that is named exactly is not covered by a wildcard as well, as in route.ts.
    this.#exact.set(authUrl.hostname, undefined);
    const hash = createHash("sha256");
    for (const { hostname, clientCertificates } of applications) {
      if (hostname.startsWith("*.")) {
        if (clientCertificates !== undefined) this.#wildcard.set(hostname.slice(2), clientCertificates);
      } else this.#exact.set(hostname, clientCertificates ?? this.#exact.get(hostname));
    }
    for (const [hostname, authority] of this.#exact) hash.update(`${hostname} ${authority?.id ?? ""}\n`);
    for (const [suffix, { id }] of this.#wildcard) hash.update(`*.${suffix} ${id}\n`);
    this.id = hash.digest("hex");
    const both = [...this.#exact.values(), ...this.#wildcard.values()].filter((authority) => authority !== undefined);
    this.all = [...new Map(both.map((authority) => [authority.id, authority])).values()];
  }

  /** undefined: connections to this name are not asked for a certificate. Upper and lower case are one. */
  of(hostname: string | undefined): ClientAuthorityConfig | undefined {
    if (hostname === undefined || this.all.length === 0) return undefined;
    const name = hostname.toLowerCase();
    if (this.#exact.has(name)) return this.#exact.get(name);
    const dot = name.indexOf(".");
    return dot < 0 ? undefined : this.#wildcard.get(name.slice(dot + 1));
  }
}
