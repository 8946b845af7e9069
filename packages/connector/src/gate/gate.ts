// What stands between a stream that the relay opened and the origin: whether the relay proved who asks (T16, R-K5). The
// connector does not take the relay's word for it; it verifies the assertion of each stream with keys that the root key
// in its own credential vouches for. On by default, and there is no switch.

import type { Clock } from "@sallyport/shared/clock";
import type { TunnelCredential } from "@sallyport/shared/credential-file";
import type { Fields } from "@sallyport/shared/http/fields";
import type { JwsKey } from "@sallyport/shared/jws";
import type { OpenHead } from "@sallyport/shared/protocol/head";
import { type AccessClaims, isSameIdentity, readAccessFields, verifyAccessAssertion } from "./access-contract.ts";
import { FileKeyState, Keyring, type KeyState, MemoryKeyState } from "./keyring.ts";
import { type AssertionClaims, MAX_SKEW_MS, type TokenTimes, verifyAssertion } from "./verify.ts";

export type Verdict =
  /** `claims`: who asks, as verified. The origin may see the token, unless it is that of a bypass. */
  | { readonly kind: "allowed"; readonly claims: AssertionClaims }
  /** `reason` goes into the local log and, as text of the RESET, to the relay: never the token or a claim. */
  | { readonly kind: "refused"; readonly reason: string };

export interface StreamGate {
  /** A signed key manifest arrived. `problem`: why it was not accepted; the keys known before stay in force. */
  takeManifest(manifest: string): ManifestVerdict;
  /** Decides on one stream. `token` is undefined when the relay sent no assertion for it. */
  check(token: string | undefined, open: Pick<OpenHead, "service" | "fields">): Verdict;
}

export type ManifestVerdict =
  /** `warning`: accepted, but a later start will not know that it was. */
  | { readonly kind: "accepted"; readonly version: number; readonly warning?: string }
  | { readonly kind: "refused"; readonly problem: string };

/** Tokens, of each kind, whose signature was verified and is not verified again. */
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
  readonly #verifiedAccess = new Map<string, AccessClaims>();

  constructor(credential: TunnelCredential, state: KeyState, clock: Clock) {
    this.#credential = credential;
    this.#clock = clock;
    this.#keyring = new Keyring(credential.rootKey, state);
  }

  takeManifest(manifest: string): ManifestVerdict {
    const verdict = this.#keyring.take(manifest, this.#clock.now());
    // A key may have been taken back: what it signed is verified again.
    if (verdict.kind === "accepted") {
      this.#verified.clear();
      this.#verifiedAccess.clear();
    }
    return verdict;
  }

  check(token: string | undefined, open: Pick<OpenHead, "service" | "fields">): Verdict {
    if (token === undefined) return refused("no assertion");
    const nowMs = this.#clock.now();
    const keys = this.#keyring.keys(nowMs);
    if (keys === undefined) return refused("no valid key manifest");
    let claims = this.#verified.get(token);
    if (claims === undefined) {
      const result = verifyAssertion(token, keys);
      if (!result.ok) return refused(result.problem);
      remember(this.#verified, token, (claims = result.claims));
    }
    const problem = this.#problem(claims, open.service, nowMs) ?? this.#accessProblem(claims, open.fields, keys, nowMs);
    return problem === undefined ? { kind: "allowed", claims } : refused(problem);
  }

  // What depends on the stream and on the time: at each use, cached or not (R-I4).
  #problem(claims: AssertionClaims, service: string, nowMs: number): string | undefined {
    const untimely = timeProblem(claims, nowMs);
    if (untimely !== undefined) return `assertion ${untimely}`;
    if (claims.issuer !== this.#credential.relayUrl) return "assertion of another relay";
    if (claims.tunnel !== this.#credential.tunnel) return "assertion for another tunnel";
    if (claims.service !== service) return "assertion for another service";
    return undefined;
  }

  // The second assertion, where the application has one: by the same manifest, about the same person.
  #accessProblem(ours: AssertionClaims, fields: Fields, keys: ReadonlyMap<string, JwsKey>, nowMs: number): string | undefined {
    const reading = readAccessFields(fields);
    if (reading.kind === "absent") return undefined;
    if (reading.kind === "broken") return "fields of the Access contract contradict each other";
    const { token, email } = reading.fields;
    let theirs = this.#verifiedAccess.get(token);
    if (theirs === undefined) {
      theirs = verifyAccessAssertion(token, keys);
      if (theirs === undefined) return "Access assertion does not verify";
      remember(this.#verifiedAccess, token, theirs);
    }
    const untimely = timeProblem(theirs, nowMs);
    if (untimely !== undefined) return `Access assertion ${untimely}`;
    if (theirs.issuer !== this.#credential.relayUrl) return "Access assertion of another relay";
    return isSameIdentity(ours, theirs, email) ? undefined : "Access assertion about somebody else";
  }
}

function timeProblem({ issuedAt, notBefore, expiresAt }: TokenTimes, nowMs: number): string | undefined {
  if (expiresAt + MAX_SKEW_MS <= nowMs) return "expired";
  return issuedAt - MAX_SKEW_MS > nowMs || notBefore - MAX_SKEW_MS > nowMs ? "not valid yet" : undefined;
}

function remember<Claims>(verified: Map<string, Claims>, token: string, claims: Claims): void {
  if (verified.size >= MAX_CACHED) verified.delete(verified.keys().next().value as string);
  verified.set(token, claims);
}

function refused(reason: string): Verdict {
  return { kind: "refused", reason };
}
