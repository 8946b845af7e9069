// Whom limits count: one customer has one IPv4 address, or a whole /64 of IPv6. Must not know what is counted.

/** The address itself, or the /64 that one IPv6 customer has. @param address canonical: an IPv4-mapped one is written as IPv4 */
export function sourceOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const zeros = address.includes("::") ? Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0") : [];
  return `${[...before, ...zeros, ...after].slice(0, 4).join(":")}::/64`;
}
