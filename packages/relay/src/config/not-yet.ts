// Options that Sallyport's design names but this release does not have. Accepting one without effect would be a lie
// about security (R-J5), so each is refused with the truth. When an option arrives, its line here goes away.

import type { ConfigPath } from "@sallyport/shared/config/problem";

const LATER: Readonly<Record<string, string>> = {
  acme: "certificates from Let's Encrypt arrive later; until then give `listen[].tls` certificate files",
  telemetry: "traces arrive later; remove the section",
  cluster: "several relays on NATS arrive later; remove the section",
  "applications[].rateLimit": "rate limits per application arrive later; `limits.streamsPerIdentity` bounds concurrency until then",
  "applications[].hsts": "HSTS by option arrives later; the origin's own Strict-Transport-Security header is forwarded",
};

/** What to do about an option of a later release; undefined when the key at `path` is simply unknown. */
export function notYet(path: ConfigPath): string | undefined {
  const pattern = path
    .map((step) => (typeof step === "number" ? "[]" : `.${step}`))
    .join("")
    .slice(1);
  return Object.hasOwn(LATER, pattern) ? LATER[pattern] : undefined;
}
