// Requests of command lines that have no browser near (RFC 8628): each waits under a code that a person types elsewhere, and
// is asked about by the command with a code of its own. Bounded per address and in all. Must not know HTTP or sessions.

import { randomBytes, randomInt } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { CODE_LENGTH, CODE_LETTERS, inHalves } from "@sallyport/shared/comparison-code";
import { type CliGrant, matchesChallenge } from "./codes.ts";
import type { CliRequest } from "./request.ts";

export const DEVICE_GRANT_LIFETIME_MS = 600_000;
/** Least time between two questions, in seconds; asking sooner makes it longer (RFC 8628 section 3.5). */
export const DEVICE_POLL_INTERVAL_S = 3;
const SLOW_DOWN_S = 5;
const MAX_INTERVAL_S = 60;
export const MAX_DEVICE_GRANTS = 5_000;
export const MAX_DEVICE_GRANTS_PER_ADDRESS = 20;
const DEVICE_CODE_BYTES = 32;

export interface DeviceGrant {
  readonly id: string;
  /** As shown: `BCDF-GHJK`. */
  readonly userCode: string;
  readonly request: CliRequest;
  /** Address that asked: shown to the person who confirms. */
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly requestedAt: number;
}

export type DeviceAnswer =
  | { readonly kind: "granted"; readonly grant: CliGrant }
  | { readonly kind: "pending" }
  | { readonly kind: "slow-down" }
  | { readonly kind: "denied" }
  /** Never issued, over, or asked for without the verifier. */
  | { readonly kind: "unknown" };

type State = { readonly kind: "pending" } | { readonly kind: "denied" } | { readonly kind: "granted"; readonly sessionId: string };

interface Waiting {
  readonly grant: DeviceGrant;
  readonly deviceCode: string;
  readonly expiresAtMs: number;
  state: State;
  intervalS: number;
  askedAtMs: number;
}

export class DeviceGrants {
  readonly #clock: Clock;
  /** By device code; insertion order is that of expiry. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #byUserCode = new Map<string, Waiting>();
  readonly #byId = new Map<string, Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  static newId(): string {
    return randomBytes(16).toString("base64url");
  }

  /** @returns undefined while too many wait, in all or of this address */
  start(id: string, request: CliRequest, address: string): { readonly grant: DeviceGrant; readonly deviceCode: string } | undefined {
    this.#forgetExpired();
    let ofAddress = 0;
    for (const { grant } of this.#waiting.values()) if (grant.address === address) ofAddress++;
    if (this.#waiting.size >= MAX_DEVICE_GRANTS || ofAddress >= MAX_DEVICE_GRANTS_PER_ADDRESS) return undefined;
    const grant: DeviceGrant = { id, userCode: this.#newUserCode(), request, address, requestedAt: this.#clock.now() };
    const deviceCode = randomBytes(DEVICE_CODE_BYTES).toString("base64url");
    const nowMs = this.#clock.monotonic();
    const waiting: Waiting = {
      grant,
      deviceCode,
      expiresAtMs: nowMs + DEVICE_GRANT_LIFETIME_MS,
      state: { kind: "pending" },
      intervalS: DEVICE_POLL_INTERVAL_S,
      askedAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#waiting.set(deviceCode, waiting);
    this.#byUserCode.set(grant.userCode, waiting);
    this.#byId.set(id, waiting);
    return { grant, deviceCode };
  }

  /** What waits under a code as a person typed it: letter case, spaces and dashes do not matter. */
  find(typed: string): DeviceGrant | undefined {
    const letters = typed.toUpperCase().replace(/[^A-Z0-9]/g, "");
    const found = letters.length === CODE_LENGTH ? this.#byUserCode.get(inHalves(letters)) : undefined;
    return found !== undefined && this.#isOpen(found) ? found.grant : undefined;
  }

  /** Records a person's decision, once. @returns the grant; undefined: over or decided already */
  decide(id: string, sessionId: string | undefined): DeviceGrant | undefined {
    const found = this.#byId.get(id);
    if (found === undefined || !this.#isOpen(found)) return undefined;
    found.state = sessionId === undefined ? { kind: "denied" } : { kind: "granted", sessionId };
    return found.grant;
  }

  /** The command's question. A final answer is given once. */
  ask(deviceCode: string, verifier: string): DeviceAnswer {
    const found = this.#waiting.get(deviceCode);
    const nowMs = this.#clock.monotonic();
    if (found === undefined || found.expiresAtMs <= nowMs) return { kind: "unknown" };
    const soon = nowMs < found.askedAtMs + found.intervalS * 1_000;
    found.askedAtMs = nowMs;
    if (soon) {
      found.intervalS = Math.min(found.intervalS + SLOW_DOWN_S, MAX_INTERVAL_S);
      return { kind: "slow-down" };
    }
    if (found.state.kind === "pending") return { kind: "pending" };
    this.#forget(found);
    if (found.state.kind === "denied") return { kind: "denied" };
    const { hostname, path, machine, challenge } = found.grant.request;
    if (!matchesChallenge(verifier, challenge)) return { kind: "unknown" };
    return { kind: "granted", grant: { sessionId: found.state.sessionId, hostname, path, machine, challenge } };
  }

  #isOpen({ state, expiresAtMs }: Waiting): boolean {
    return state.kind === "pending" && expiresAtMs > this.#clock.monotonic();
  }

  #newUserCode(): string {
    for (;;) {
      let letters = "";
      for (let i = 0; i < CODE_LENGTH; i++) letters += CODE_LETTERS[randomInt(CODE_LETTERS.length)] as string;
      const code = inHalves(letters);
      if (!this.#byUserCode.has(code)) return code;
    }
  }

  #forgetExpired(): void {
    const nowMs = this.#clock.monotonic();
    for (const waiting of this.#waiting.values()) {
      if (waiting.expiresAtMs > nowMs) return;
      this.#forget(waiting);
    }
  }

  #forget({ grant, deviceCode }: Waiting): void {
    this.#waiting.delete(deviceCode);
    this.#byUserCode.delete(grant.userCode);
    this.#byId.delete(grant.id);
  }
}
