// What is known of well-known OpenID Connect providers: as much as an operator would otherwise copy from their manuals.
// Each is tested against the provider's documented discovery and claims. Must not know how a sign-in runs.

import type { OidcPreset } from "./types.ts";

export interface OidcPresetFacts {
  readonly label: string;
  /** Where there is only one; otherwise the configuration says. */
  readonly issuer?: string;
  readonly issuerRemedy: string;
  /** Why an issuer cannot be the right one; undefined: it may be. */
  readonly refuseIssuer?: (issuer: string) => string | undefined;
  readonly scopes: readonly string[];
  readonly groupsClaim: string;
  /** Parameters of the authorization request that make a refresh token likely. */
  readonly authorizationParameters: Readonly<Record<string, string>>;
  /** ID tokens with too many groups point to Microsoft Graph instead. */
  readonly groupsOverage: boolean;
}

const BASE = { groupsClaim: "groups", authorizationParameters: {}, groupsOverage: false } as const;

export const OIDC_PRESETS: Readonly<Record<OidcPreset, OidcPresetFacts>> = {
  google: {
    ...BASE,
    label: "Google",
    issuer: "https://accounts.google.com",
    issuerRemedy: "leave issuer out",
    refuseIssuer: (issuer) => (issuer === "https://accounts.google.com" ? undefined : "Google has one issuer, and this is another"),
    scopes: ["openid", "profile", "email"],
    authorizationParameters: { access_type: "offline" },
  },
  entra: {
    ...BASE,
    label: "Microsoft",
    issuerRemedy: "write https://login.microsoftonline.com/<tenant id>/v2.0 with your tenant's id",
    refuseIssuer: (issuer) =>
      /^https:\/\/login\.(?:microsoftonline\.(?:com|us)|partner\.microsoftonline\.cn)\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\/v2\.0$/.test(
        issuer,
      )
        ? undefined
        : "expected the v2.0 issuer of one tenant; common, organizations and consumers would let in every tenant",
    scopes: ["openid", "profile", "email", "offline_access"],
    groupsOverage: true,
  },
  okta: {
    ...BASE,
    label: "Okta",
    issuerRemedy:
      "write https://<your domain>.okta.com, or that of an authorization server, such as https://<your domain>.okta.com/oauth2/default",
    scopes: ["openid", "profile", "email", "groups", "offline_access"],
  },
  keycloak: {
    ...BASE,
    label: "Keycloak",
    issuerRemedy: "write https://<host>/realms/<realm>",
    scopes: ["openid", "profile", "email"],
  },
  gitlab: {
    ...BASE,
    label: "GitLab",
    issuer: "https://gitlab.com",
    issuerRemedy: "leave issuer out for gitlab.com, or write the URL of your GitLab",
    scopes: ["openid", "profile", "email"],
  },
  auth0: {
    ...BASE,
    label: "Auth0",
    issuerRemedy: "write https://<tenant>.auth0.com/ with the slash at the end",
    refuseIssuer: (issuer) => (issuer.endsWith("/") ? undefined : "Auth0's issuer ends with a slash"),
    scopes: ["openid", "profile", "email", "offline_access"],
  },
};
