// Where a request really comes from (R-B8, R-N5): the socket's address, or, behind a proxy the operator trusts,
// what X-Forwarded-For says, read from the right, hop by hop. Part of step 1 of the data path.
// Must not know what the address is used for.

import { isIPv4, isIPv6 } from "node:net";
import { SallyportError } from "@sallyport/shared/errors";
import { allValues, type Fields } from "@sallyport/shared/http/fields";
import { trimOws } from "@sallyport/shared/http/grammar";
import ipaddr from "ipaddr.js";
import { type IpAddress, parseIp } from "../authz/ip.ts";

export interface ClientAddress {
  /** The same in the form that policies compare; undefined where it is none (R-N5). */
  readonly ip: IpAddress | undefined;
  /** Canonical text: IPv4 dotted, or IPv6 per RFC 5952 without zone; an IPv4-mapped address is IPv4. */
  readonly address: string;
  readonly derivedFrom: "socket" | "x-forwarded-for";
  /** The verified way: {@link address} first, then each trusted proxy, the socket's peer last. Just the address without proxy. */
  readonly chain: readonly string[];
}

export type ClientAddressReader = (peerAddress: string, fields: Fields) => ClientAddress;

/** More hops than this in one X-Forwarded-For are not walked: the socket's address counts then. */
const MAX_HOPS = 32;
/** Socket addresses that are remembered; some 300 bytes each. All are forgotten when it is full. */
const MAX_KNOWN_PEERS = 8_192;

type Network = readonly [address: ipaddr.IPv4 | ipaddr.IPv6, prefixLength: number];

/**
 * @param trustedCidrs networks whose X-Forwarded-For is believed, for example `10.0.0.0/8`; empty means nobody
 * @throws SallyportError ERR_TRUSTED_PROXY_INVALID for anything but an address or network in canonical notation
 */
export function createClientAddressReader(trustedCidrs: readonly string[]): ClientAddressReader {
  const networks = trustedCidrs.map(parseNetwork);
  const isTrusted = (address: string): boolean => networks.length > 0 && isWithin(address, networks);
  const known = new Map<string, KnownPeer>();
  return (peerAddress, fields) => {
    let peer = known.get(peerAddress);
    if (peer === undefined) {
      const address = canonicalAddress(peerAddress) ?? withoutZone(peerAddress);
      peer = { own: clientAddress("socket", [address]), trusted: isTrusted(address) };
      if (known.size >= MAX_KNOWN_PEERS) known.clear();
      known.set(peerAddress, peer);
    }
    if (!peer.trusted) return peer.own;
    return walk(peer.own.address, allValues(fields, "x-forwarded-for"), isTrusted) ?? peer.own;
  };
}

/** What one socket address comes to; the same for each of its requests. */
interface KnownPeer {
  readonly own: ClientAddress;
  readonly trusted: boolean;
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

function clientAddress(derivedFrom: ClientAddress["derivedFrom"], chain: readonly string[]): ClientAddress {
  const address = chain[0] as string;
  return { ip: parseIp(address), address, derivedFrom, chain };
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
      if (!isTrusted(address)) return clientAddress("x-forwarded-for", chain);
    }
  }
  return chain.length === 1 ? undefined : clientAddress("x-forwarded-for", chain);
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
