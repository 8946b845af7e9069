// Step 2 of the data path: host and path to one application. Look-ups only, so that 10,000 applications cost what ten do
// (I2). Every reading of an ambiguous path must lead to the same place (R-A3). Must not know identities or policies.

import { isReservedPath, readingsWithin } from "@sallyport/shared/http/path-prefix";

/** What routing needs of an application. */
export interface Routable {
  /** Canonical; `*.` in front stands for exactly one label. */
  readonly hostname: string;
  /** Normalised prefix: `/`, or `/a/b` without trailing slash. */
  readonly path: string;
  /** Whose reserved paths belong to the relay on this host as well. */
  readonly compatibility?: "cloudflare-access" | undefined;
}

/** Reserved on hosts with an application that keeps the Cloudflare Access contract. */
export const ACCESS_PREFIX = "/cdn-cgi/access";

export type Route<A> =
  | { readonly kind: "application"; readonly application: A }
  /** The relay's own paths below /.sallyport/ (and /cdn-cgi/access/ where that is one) on an application's host. */
  | { readonly kind: "reserved" }
  /** Nothing is published at this host: 421. */
  | { readonly kind: "unknown-host" }
  /** The host is known, but no application covers the path: denied. */
  | { readonly kind: "no-application" }
  /** Readings of the path lead to different applications. */
  | { readonly kind: "ambiguous" };

const UNKNOWN_HOST: Route<never> = { kind: "unknown-host" };
const NO_APPLICATION: Route<never> = { kind: "no-application" };
const AMBIGUOUS: Route<never> = { kind: "ambiguous" };
const RESERVED: Route<never> = { kind: "reserved" };

/** The applications of one host by path. */
class HostRoutes<A extends Routable> {
  readonly #byPath = new Map<string, Route<A>>();
  /** Whether /cdn-cgi/access/ is the relay's here. */
  access = false;

  add(application: A): void {
    this.access ||= application.compatibility === "cloudflare-access";
    this.#byPath.set(application.path, { kind: "application", application });
  }

  /** The longest prefix on a segment border; linear in the path's length. */
  find(pathname: string): Route<A> {
    if (this.#byPath.size === 1) {
      const root = this.#byPath.get("/");
      if (root !== undefined) return root;
    }
    for (let end = pathname.length; end > 0; end = pathname.lastIndexOf("/", end - 1)) {
      const found = this.#byPath.get(pathname.slice(0, end));
      if (found !== undefined) return found;
    }
    return this.#byPath.get("/") ?? NO_APPLICATION;
  }
}

/**
 * All applications of one configuration. The most specific wins outright, host first: a host that is named exactly is
 * not covered by a wildcard as well, whatever its paths, so that adding `admin.example.com/ui` never opens the rest of it.
 */
export class RouteTable<A extends Routable> {
  readonly #exact = new Map<string, HostRoutes<A>>();
  /** By the part behind `*.`. */
  readonly #wildcard = new Map<string, HostRoutes<A>>();

  constructor(applications: Iterable<A>) {
    for (const application of applications) {
      const wildcard = application.hostname.startsWith("*.");
      const hosts = wildcard ? this.#wildcard : this.#exact;
      const key = wildcard ? application.hostname.slice(2) : application.hostname;
      let routes = hosts.get(key);
      if (routes === undefined) hosts.set(key, (routes = new HostRoutes()));
      routes.add(application);
    }
  }

  knows(hostname: string): boolean {
    return this.#hostRoutes(hostname) !== undefined;
  }

  /** @param readings decoded pathnames, at least one */
  find(hostname: string, readings: readonly string[]): Route<A> {
    const routes = this.#hostRoutes(hostname);
    if (routes === undefined) return UNKNOWN_HOST;
    const reserved = isReservedPath(readings);
    if (reserved !== "none") return reserved === "all" ? RESERVED : AMBIGUOUS;
    const access = routes.access ? readingsWithin(readings, ACCESS_PREFIX) : "none";
    if (access !== "none") return access === "all" ? RESERVED : AMBIGUOUS;
    const first = routes.find(readings[0] as string);
    for (let i = 1; i < readings.length; i++) {
      if (routes.find(readings[i] as string) !== first) return AMBIGUOUS;
    }
    return first;
  }

  #hostRoutes(hostname: string): HostRoutes<A> | undefined {
    const exact = this.#exact.get(hostname);
    if (exact !== undefined || this.#wildcard.size === 0) return exact;
    const dot = hostname.indexOf(".");
    return dot < 0 ? undefined : this.#wildcard.get(hostname.slice(dot + 1));
  }
}
