// Destination of COPY and MOVE (RFC 4918 section 10.3) names a second resource, so it is decided as a second request
// (R-A13): a person who may not write there may not move something there.

import { readAuthority } from "@sallyport/shared/http/authority";
import { allValues } from "@sallyport/shared/http/fields";
import { readTarget } from "@sallyport/shared/http/path";
import { noExternal, type RequestFacts } from "../authz/facts.ts";
import type { CanonicalRequest } from "./canonicalise.ts";
import { certificateFactOf } from "./client-certificate.ts";
import type { IngressRequest } from "./exchange.ts";
import type { Application, Runtime } from "./runtime.ts";

export type DestinationDecision =
  | { readonly kind: "allowed" }
  | { readonly kind: "refused"; readonly code: "ERR_ACCESS_DENIED" | "ERR_REQUEST_TARGET_FORM" | "ERR_PATH_AMBIGUOUS" };

const ALLOWED: DestinationDecision = { kind: "allowed" };
const DENIED: DestinationDecision = { kind: "refused", code: "ERR_ACCESS_DENIED" };
const MALFORMED: DestinationDecision = { kind: "refused", code: "ERR_REQUEST_TARGET_FORM" };

const NETWORK_PATH = /^[/\\]{2}/;

export function decideDestination(
  request: IngressRequest,
  canonical: CanonicalRequest,
  runtime: Runtime,
  application: Application,
  asked: RequestFacts,
): DestinationDecision {
  if (canonical.method !== "COPY" && canonical.method !== "MOVE") return ALLOWED;
  const values = allValues(request.fields, "destination");
  if (values.length !== 1) return MALFORMED;
  // A network-path reference (RFC 3986 section 4.2) names a host, though it looks like a path; RFC 4918 has no such form.
  if (NETWORK_PATH.test(values[0] as string)) return MALFORMED;
  const read = readTarget(values[0] as string);
  if (read.kind === "refused") return read.code === "ERR_PATH_AMBIGUOUS" ? { kind: "refused", code: read.code } : MALFORMED;
  if (read.kind === "asterisk") return MALFORMED;
  let hostname = canonical.hostname;
  if (read.kind === "absolute") {
    const authority = readAuthority(read.authority, { scheme: read.scheme });
    if (!authority.ok) return MALFORMED;
    if (authority.port !== runtime.publicPort) return DENIED;
    hostname = authority.hostname;
  }
  const target = read.kind === "absolute" ? read.origin : read;
  const route = runtime.routes.find(hostname, target.readings);
  if (route.kind !== "application") return DENIED;
  // Methods are compared as they are: the policy that lets somebody MOVE lets them MOVE to there.
  if (route.application === application) return ALLOWED;
  // The certificate was verified for the host of the request: for another one it counts only by the same rules (R-B5).
  const clientCertificate = certificateFactOf(request, runtime.clientAuthorities.of(hostname), asked.nowMs);
  // So was the question to an evaluator asked for the application of the request.
  const facts = { ...asked, clientCertificate, external: noExternal };
  return runtime.decisions.decide(route.application.policies, facts).outcome === "allow" ? ALLOWED : DENIED;
}
