// Whether the certificates cover what the relay publishes: a name that no certificate covers is a browser warning
// for every visitor, and is better found here.

import { warning } from "@sallyport/shared/config/issues";
import { printable, type ConfigPath, type Finding } from "@sallyport/shared/config/problem";
import type { Resolved } from "./resolve.ts";
import type { Survey } from "./survey.ts";

export function checkCertificateNames(survey: Survey, resolved: Resolved): Finding[] {
  const authUrl = survey.section("authUrl");
  const listeners = resolved.listen.flatMap(({ value }) => (value?.certificates === undefined ? [] : [value.certificates]));
  // Without TLS of its own the relay stands behind a proxy that has the certificates.
  if (authUrl?.scheme !== "https" || listeners.length === 0 || !survey.intact("listen")) return [];
  if (listeners.some((certificates) => certificates.length === 0)) return [];
  const names = new Set(listeners.flatMap((certificates) => certificates.flatMap((certificate) => certificate.names)));
  const published: { readonly hostname: string; readonly path: ConfigPath }[] = [
    { hostname: authUrl.hostname, path: ["authUrl"] },
    ...survey.entries("applications").map(({ value, path }) => ({ hostname: value.hostname, path: [...path, "hostname"] })),
  ];
  return published
    .filter(({ hostname }) => !covers(names, hostname))
    .map(({ hostname, path }) =>
      warning(
        path,
        "ERR_CONFIG_CERTIFICATE",
        `no certificate under \`listen\` covers ${printable(hostname)}`,
        "add a certificate for it: visitors would be warned off",
      ),
    );
}

/** RFC 6125 section 6.4.3: a wildcard stands for exactly one label, the leftmost. */
function covers(names: ReadonlySet<string>, hostname: string): boolean {
  return names.has(hostname) || names.has(`*.${hostname.slice(hostname.indexOf(".") + 1)}`);
}
