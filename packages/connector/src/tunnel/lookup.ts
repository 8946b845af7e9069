// Name resolution for dialling the relay. Names under .localhost are loopback by definition (RFC 6761
// section 6.3), which Node's resolver does not know; every other name goes to the operating system.

import { lookup as systemLookup, type LookupAddress, type LookupOptions } from "node:dns";
import { isIP } from "node:net";

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

/** Same contract as `dns.lookup`, as net, tls and http take it in their `lookup` option. */
export type Lookup = (hostname: string, options: LookupOptions, callback: LookupCallback) => void;

const LOOPBACK: readonly LookupAddress[] = [
  { address: "127.0.0.1", family: 4 },
  { address: "::1", family: 6 },
];

/** `localhost` and every name below it. */
export function isLocalhostName(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  return name === "localhost" || name.endsWith(".localhost");
}

/** Whether a URL's hostname can only mean this machine: a name under localhost, 127.0.0.0/8 or ::1. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  if (isIP(host) === 4) return host.startsWith("127.");
  return host === "::1" || isLocalhostName(host);
}

/** Maps names under localhost to 127.0.0.1 (then ::1) without asking anybody. */
export const lookup: Lookup = (hostname, options, callback) => {
  if (!isLocalhostName(hostname)) {
    systemLookup(hostname, options, callback);
    return;
  }
  const wanted = LOOPBACK.filter(
    ({ family }) => options.family === undefined || options.family === 0 || familyNumber(options.family) === family,
  );
  const addresses = wanted.length > 0 ? wanted : LOOPBACK;
  const [first] = addresses as readonly [LookupAddress];
  // Asynchronous like the real one: callers attach their listeners after calling.
  process.nextTick(() => (options.all === true ? callback(null, [...addresses]) : callback(null, first.address, first.family)));
};

function familyNumber(family: NonNullable<LookupOptions["family"]>): number {
  if (family === "IPv4") return 4;
  return family === "IPv6" ? 6 : family;
}
