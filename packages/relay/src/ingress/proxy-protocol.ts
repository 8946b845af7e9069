// The PROXY protocol header, versions 1 and 2, that a load balancer puts before the visitor's first byte (I4).
// Pure and incremental: bytes in, a verdict out. On a listener that asks for it the header is required,
// because a listener that merely accepts it lets every visitor invent an address.
// Format: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt. Must not know sockets or HTTP.

import { isIP } from "node:net";
import type { Peer } from "./exchange.ts";

/** `peer` is undefined where the balancer speaks for itself (LOCAL, UNKNOWN): then the TCP peer stands. */
export type ProxyHeader =
  | { readonly kind: "more" }
  | { readonly kind: "malformed" }
  | { readonly kind: "header"; readonly peer: Peer | undefined; readonly bytes: number };

/** Longest header that is read at all: version 2 with its TLVs; version 1 ends within 107 bytes. */
export const MAX_PROXY_HEADER_BYTES = 2_048;

const V1_PREFIX = Buffer.from("PROXY ", "latin1");
const V1_MAX_BYTES = 107;
const V2_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V2_FIXED_BYTES = 16;
const MORE: ProxyHeader = { kind: "more" };
const MALFORMED: ProxyHeader = { kind: "malformed" };

/** Reads the header at the start of `bytes`; `more` as long as what is there can still become one. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, V1_PREFIX)) return bytes.length < V1_PREFIX.length ? MORE : parseVersion1(bytes);
  if (startsLike(bytes, V2_SIGNATURE)) return bytes.length < V2_FIXED_BYTES ? MORE : parseVersion2(bytes);
  return MALFORMED;
}

function startsLike(bytes: Buffer, prefix: Buffer): boolean {
  const length = Math.min(bytes.length, prefix.length);
  return bytes.compare(prefix, 0, length, 0, length) === 0;
}

/** `PROXY TCP4 source destination sourcePort destinationPort CRLF`, single spaces (section 2.1). */
function parseVersion1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_MAX_BYTES).indexOf("\r\n", 0, "latin1");
  if (end === -1) return bytes.length < V1_MAX_BYTES ? MORE : MALFORMED;
  const length = end + 2;
  const [, family, source, destination, sourcePort, destinationPort, ...rest] = bytes.toString("latin1", 0, end).split(" ");
  if (family === "UNKNOWN") return { kind: "header", peer: undefined, bytes: length };
  const version = family === "TCP4" ? 4 : family === "TCP6" ? 6 : 0;
  if (version === 0 || rest.length > 0 || source === undefined || destination === undefined) return MALFORMED;
  if (isIP(source) !== version || isIP(destination) !== version) return MALFORMED;
  const port = parsePort(sourcePort);
  if (port === undefined || parsePort(destinationPort) === undefined) return MALFORMED;
  return { kind: "header", peer: { address: source.toLowerCase(), port }, bytes: length };
}

function parsePort(text: string | undefined): number | undefined {
  if (text === undefined || !/^(?:0|[1-9]\d{0,4})$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 0xffff ? port : undefined;
}

/** 12 bytes signature, version and command, family and protocol, length, addresses, TLVs (section 2.2). */
function parseVersion2(bytes: Buffer): ProxyHeader {
  const versionAndCommand = bytes[12] as number;
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (versionAndCommand >> 4 !== 2 || length > MAX_PROXY_HEADER_BYTES) return MALFORMED;
  const command = versionAndCommand & 0x0f;
  if (command > 1) return MALFORMED;
  if (bytes.length < length) return MORE;
  if (command === 0) return { kind: "header", peer: undefined, bytes: length };
  const peer = version2Peer(bytes.subarray(V2_FIXED_BYTES, length), bytes[13] as number);
  return peer === undefined ? MALFORMED : { kind: "header", peer, bytes: length };
}

const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/** Only TCP over IPv4 and IPv6: on a TCP listener anything else is a balancer set up wrongly. */
function version2Peer(addresses: Buffer, family: number): Peer | undefined {
  if (family === TCP_OVER_IPV4 && addresses.length >= 12) {
    return { address: [...addresses.subarray(0, 4)].join("."), port: addresses.readUInt16BE(8) };
  }
  if (family === TCP_OVER_IPV6 && addresses.length >= 36) {
    const groups = Array.from({ length: 8 }, (_, index) => addresses.readUInt16BE(index * 2).toString(16));
    return { address: new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1), port: addresses.readUInt16BE(32) };
  }
  return undefined;
}
