// Subject alternative names in the one spelling in which policies and certificates are compared: `dns:ci.example.com`,
// `email:ann@example.com`, `uri:spiffe://example.com/ci`, `ip:2001:db8::1`. Pure.

import { parseIp } from "./ip.ts";
import { normaliseName } from "./names.ts";

/** Upper and lower case are one in DNS names (RFC 5280 section 7.2), and an address has one text. @returns undefined for any other text */
export function normaliseAlternativeName(text: string): string | undefined {
  const name = normaliseName(text);
  const match = name === undefined ? null : /^(dns|email|uri|ip):(.+)$/.exec(name);
  if (name === undefined || match === null) return undefined;
  const [, type, value = ""] = match;
  if (type === "dns") return name.toLowerCase();
  if (type !== "ip") return name;
  const address = parseIp(value)?.text;
  return address === undefined ? undefined : `ip:${address}`;
}
