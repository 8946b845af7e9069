// Checks of identity providers that need to know the rest of the file. Must not reach any provider: that is the command
// `provider test`.

import { finding, warning } from "@sallyport/shared/config/issues";
import type { ConfigPath, Finding } from "@sallyport/shared/config/problem";
import type { OidcProviderDocument, OneTimePinProviderDocument } from "./provider-schema.ts";
import type { Survey } from "./survey.ts";

export function checkProviders(survey: Survey): Finding[] {
  const scheme = survey.section("authUrl")?.scheme;
  return survey
    .entries("identityProviders")
    .flatMap(({ value, path }) =>
      value.type === "oidc" ? checkOidc(value, path) : value.type === "one-time-pin" ? checkPin(value, path, scheme) : [],
    );
}

function checkOidc(provider: OidcProviderDocument, path: ConfigPath): Finding[] {
  const findings: Finding[] = [];
  if (provider.emailVerified === "assumed") {
    findings.push(
      warning(
        [...path, "emailVerified"],
        "ERR_CONFIG_INSECURE",
        "emails of this provider count without being verified",
        "keep this only where nobody can enter somebody else's address at the provider",
      ),
    );
  }
  // R-F9: presets know how their provider gives refresh tokens.
  if (provider.preset === undefined && !provider.scopes.includes("offline_access")) {
    findings.push(
      warning(
        [...path, "scopes"],
        "ERR_CONFIG_VALUE",
        "without the scope offline_access this provider may give no refresh token: lost groups are then noticed at the next sign-in only",
        "add offline_access to scopes if the provider supports it",
      ),
    );
  }
  return findings;
}

/** PINs on a terminal are for a relay that only this machine reaches; elsewhere who reads the log could sign in as anybody. */
function checkPin(provider: OneTimePinProviderDocument, path: ConfigPath, scheme: string | undefined): Finding[] {
  if (provider.delivery !== "terminal" || scheme !== "https") return [];
  return [
    finding(
      [...path, "delivery"],
      "ERR_CONFIG_INSECURE",
      "codes would be printed by a relay that others can reach",
      "write delivery: mail and smtp; terminal works with an http authUrl on loopback only",
    ),
  ];
}
