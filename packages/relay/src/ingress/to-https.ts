// Where a plain HTTP listener sends its visitors: the same path on the public origin, for hosts that are ours (I1, R-B7).

import { formatAuthority } from "@sallyport/shared/http/authority";
import { pickAuthority } from "@sallyport/shared/http/authority";
import { readTarget } from "@sallyport/shared/http/path";
import type { IngressRequest } from "./exchange.ts";
import type { Runtime } from "./runtime.ts";

/** @returns undefined for hosts that nothing is published at: they get the constant page, not a redirect */
export function httpsUrlOf(runtime: Runtime, request: IngressRequest): string | undefined {
  const { authUrl } = runtime.config;
  if (authUrl.scheme !== "https") return undefined;
  const authority = pickAuthority(
    { httpVersion: request.httpVersion, authority: request.authority, fields: request.fields },
    { scheme: "http" },
  );
  const target = readTarget(request.target);
  if (!authority.ok || target.kind !== "path") return undefined;
  const { hostname } = authority;
  if (hostname !== authUrl.hostname && !runtime.routes.knows(hostname)) return undefined;
  return `https://${formatAuthority(hostname, authUrl.port, "https")}${target.path}`;
}
