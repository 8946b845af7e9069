// One-use codes that carry a sign-in from the auth host to an application's host (R-H2): the only thing in the URL, useless
// after one use, after half a minute, on another host and in another browser. Must not know tokens.

import { randomBytes } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { isSameBinding } from "./binding.ts";

export const HANDOVER_LIFETIME_MS = 30_000;
/** Most codes that wait; the oldest gives way. */
export const MAX_HANDOVERS = 20_000;
const CODE_BYTES = 32;

export interface Handover {
  /** Host that the code is for. */
  readonly hostname: string;
  /** Where the visitor wanted to go there. */
  readonly path: string;
  readonly sessionId: string;
  /** Of the login cookie on that host. */
  readonly binding: string;
}

export type TakenHandover =
  | { readonly kind: "taken"; readonly handover: Handover }
  /** Begun by another browser, or by this one before it had its cookie. */
  | { readonly kind: "foreign"; readonly path: string }
  /** Never issued, used, expired, or of another host. */
  | { readonly kind: "unknown" };

export class Handovers {
  readonly #clock: Clock;
  readonly #max: number;
  /** By code; insertion order is that of expiry. */
  readonly #waiting = new Map<string, { readonly handover: Handover; readonly expiresAtMs: number }>();

  constructor(clock: Clock, max: number = MAX_HANDOVERS) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** @returns the code, 256 random bits in base64url */
  issue(handover: Handover): string {
    this.#makeRoom();
    const code = randomBytes(CODE_BYTES).toString("base64url");
    this.#waiting.set(code, { handover, expiresAtMs: this.#clock.monotonic() + HANDOVER_LIFETIME_MS });
    return code;
  }

  /** Uses a code up, whatever comes of it. */
  take(code: string, hostname: string, binding: string | undefined): TakenHandover {
    const found = this.#waiting.get(code);
    this.#waiting.delete(code);
    if (found === undefined || found.expiresAtMs <= this.#clock.monotonic() || found.handover.hostname !== hostname)
      return { kind: "unknown" };
    if (!isSameBinding(found.handover.binding, binding)) return { kind: "foreign", path: found.handover.path };
    return { kind: "taken", handover: found.handover };
  }

  #makeRoom(): void {
    const nowMs = this.#clock.monotonic();
    for (const [code, { expiresAtMs }] of this.#waiting) {
      if (expiresAtMs > nowMs && this.#waiting.size < this.#max) return;
      this.#waiting.delete(code);
    }
  }
}
