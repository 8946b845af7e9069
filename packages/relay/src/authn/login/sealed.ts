// Values of a sign-in under way that travel through the browser: encrypted and authenticated, each for one purpose and
// a limited time, so that the relay keeps nothing for visitors who never come back (R-F1). Must not know what is in them.

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Clock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";

/** Each is refused where another is expected (R-G3). */
export type SealPurpose = "login-request" | "provider-state" | "pin-challenge" | "cli-request";

/**
 * Longest content, in bytes of its JSON: the longest return path with the longest host name, address and provider name. The
 * sealed text is a third longer and has to fit into URLs; usual ones have 300 bytes.
 */
export const MAX_SEALED_CONTENT_BYTES = 2_560;

export type Opened<T> =
  | { readonly kind: "open"; readonly content: T; readonly id: string; readonly expiresAt: number }
  /** Ours, unaltered, but too old: good for starting again at the same place, for nothing else. */
  | { readonly kind: "expired"; readonly content: T }
  | { readonly kind: "invalid" };

interface Envelope {
  /** Milliseconds since the epoch. */
  readonly e: number;
  readonly c: unknown;
}

// NIST SP 800-38D: 96-bit nonce, 128-bit tag. Random nonces are safe for far more messages than one key ever seals here.
const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ENVELOPE_BYTES = 64;
const MAX_TEXT_LENGTH: number = Math.ceil(((MAX_SEALED_CONTENT_BYTES + ENVELOPE_BYTES + NONCE_BYTES + TAG_BYTES) * 4) / 3);
const TEXT = /^[A-Za-z0-9_-]+$/;
const INVALID: Opened<never> = { kind: "invalid" };

export class Sealer {
  readonly #key: Uint8Array;
  readonly #clock: Clock;

  /** @param key 32 bytes that nothing else uses */
  constructor(key: Uint8Array, clock: Clock) {
    this.#key = key;
    this.#clock = clock;
  }

  /** @returns base64url. @throws ERR_LOGIN_SEAL when the content is larger than {@link MAX_SEALED_CONTENT_BYTES} */
  seal(purpose: SealPurpose, content: object, lifetimeMs: number): string {
    const size = Buffer.byteLength(JSON.stringify(content));
    if (size > MAX_SEALED_CONTENT_BYTES)
      throw new SallyportError("ERR_LOGIN_SEAL", `A value of ${size} bytes is too large to travel through a browser.`);
    const envelope: Envelope = { e: this.#clock.now() + lifetimeMs, c: content };
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(purpose, "latin1"));
    const sealed = Buffer.concat([nonce, cipher.update(JSON.stringify(envelope), "utf8"), cipher.final(), cipher.getAuthTag()]);
    return sealed.toString("base64url");
  }

  /** What {@link seal} was given, if `text` came from there for the same purpose. `id` is different for each sealed value. */
  open<T>(purpose: SealPurpose, text: string | undefined): Opened<T> {
    if (text === undefined || text.length > MAX_TEXT_LENGTH || !TEXT.test(text)) return INVALID;
    const bytes = Buffer.from(text, "base64url");
    // Trailing bits that decode to the same bytes would be a second spelling of one value.
    if (bytes.length <= NONCE_BYTES + TAG_BYTES || bytes.toString("base64url") !== text) return INVALID;
    const envelope = this.#decrypt(purpose, bytes);
    if (envelope === undefined) return INVALID;
    const content = envelope.c as T;
    if (envelope.e <= this.#clock.now()) return { kind: "expired", content };
    return { kind: "open", content, id: bytes.subarray(0, NONCE_BYTES).toString("base64url"), expiresAt: envelope.e };
  }

  #decrypt(purpose: SealPurpose, bytes: Buffer): Envelope | undefined {
    try {
      const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(purpose, "latin1"));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString("utf8");
      return JSON.parse(text) as Envelope;
    } catch {
      // Not ours, altered, or of another purpose: which of them is nobody's business.
      return undefined;
    }
  }
}
