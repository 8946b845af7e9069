// What a relay answers when a command line is signed in: read strictly, and only taken for the application that was asked for.
// The signature is the relay's own business; TLS says whose answer it is.

import { audienceAt } from "./urls.ts";

/** A token for one application, as it is kept. */
export interface AccessToken {
  /** Origin and path of the application, `https://grafana.example.com/`. */
  readonly application: string;
  /** Origin of the relay's auth host, where the token came from and is given back. */
  readonly authUrl: string;
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** A compact JWS (RFC 7515 section 7.1): nothing in it could leave a header line or a configuration line. */
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const MAX_TOKEN_LENGTH = 8_192;

/** @returns undefined when the token is not one of this relay for this application */
export function readToken(token: unknown, application: URL, authUrl: URL): AccessToken | undefined {
  if (!isToken(token)) return undefined;
  const { iss, aud, exp } = payloadOf(token);
  const at = typeof aud === "string" ? audienceAt(aud, application) : undefined;
  if (iss !== authUrl.origin || at === undefined || typeof exp !== "number" || !Number.isSafeInteger(exp)) return undefined;
  return { application: at, authUrl: authUrl.origin, token, expiresAt: exp * 1_000 };
}

export function isToken(token: unknown): token is string {
  return typeof token === "string" && token.length <= MAX_TOKEN_LENGTH && COMPACT_JWS.test(token);
}

function payloadOf(token: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as unknown;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
