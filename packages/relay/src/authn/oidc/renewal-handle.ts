// What is kept of a login to ask for its claims again: a refresh token, or where the provider gives none, the access token
// for as long as it lives. Opaque to the session, which keeps it encrypted. Pure.

export type RenewalHandle =
  | { readonly kind: "refresh-token"; readonly token: string }
  /** Good for userinfo until then; milliseconds since the epoch. */
  | { readonly kind: "access-token"; readonly token: string; readonly expiresAtMs: number };

/** Characters; longer tokens are not kept. */
const MAX_TOKEN_LENGTH = 16_384;

export function writeHandle(handle: RenewalHandle): string | undefined {
  if (handle.token.length > MAX_TOKEN_LENGTH) return undefined;
  return handle.kind === "refresh-token" ? `rt.${handle.token}` : `at.${handle.expiresAtMs}.${handle.token}`;
}

export function readHandle(text: string): RenewalHandle | undefined {
  if (text.startsWith("rt.")) return { kind: "refresh-token", token: text.slice(3) };
  const match = /^at\.(\d{1,15})\.([^]*)$/.exec(text);
  return match === null ? undefined : { kind: "access-token", token: match[2] as string, expiresAtMs: Number(match[1]) };
}
