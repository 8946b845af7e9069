// What stands between a stream that the relay opened and the origin: whether the relay proved who asks (T16, R-K5). The
// connector does not take the relay's word for it; it verifies the assertion of each stream with keys that the root key
// in its own credential vouches for. On by default, and there is no switch.

import type { Clock } from "@sallyport/shared/clock";
import type { TunnelCredential } from "@sallyport/shared/credential-file";
import type { OpenHead } from "@sallyport/shared/protocol/head";
import { FileKeyState, Keyring, type KeyState, MemoryKeyState } from "./keyring.ts";
import { type AssertionClaims, MAX_SKEW_MS, verifyAssertion } from "./verify.ts";

export type Verdict =
  /** `forward`: the origin may see the token (never that of a bypass). */
  | { readonly kind: "allowed"; readonly forward: boolean }
  /** `reason` goes into the local log and, as text of the RESET, to the relay: never the token or a claim. */
  | { readonly kind: "refused"; readonly reason: string };

export interface StreamGate {
  /** A signed key manifest arrived. `problem`: why it was not accepted; the keys known before stay in force. */
  takeManifest(manifest: string): ManifestVerdict;
  /** Decides on one stream. `token` is undefined when the relay sent no assertion for it. */
  check(token: string | undefined, open: Pick<OpenHead, "service">): Verdict;
}

export type ManifestVerdict =
  /** `warning`: accepted, but a later start will not know that it was. */
  | { readonly kind: "accepted"; readonly version: number; readonly warning?: string }
  | { readonly kind: "refused"; readonly problem: string };

/** Tokens whose signature was verified and is not verified again. */
const MAX_CACHED = 4_096;

/**
 * @param credentialPath where the credential was read from: the highest manifest version seen is kept beside it.
 *   Undefined (credential from the environment): kept in memory only.
 */
export function createGate(credential: TunnelCredential, credentialPath: string | undefined, clock: Clock): StreamGate {
  const state = credentialPath === undefined ? new MemoryKeyState() : new FileKeyState(`${credentialPath}.keys`);
  return new AssertionGate(credential, state, clock);
}

export class AssertionGate implements StreamGate {
  readonly #credential: TunnelCredential;
  readonly #clock: Clock;
  readonly #keyring: Keyring;
  /** By token bytes; insertion order is age. */
  readonly #verified = new Map<string, AssertionClaims>();

  constructor(credential: TunnelCredential, state: KeyState, clock: Clock) {
    this.#credential = credential;
    this.#clock = clock;
    this.#keyring = new Keyring(credential.rootKey, state);
  }

  takeManifest(manifest: string): ManifestVerdict {
    const verdict = this.#keyring.take(manifest, this.#clock.now());
    // A key may have been taken back: what it signed is verified again.
    if (verdict.kind === "accepted") this.#verified.clear();
    return verdict;
  }

  check(token: string | undefined, open: Pick<OpenHead, "service">): Verdict {
    if (token === undefined) return refused("no assertion");
    const nowMs = this.#clock.now();
    const keys = this.#keyring.keys(nowMs);
    if (keys === undefined) return refused("no valid key manifest");
    const known = this.#verified.get(token);
    if (known !== undefined) return this.#judge(known, open.service, nowMs);
    const result = verifyAssertion(token, keys);
    if (!result.ok) return refused(result.problem);
    if (this.#verified.size >= MAX_CACHED) this.#verified.delete(this.#verified.keys().next().value as string);
    this.#verified.set(token, result.claims);
    return this.#judge(result.claims, open.service, nowMs);
  }

  // What depends on the stream and on the time: at each use, cached or not (R-I4).
  #judge(claims: AssertionClaims, service: string, nowMs: number): Verdict {
    if (claims.expiresAt + MAX_SKEW_MS <= nowMs) return refused("assertion expired");
    if (claims.issuedAt - MAX_SKEW_MS > nowMs || claims.notBefore - MAX_SKEW_MS > nowMs) return refused("assertion not valid yet");
    if (claims.issuer !== this.#credential.relayUrl) return refused("assertion of another relay");
    if (claims.tunnel !== this.#credential.tunnel) return refused("assertion for another tunnel");
    if (claims.service !== service) return refused("assertion for another service");
    return { kind: "allowed", forward: claims.kind !== "bypass" };
  }
}

function refused(reason: string): Verdict {
  return { kind: "refused", reason };
}
