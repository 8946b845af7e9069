// IP addresses and CIDR lists in the form that is compared on every request: numbers, parsed once per socket, and
// sorted ranges, built once per configuration. An IPv4-mapped IPv6 address is IPv4 (R-N5). Must not know policies.

import ipaddr from "ipaddr.js";

/** An address as four unsigned 32-bit words; IPv4 uses only `a`. One object per socket: see {@link parseIp}. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  /** Canonical text: dotted decimal, or RFC 5952. */
  readonly text: string;
}

/** First and last address of a block. */
export interface Cidr {
  readonly first: IpAddress;
  readonly last: IpAddress;
  /** 0 to 32, or 0 to 128. */
  readonly prefix: number;
}

export type CidrReading = { readonly kind: "cidr"; readonly cidr: Cidr } | { readonly kind: "problem"; readonly problem: string };

type Words = readonly [number, number, number, number];

const MAPPED_PREFIX_BITS = 96;
const DOTTED_TAIL = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/;
const PREFIX_LENGTH = /^(?:0|[1-9]\d{0,2})$/;

/**
 * Reads an address once per socket.
 * @returns undefined, hence "unknown" to policies, for zone ids (`fe80::1%eth0`), leading zeros (`010.0.0.1`), hex,
 *   octal or shortened IPv4, and anything else that two parsers could read differently (R-N5).
 */
export function parseIp(text: string): IpAddress | undefined {
  if (!text.includes(":")) return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipv4(dottedToWord(text)) : undefined;
  const hex = hexTail(text);
  if (hex === undefined || hex.includes("%") || !ipaddr.IPv6.isValid(hex)) return undefined;
  const parts = ipaddr.IPv6.parse(hex).parts;
  const word = (index: number): number => (((parts[index] ?? 0) << 16) | (parts[index + 1] ?? 0)) >>> 0;
  return fromWords([word(0), word(2), word(4), word(6)]);
}

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a single address. Bits set beyond the prefix are a problem, not ignored. */
export function readCidr(text: string): CidrReading {
  const slash = text.indexOf("/");
  const address = parseIp(slash === -1 ? text : text.slice(0, slash));
  if (address === undefined) return problem(`${text} is not an IPv4 or IPv6 address or CIDR block`);
  const mapped = address.family === 4 && text.includes(":");
  const prefix = readPrefix(slash === -1 ? undefined : text.slice(slash + 1), address.family, mapped);
  if (prefix === undefined) return problem(`${text} has no valid prefix length`);
  const cidr = block(address, prefix);
  if (slash !== -1 && cidr.first.text !== address.text) {
    return problem(`${text} has bits set beyond its prefix: write ${cidr.first.text}/${prefix} or the address alone`);
  }
  return { kind: "cidr", cidr };
}

/** A set of blocks as sorted disjoint ranges; one binary search per look-up, no allocation. */
export class IpSet {
  readonly #v4First: Uint32Array;
  readonly #v4Last: Uint32Array;
  readonly #v6: readonly Cidr[];

  constructor(cidrs: readonly Cidr[]) {
    const v4 = withoutNested(cidrs.filter((cidr) => cidr.first.family === 4));
    this.#v4First = Uint32Array.from(v4, (cidr) => cidr.first.a);
    this.#v4Last = Uint32Array.from(v4, (cidr) => cidr.last.a);
    this.#v6 = withoutNested(cidrs.filter((cidr) => cidr.first.family === 6));
  }

  has(ip: IpAddress): boolean {
    return ip.family === 4 ? this.#hasV4(ip.a) : this.#hasV6(ip);
  }

  #hasV4(word: number): boolean {
    let low = 0;
    let high = this.#v4First.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#v4First[middle] as number) <= word) low = middle + 1;
      else high = middle;
    }
    return low > 0 && word <= (this.#v4Last[low - 1] as number);
  }

  #hasV6(ip: IpAddress): boolean {
    let low = 0;
    let high = this.#v6.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare((this.#v6[middle] as Cidr).first, ip) <= 0) low = middle + 1;
      else high = middle;
    }
    return low > 0 && compare(ip, (this.#v6[low - 1] as Cidr).last) <= 0;
  }
}

// CIDR blocks nest or are disjoint, never overlap halfway: dropping the nested ones leaves disjoint ranges.
function withoutNested(cidrs: readonly Cidr[]): readonly Cidr[] {
  const kept: Cidr[] = [];
  for (const cidr of cidrs.toSorted((left, right) => compare(left.first, right.first) || left.prefix - right.prefix)) {
    const previous = kept.at(-1);
    if (previous === undefined || compare(cidr.first, previous.last) > 0) kept.push(cidr);
  }
  return kept;
}

function compare(left: IpAddress, right: IpAddress): number {
  return left.a - right.a || left.b - right.b || left.c - right.c || left.d - right.d;
}

function block(address: IpAddress, prefix: number): Cidr {
  if (address.family === 4) {
    const mask = maskWord(prefix);
    return { first: ipv4((address.a & mask) >>> 0), last: ipv4((address.a | ~mask) >>> 0), prefix };
  }
  const words: Words = [address.a, address.b, address.c, address.d];
  const edge = (apply: (word: number, mask: number) => number): IpAddress =>
    ipv6(words.map((word, index) => apply(word, maskWord(prefix - 32 * index)) >>> 0) as unknown as Words);
  return { first: edge((word, mask) => word & mask), last: edge((word, mask) => word | ~mask), prefix };
}

function maskWord(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
}

function readPrefix(text: string | undefined, family: 4 | 6, mapped: boolean): number | undefined {
  const max = family === 4 ? 32 : 128;
  if (text === undefined) return max;
  if (!PREFIX_LENGTH.test(text)) return undefined;
  const prefix = Number(text) - (mapped ? MAPPED_PREFIX_BITS : 0);
  return prefix >= 0 && prefix <= max ? prefix : undefined;
}

// ipaddr.js reads octal in a dotted tail and takes `::1.2.3.4` for a mapped address, so the tail is turned into hex here.
function hexTail(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const match = DOTTED_TAIL.exec(text);
  if (match === null || !ipaddr.IPv4.isValidFourPartDecimal(match[2] as string)) return undefined;
  const word = dottedToWord(match[2] as string);
  return `${match[1]}${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`;
}

function dottedToWord(text: string): number {
  return text.split(".").reduce((word, part) => ((word << 8) | Number(part)) >>> 0, 0);
}

function fromWords(words: Words): IpAddress {
  const mapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return mapped ? ipv4(words[3]) : ipv6(words);
}

function ipv4(word: number): IpAddress {
  const text = `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
  return { family: 4, a: word, b: 0, c: 0, d: 0, text };
}

function ipv6([a, b, c, d]: Words): IpAddress {
  const parts = [a, b, c, d].flatMap((word) => [word >>> 16, word & 0xffff]);
  return { family: 6, a, b, c, d, text: new ipaddr.IPv6(parts).toRFC5952String() };
}

function problem(text: string): CidrReading {
  return { kind: "problem", problem: text };
}
