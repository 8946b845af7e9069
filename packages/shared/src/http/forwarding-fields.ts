// The fields that tell an origin about the visitor (I4, R-B8): always built anew from what the relay itself knows,
// after every client copy was removed. Must not read a client's fields.

import type { Scheme } from "./authority.ts";
import { formatAuthority } from "./authority.ts";
import type { Fields } from "./fields.ts";

export interface ForwardingContext {
  /**
   * Verified addresses, canonical text without brackets or zone: the visitor first, then each trusted proxy it
   * came through, in order of travel. At least one.
   */
  readonly chain: readonly string[];
  /** Scheme, hostname and port the visitor used, canonical. */
  readonly scheme: Scheme;
  readonly hostname: string;
  readonly port: number;
  /** Printable ASCII. */
  readonly requestId: string;
}

/**
 * X-Forwarded-For, -Proto, -Host, -Port, X-Real-IP (the visitor alone, for origins that read just one address),
 * Forwarded (RFC 7239; its first element is the visitor's and carries host and proto) and Sallyport-Request-Id.
 */
export function forwardingFields(context: ForwardingContext): Fields {
  const { chain, scheme, hostname, port, requestId } = context;
  const host = formatAuthority(hostname, port, scheme);
  return [
    "X-Forwarded-For",
    chain.length === 1 ? (chain[0] as string) : chain.join(", "),
    "X-Forwarded-Proto",
    scheme,
    "X-Forwarded-Host",
    host,
    "X-Forwarded-Port",
    String(port),
    "X-Real-IP",
    chain[0] as string,
    "Forwarded",
    forwarded(chain, scheme, host),
    "Sallyport-Request-Id",
    requestId,
  ];
}

function forwarded(chain: readonly string[], scheme: Scheme, host: string): string {
  // host holds a colon or brackets as soon as it is more than a name: quoted then (RFC 7239 section 4).
  const quotedHost = /[^a-z0-9._-]/.test(host) ? `"${host}"` : host;
  let text = `for=${node(chain[0] as string)};host=${quotedHost};proto=${scheme}`;
  for (let i = 1; i < chain.length; i++) text += `, for=${node(chain[i] as string)}`;
  return text;
}

/** RFC 7239 section 6: IPv6 in brackets and quotes. */
function node(address: string): string {
  return address.includes(":") ? `"[${address}]"` : address;
}
