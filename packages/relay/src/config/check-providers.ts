// Checks of identity providers that need to know the rest of the file. Must not reach any provider: that is the command
// `provider test`.

import { finding, warning } from "./issues.ts";
import type { Finding } from "./problem.ts";
import type { Survey } from "./survey.ts";

/** PINs on a terminal are for a relay that only this machine reaches; elsewhere who reads the log could sign in as anybody. */
export function checkProviders(survey: Survey): Finding[] {
  const scheme = survey.section("authUrl")?.scheme;
  return survey.entries("identityProviders").flatMap(({ value, path }) => {
    if (value.type === "oidc" && value.emailVerified === "assumed") {
      return [
        warning(
          [...path, "emailVerified"],
          "ERR_CONFIG_INSECURE",
          "emails of this provider count without being verified",
          "keep this only where nobody can enter somebody else's address at the provider",
        ),
      ];
    }
    if (value.type !== "one-time-pin" || value.delivery !== "terminal" || scheme !== "https") return [];
    return [
      finding(
        [...path, "delivery"],
        "ERR_CONFIG_INSECURE",
        "codes would be printed by a relay that others can reach",
        "write delivery: mail and smtp; terminal works with an http authUrl on loopback only",
      ),
    ];
  });
}
