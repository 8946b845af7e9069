// Step 1 of the data path: one reading of method, authority, path, framing and upgrade, whose result is what every later
// step uses (R-A1). Anything that could be read in two ways is refused here. Must not know applications.

import { METHODS } from "node:http";
import { pickAuthority, type Scheme } from "@sallyport/shared/http/authority";
import { checkFieldLimits, type FieldLimits } from "@sallyport/shared/http/field-limits";
import { hasMethodOverride } from "@sallyport/shared/http/field-names";
import { firstValue } from "@sallyport/shared/http/fields";
import { readFraming } from "@sallyport/shared/http/framing";
import { readTarget, type TargetPath } from "@sallyport/shared/http/path";
import { readUpgrade } from "@sallyport/shared/http/upgrade";
import { TCP_PATH } from "@sallyport/shared/http/websocket-bytes";
import type { IngressRequest } from "./exchange.ts";
import type { RefusalCode } from "./refusals.ts";

/** A request that has one meaning. */
export interface CanonicalRequest {
  readonly kind: "request";
  /** Upper-case, known (R-A13). */
  readonly method: string;
  readonly hostname: string;
  readonly port: number;
  readonly target: TargetPath;
  /** Declared body length; undefined: none declared. */
  readonly contentLength: number | undefined;
  /** No body will come. */
  readonly bodyless: boolean;
  /** Sec-WebSocket-Key of a WebSocket handshake; undefined for ordinary requests. */
  readonly upgradeKey: string | undefined;
  /** A field asks for another method than the request line: refused where rules look at methods (R-A12). */
  readonly methodOverride: boolean;
  /** For a TCP service: decided as a request to the root of its host, which is all there is of it (T19). */
  readonly tcp?: true;
}

export type Canonical =
  | CanonicalRequest
  /** `OPTIONS *`: answered by the relay itself. */
  | { readonly kind: "asterisk" }
  | { readonly kind: "refused"; readonly code: RefusalCode };

// R-A13: what Node knows, WebDAV and CalDAV included; CONNECT and TRACE are refused before.
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS.filter((method) => method !== "CONNECT" && method !== "TRACE"));

/** @param scheme of the public origins: what a missing port means (R-B4) */
export function canonicalise(request: IngressRequest, scheme: Scheme, limits: FieldLimits): Canonical {
  const { method, fields, httpVersion } = request;
  if (!KNOWN_METHODS.has(method)) return refused("ERR_METHOD_UNKNOWN");
  const tooLarge = checkFieldLimits(fields, limits);
  if (tooLarge !== undefined) return refused(tooLarge);
  const read = readTarget(request.target);
  if (read.kind === "refused") return refused(read.code);
  const absolute = read.kind === "absolute" ? { scheme: read.scheme, authority: read.authority } : undefined;
  const authority = pickAuthority({ httpVersion, authority: request.authority, fields, target: absolute }, { scheme });
  if (!authority.ok) return refused(authority.code);
  if (read.kind === "asterisk") return method === "OPTIONS" ? { kind: "asterisk" } : refused("ERR_REQUEST_TARGET_FORM");
  const framing = readFraming(fields, httpVersion);
  if (framing.kind === "refused") return refused(framing.code);
  const upgrade = readUpgrade({ httpVersion, method, fields });
  if (upgrade.kind === "refused") return refused(upgrade.code);
  const contentLength = framing.kind === "length" ? framing.length : undefined;
  const bodyless = upgrade.kind === "none" && request.bodyless;
  // The connector would have to take it for a violation, at the cost of everybody on that connection (R-D3).
  if (bodyless && (contentLength ?? 0) > 0) return refused("ERR_FRAMING_CONTENT_LENGTH");
  const expect = firstValue(fields, "expect");
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") return refused("ERR_EXPECT");
  return {
    kind: "request",
    method,
    hostname: authority.hostname,
    port: authority.port,
    target: read.kind === "absolute" ? read.origin : read,
    contentLength,
    bodyless,
    upgradeKey: upgrade.kind === "websocket" ? upgrade.key : undefined,
    methodOverride: hasMethodOverride(fields),
  };
}

/** A request for raw TCP on an application's host, as the pipeline decides it; undefined when it is none. */
export function asTcpRequest(canonical: CanonicalRequest): CanonicalRequest | undefined {
  const root = readTarget("/");
  if (canonical.upgradeKey === undefined || canonical.target.path !== TCP_PATH || root.kind !== "path") return undefined;
  return { ...canonical, target: root, tcp: true };
}

function refused(code: RefusalCode): Canonical {
  return { kind: "refused", code };
}
