// From a decided request to what goes down the tunnel: client copies of our fields are taken out first, ours are set
// after (R-C1 to R-C4). Must not decide anything.

import { type Fields, firstValue, NO_FIELDS } from "@sallyport/shared/http/fields";
import { formatAuthority } from "@sallyport/shared/http/authority";
import { forwardingFields } from "@sallyport/shared/http/forwarding-fields";
import { requestFieldsToForward, type FieldsRefusalCode } from "@sallyport/shared/http/request-fields";
import { StreamKind } from "@sallyport/shared/protocol/head";
import type { ForwardRequest } from "../tunnel/forward.ts";
import type { CanonicalRequest } from "./canonicalise.ts";
import type { IngressRequest } from "./exchange.ts";
import type { ClientAddress } from "./client-address.ts";
import type { OriginIdentity } from "./origin-identity.ts";
import type { Application, Runtime } from "./runtime.ts";

/** All but the assertion, which may still have to be signed. */
export type UnsignedForward = Omit<ForwardRequest, "assertion">;
export type ForwardOrRefused =
  | { readonly kind: "forward"; readonly forward: UnsignedForward }
  | { readonly kind: "refused"; readonly code: FieldsRefusalCode | "ERR_BODY_TOO_LARGE" };

export interface ForwardInput {
  readonly request: IngressRequest;
  readonly canonical: CanonicalRequest;
  readonly application: Application;
  readonly client: ClientAddress;
  readonly requestId: string;
  readonly consumedAuthorization: boolean;
  readonly identity: OriginIdentity;
}

export function createForward(runtime: Runtime, input: ForwardInput): ForwardOrRefused {
  const { canonical, application, request, requestId } = input;
  const { config } = application;
  const maxRequestBodyBytes = config.limits.maxRequestBodyBytes;
  if (maxRequestBodyBytes !== undefined && (canonical.contentLength ?? 0) > maxRequestBodyBytes)
    return { kind: "refused", code: "ERR_BODY_TOO_LARGE" };
  const kept = requestFieldsToForward(request.fields, {
    dropAuthorization: input.consumedAuthorization || input.identity.setsAuthorization,
    keepUnusualNames: config.keepUnderscoreHeaders,
    identityNames: application.ownFields,
  });
  if (!kept.ok) return { kind: "refused", code: kept.code };
  const { scheme } = runtime.config.authUrl;
  const { hostname, port } = canonical;
  if (canonical.tcp === true) return { kind: "forward", forward: tcpForward(input, formatAuthority(hostname, port, scheme)) };
  const added = forwardingFields({ chain: input.client.chain, scheme, hostname, port, requestId });
  return {
    kind: "forward",
    forward: {
      tunnel: application.tunnel,
      head: {
        kind: canonical.upgradeKey === undefined ? StreamKind.HTTP : StreamKind.UPGRADE,
        service: application.service,
        assertion: 0,
        method: canonical.method,
        path: canonical.target.path,
        authority: formatAuthority(hostname, port, scheme),
        fields: kept.fields.concat(added, input.identity.fields),
        contentLength: canonical.contentLength,
      },
      bodyless: canonical.bodyless,
      upgradeKey: canonical.upgradeKey,
      maxRequestBodyBytes,
      responseFields: ["Sallyport-Request-Id", requestId, ...framePolicy(config.frameAncestors)],
    },
  };
}

/** Raw bytes to a TCP service: no request of HTTP goes with them. */
function tcpForward({ canonical, application, requestId }: ForwardInput, authority: string): UnsignedForward {
  const { tunnel, service } = application;
  return {
    tunnel,
    head: { kind: StreamKind.TCP, service, assertion: 0, method: "", path: "", authority, fields: NO_FIELDS, contentLength: undefined },
    bodyless: false,
    upgradeKey: canonical.upgradeKey,
    maxRequestBodyBytes: undefined,
    responseFields: ["Sallyport-Request-Id", requestId],
  };
}

/** One more policy beside the origin's own: browsers obey all of them (Content Security Policy Level 3, section 8.1). */
function framePolicy(frameAncestors: readonly string[] | undefined): Fields {
  return frameAncestors === undefined ? [] : ["Content-Security-Policy", ["frame-ancestors 'self'", ...frameAncestors].join(" ")];
}

/** User-Agent as sent, for the record only: nothing is decided by it (R-A12). */
export function userAgentOf(fields: Fields): string | undefined {
  return firstValue(fields, "user-agent");
}
