// Secrets as a type: they cannot be printed, serialised or compared with == by accident.

import { createHash, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

const REDACTED = "[redacted]";

/** Holds a secret string; every way of printing it yields `[redacted]`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The secret itself, for the one place that hands it to cryptography or a peer. */
  reveal(): string {
    return this.#value;
  }

  /** Constant-time comparison; unequal lengths neither throw nor return early. */
  equals(candidate: string): boolean {
    return equalInConstantTime(this.#value, candidate);
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }
}

// Not a class member, because isolated declarations cannot infer a computed name.
Object.defineProperty(Secret.prototype, inspect.custom, { value: () => REDACTED });

/** Compares two strings through their SHA-256 digests, so that time depends on neither content nor length match. */
export function equalInConstantTime(a: string, b: string): boolean {
  return timingSafeEqual(createHash("sha256").update(a).digest(), createHash("sha256").update(b).digest());
}
