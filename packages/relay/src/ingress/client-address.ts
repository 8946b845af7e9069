// Where a request really comes from (R-B8, R-N5): the socket's address, or, behind a proxy the operator trusts,
// what X-Forwarded-For says, read from the right, hop by hop. Part of step 1 of the data path.
// Must not know what the address is used for.

import { isIPv4, isIPv6 } from "node:net";
import { SallyportError } from "@sallyport/shared/errors";
import { allValues, type Fields } from "@sallyport/shared/http/fields";
import { trimOws } from "@sallyport/shared/http/grammar";
import ipaddr from "ipaddr.js";

export interface ClientAddress {
  /** Canonical text: IPv4 dotted, or IPv6 per RFC 5952 without zone; an IPv4-mapped address is IPv4. */
  readonly address: string;
  readonly derivedFrom: "socket" | "x-forwarded-for";
  /** The verified way: {@link address} first, then each trusted proxy, the socket's peer last. Just the address without proxy. */
  readonly chain: readonly string[];
}

export type ClientAddressReader = (peerAddress: string, fields: Fields) => ClientAddress;

/** More hops than this in one X-Forwarded-For are not walked: the socket's address counts then. */
const MAX_HOPS = 32;

type Network = readonly [address: ipaddr.IPv4 | ipaddr.IPv6, prefixLength: number];

/**
 * @param trustedCidrs networks whose X-Forwarded-For is believed, for example `10.0.0.0/8`; empty means nobody
 * @throws SallyportError ERR_TRUSTED_PROXY_INVALID for anything but an address or network in canonical notation
 */
export function createClientAddressReader(trustedCidrs: readonly string[]): ClientAddressReader {
  const networks = trustedCidrs.map(parseNetwork);
  const isTrusted = (address: string): boolean => networks.length > 0 && isWithin(address, networks);
  return (peerAddress, fields) => {
    const peer = canonicalAddress(peerAddress) ?? withoutZone(peerAddress);
    if (!isTrusted(peer)) return fromSocket(peer);
    return walk(peer, allValues(fields, "x-forwarded-for"), isTrusted) ?? fromSocket(peer);
  };
}

/**
 * The canonical text of an IP address (R-N5).
 * @returns undefined for zone ids, leading zeros (`010.0.0.1`), short forms (`127.1`), ports and brackets
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (text.includes("%") || !isIPv6(text)) return undefined;
  return ipaddr.process(text).toString();
}

function fromSocket(peer: string): ClientAddress {
  return { address: peer, derivedFrom: "socket", chain: [peer] };
}

// Each proxy appended the address it saw. From the right, an entry is believed only as long as the hop that wrote
// it is trusted; what stands left of the first untrusted address is the visitor's own invention and is not read.
function walk(peer: string, lines: readonly string[], isTrusted: (address: string) => boolean): ClientAddress | undefined {
  const chain = [peer];
  for (let line = lines.length - 1; line >= 0; line--) {
    const entries = (lines[line] as string).split(",");
    for (let i = entries.length - 1; i >= 0; i--) {
      const address = canonicalAddress(trimOws(entries[i] as string));
      if (address === undefined || chain.length > MAX_HOPS) return undefined;
      chain.unshift(address);
      if (!isTrusted(address)) return { address, derivedFrom: "x-forwarded-for", chain };
    }
  }
  return chain.length === 1 ? undefined : { address: chain[0] as string, derivedFrom: "x-forwarded-for", chain };
}

function isWithin(address: string, networks: readonly Network[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  return networks.some(([network, length]) => network.kind() === parsed.kind() && parsed.match(network, length));
}

function parseNetwork(text: string): Network {
  const slash = text.indexOf("/");
  const address = canonicalAddress(slash < 0 ? text : text.slice(0, slash));
  const bits = address === undefined || isIPv4(address) ? 32 : 128;
  const digits = slash < 0 ? String(bits) : text.slice(slash + 1);
  // A mapped network would count its prefix in IPv6 bits: written as IPv4 there is no doubt.
  const mapped = text.includes(":") && bits === 32;
  if (address === undefined || mapped || !/^(?:0|[1-9][0-9]{0,2})$/.test(digits) || Number(digits) > bits) {
    throw new SallyportError(
      "ERR_TRUSTED_PROXY_INVALID",
      `trustedProxies: ${JSON.stringify(text)} is not an IP network; write for example 10.0.0.0/8`,
    );
  }
  return [ipaddr.parse(address), Number(digits)];
}

/** A link-local peer's zone names an interface of this machine, nothing about the peer. */
function withoutZone(address: string): string {
  const percent = address.indexOf("%");
  return percent < 0 ? address : address.slice(0, percent);
}
