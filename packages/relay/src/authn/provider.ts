// What sign-in needs of an identity provider, whatever it speaks. One file per kind implements it. Must not know sessions,
// cookies or policies.

/** A person as a provider describes them, checked: names normalised, unverified emails left out. */
export interface ProviderIdentity {
  /** Stable id at the provider. */
  readonly subject: string;
  readonly email: string | undefined;
  readonly name: string | undefined;
  /** undefined: the provider did not say, which is not "none" (R-F8). */
  readonly groups: readonly string[] | undefined;
  readonly authMethods: readonly string[] | undefined;
  /** Further claims, plain JSON values, bounded in size. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface ProviderLogin {
  readonly identity: ProviderIdentity;
  readonly refreshToken: string | undefined;
  readonly providerSessionId: string | undefined;
}

/** Reasons of a failed login, stable, for page, record and docs. */
export type LoginProblem =
  /** The person or the provider said no (`access_denied`, `login_required` ...). */
  | "refused-by-provider"
  /** The provider cannot be reached, or answers out of time. */
  | "provider-unreachable"
  /** The provider's answer breaks the protocol or does not verify. */
  | "provider-invalid"
  /** Names with control characters, no usable email where one is needed, and the like (R-C9, R-F5, R-N6). */
  | "identity-unusable";

export type LoginResult =
  | { readonly kind: "login"; readonly login: ProviderLogin }
  /** `detail` is safe to show after HTML escaping, at most 200 characters; the provider's own words where it gave some. */
  | { readonly kind: "problem"; readonly problem: LoginProblem; readonly detail: string };

export type RefreshResult =
  | { readonly kind: "claims"; readonly login: ProviderLogin }
  /** invalid_grant, disabled, gone: the session ends (R-F9). */
  | { readonly kind: "ended" }
  | { readonly kind: "unreachable" }
  /** This provider has no way to refresh: claims stay those of the login. */
  | { readonly kind: "unsupported" };

/** Values of one attempt; all 256-bit random in base64url, kept in the sealed state. */
export interface LoginAttempt {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

/** A provider that the browser is sent to: OIDC, GitHub. */
export interface RedirectProvider {
  readonly kind: "redirect";
  readonly name: string;
  /** For the chooser. */
  readonly label: string;
  readonly canRefresh: boolean;
  /** URL to send the browser to. @throws SallyportError ERR_PROVIDER_UNREACHABLE | ERR_PROVIDER_INVALID */
  begin(attempt: LoginAttempt, redirectUri: string, signal?: AbortSignal): Promise<string>;
  /** @param callback the callback URL as configured plus the query as received */
  finish(attempt: LoginAttempt, callback: URL, signal?: AbortSignal): Promise<LoginResult>;
  refresh(refreshToken: string | undefined, subject: string, signal?: AbortSignal): Promise<RefreshResult>;
  /** Best effort, at logout (STACK-NOTES of refresh tokens that outlive it). */
  revoke(refreshToken: string): Promise<void>;
  /** R-F10. @returns whose sessions end, undefined when the token is not valid */
  backChannelLogout(
    logoutToken: string,
  ): Promise<{ readonly subject: string | undefined; readonly providerSessionId: string | undefined } | undefined>;
}

export type PinSending =
  /** Always the same, whether or not the address exists or may log in (no enumeration). */
  { readonly kind: "sent"; readonly challengeId: string } | { readonly kind: "limited"; readonly retryAfterS: number };

export type PinChecking =
  | { readonly kind: "login"; readonly login: ProviderLogin }
  /** `retryAfterS`: until the next try is looked at; at least 1. */
  | { readonly kind: "wrong"; readonly triesLeft: number; readonly retryAfterS: number }
  /** Too soon after a wrong one: not looked at, and no try is used up. */
  | { readonly kind: "early"; readonly retryAfterS: number }
  /** Too many tries, expired, used, or never sent: ask for a new code. */
  | { readonly kind: "over" };

/** One-time PIN by mail: no redirect, two forms on the auth host. */
export interface PinProvider {
  readonly kind: "pin";
  readonly name: string;
  readonly label: string;
  /** Where people find the code: the page tells them. @default "mail" */
  readonly delivery?: "mail" | "terminal" | undefined;
  send(email: string, clientAddress: string): Promise<PinSending>;
  check(challengeId: string, pin: string, clientAddress: string): PinChecking;
}

export type IdentityProvider = RedirectProvider | PinProvider;
