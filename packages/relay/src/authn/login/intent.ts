// What a sign-in is for: which page of which application, begun by which browser. Travels sealed through the visitor's
// browser (R-E1), so that nobody else can write it.

import type { Opened, Sealer } from "./sealed.ts";

/** How long a sign-in may take from one page to the next. */
export const INTENT_LIFETIME_MS = 600_000;

/** Longest path with query that a visitor is brought back to, in bytes; a longer one becomes `/`. Fits into {@link Sealer} values. */
export const MAX_RETURN_BYTES = 1_600;

export type Intent =
  | {
      readonly kind: "application";
      readonly hostname: string;
      /** Path with query to come back to. */
      readonly path: string;
      /** Of the login cookie on the application's host; undefined: the sign-in did not begin there, so nothing is handed over. */
      readonly binding?: string | undefined;
    }
  /** A page of the auth host itself. */
  | { readonly kind: "own"; readonly path: string };

export const HOME: Intent = { kind: "own", path: "/" };

export function applicationIntent(hostname: string, path: string, binding?: string): Intent {
  // As JSON, since that is what has to fit.
  const back = Buffer.byteLength(JSON.stringify(path)) > MAX_RETURN_BYTES + 2 ? "/" : path;
  return binding === undefined ? { kind: "application", hostname, path: back } : { kind: "application", hostname, path: back, binding };
}

export function sealIntent(sealer: Sealer, intent: Intent): string {
  return sealer.seal("login-request", intent, INTENT_LIFETIME_MS);
}

export function openIntent(sealer: Sealer, text: string | undefined): Opened<Intent> {
  return sealer.open<Intent>("login-request", text);
}
