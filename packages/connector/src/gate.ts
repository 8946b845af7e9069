// What stands between a stream that the relay opened and the origin: whether the relay proved who asks (T16, R-K5).
// The connector does not take the relay's word for it. Only the contract; the implementation verifies signatures.

import type { OpenHead } from "@sallyport/shared/protocol/head";

export type Verdict =
  | { readonly kind: "allowed" }
  /** `reason` goes into the local log and, as text of the RESET, to the relay: never the token or a claim. */
  | { readonly kind: "refused"; readonly reason: string };

export interface StreamGate {
  /** A signed key manifest arrived. `problem`: why it was not accepted; the keys known before stay in force. */
  takeManifest(manifest: string): { readonly kind: "accepted" } | { readonly kind: "refused"; readonly problem: string };
  /** Decides on one stream. `token` is undefined when the relay sent no assertion for it. */
  check(token: string | undefined, open: OpenHead): Verdict;
}
