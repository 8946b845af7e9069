// Refusals of strangers, counted: a scanner that sends ten thousand bad requests a second gets one record per network,
// code and second, and one line with the count of the others, instead of filling the disk.

import ipaddr from "ipaddr.js";

/** Most different (network, code) pairs counted in one second; the rest is counted under {@link OTHER_NETWORKS}. */
export const MAX_COALESCED = 4_096;
export const OTHER_NETWORKS = "other";

export interface CoalescedCount {
  readonly network: string;
  readonly code: string;
  readonly count: number;
}

export interface Coalescer {
  /** True when this is the first of its kind in this second: write it. Otherwise it was counted. */
  first(address: string, code: string): boolean;
  /** What was counted since the last call, and a fresh second. */
  take(): readonly CoalescedCount[];
}

export function createCoalescer(): Coalescer {
  let counts = new Map<string, { readonly network: string; readonly code: string; count: number }>();
  return {
    first(address, code) {
      const network = networkOf(address);
      const key = `${network} ${code}`;
      const known = counts.get(key);
      if (known !== undefined) {
        known.count += 1;
        return false;
      }
      if (counts.size < MAX_COALESCED) {
        counts.set(key, { network, code, count: 0 });
        return true;
      }
      const overflow = `${OTHER_NETWORKS} ${code}`;
      const other = counts.get(overflow) ?? { network: OTHER_NETWORKS, code, count: 0 };
      other.count += 1;
      // Codes are a fixed list, so this adds only as many as there are codes.
      counts.set(overflow, other);
      return false;
    },
    take() {
      const taken = [...counts.values()].filter((entry) => entry.count > 0);
      counts = new Map();
      return taken;
    },
  };
}

/** The /24 of an IPv4 address (also when mapped into IPv6), the /64 of an IPv6 one, or the text when it is none. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  const bytes = parsed.toByteArray();
  const kept = parsed.kind() === "ipv4" ? 3 : 8;
  return `${ipaddr.fromByteArray(bytes.fill(0, kept)).toString()}/${kept * 8}`;
}
