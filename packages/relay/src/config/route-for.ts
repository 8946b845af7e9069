// From a URL to the application that would answer it, for policy tests and `explain`: the same readings of the path
// and the same rules of the ingress, without a request.

import { canonicalHostname, defaultPort } from "@sallyport/shared/http/authority";
import { readTarget } from "@sallyport/shared/http/path";
import type { TestRoute } from "../authz/policy-tests.ts";
import type { CompiledApplication } from "../authz/policy.ts";
import { RouteTable } from "../ingress/route.ts";
import type { ApplicationConfig, PublicOrigin } from "./types.ts";

/** What of a configuration takes part in routing. */
export interface RoutedConfig {
  readonly authUrl: PublicOrigin;
  readonly applications: readonly Omit<ApplicationConfig, "originBasicAuth" | "clientCertificates">[];
}

export type RouteFor = (url: URL, method: string) => TestRoute;

export function createRouteFor(config: RoutedConfig, compiled: ReadonlyMap<string, CompiledApplication>): RouteFor {
  const table = new RouteTable(config.applications);
  return (url, method) => {
    if (NEVER_FORWARDED.has(method)) return refused("ERR_METHOD_NOT_ALLOWED");
    const hostname = hostOf(url, config.authUrl);
    if (hostname === undefined) return refused("ERR_HOST_UNKNOWN");
    const target = readTarget(url.pathname + url.search);
    if (target.kind !== "path") return refused(target.kind === "refused" ? target.code : "ERR_REQUEST_TARGET_FORM");
    const route = table.find(hostname, target.readings);
    if (route.kind !== "application") return refused(REFUSALS[route.kind]);
    const application = compiled.get(route.application.name);
    return application === undefined ? refused("ERR_ACCESS_DENIED") : { kind: "application", application };
  };
}

/** R-A11, R-A13. */
const NEVER_FORWARDED: ReadonlySet<string> = new Set(["CONNECT", "TRACE"]);

const REFUSALS = {
  "unknown-host": "ERR_HOST_UNKNOWN",
  "no-application": "ERR_ACCESS_DENIED",
  ambiguous: "ERR_PATH_AMBIGUOUS",
  // Answered by the relay itself: no policy is asked, and no origin reached.
  reserved: "reserved path",
} as const;

/** The canonical host, where scheme and port are the public ones (R-B4). */
function hostOf(url: URL, authUrl: PublicOrigin): string | undefined {
  const port = url.port === "" ? defaultPort(url.protocol === "https:" ? "https" : "http") : Number(url.port);
  return url.protocol === `${authUrl.scheme}:` && port === authUrl.port ? canonicalHostname(url.hostname) : undefined;
}

function refused(code: string): TestRoute {
  return { kind: "refused", code };
}
