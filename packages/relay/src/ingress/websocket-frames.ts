// Follows WebSocket frame boundaries (RFC 6455 section 5.2) in the bytes that flow towards the visitor, so that
// a revoked stream can be closed with a proper close frame between two frames instead of a cut inside one
// (R-I2). It looks at frame headers only: work per frame, not per byte, and payloads stay opaque.

import { SallyportError } from "@sallyport/shared/errors";

/** 2 bytes, up to 8 of extended length, up to 4 of masking key. */
const MAX_HEADER_BYTES = 14;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BIT = 0x80;
const MAX_REASON_BYTES = 123;

export class WebSocketFrameFollower {
  readonly #header = new Uint8Array(MAX_HEADER_BYTES);
  #headerBytes = 0;
  /** Payload bytes of the current frame that are still to come. */
  #payloadLeft = 0;
  #lost = false;

  /** True when a close frame may be inserted here. False for good once a length beyond 2^53 was seen. */
  get atBoundary(): boolean {
    return !this.#lost && this.#headerBytes === 0 && this.#payloadLeft === 0;
  }

  /** Takes note of bytes that were written towards the visitor after the 101. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#lost) {
      if (this.#payloadLeft > 0) {
        const step = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= step;
        at += step;
        continue;
      }
      this.#header[this.#headerBytes++] = chunk[at++] as number;
      if (this.#headerBytes >= this.#headerLength()) this.#finishHeader();
    }
  }

  /** How long this header is, as far as its bytes tell by now. */
  #headerLength(): number {
    if (this.#headerBytes < 2) return 2;
    const second = this.#header[1] as number;
    const length = second & 0x7f;
    return 2 + (length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0) + ((second & MASK_BIT) === 0 ? 0 : 4);
  }

  #finishHeader(): void {
    const view = new DataView(this.#header.buffer);
    const length = (this.#header[1] as number) & 0x7f;
    this.#headerBytes = 0;
    if (length < LENGTH_16) this.#payloadLeft = length;
    else if (length === LENGTH_16) this.#payloadLeft = view.getUint16(2);
    else this.#payloadLeft = view.getUint32(2) * 2 ** 32 + view.getUint32(6);
    this.#lost = !Number.isSafeInteger(this.#payloadLeft);
  }
}

/**
 * An unmasked close frame, as a server sends it (RFC 6455 section 5.5.1).
 * @param code 1000 to 4999.
 * @param reason at most 123 bytes of UTF-8.
 */
export function closeFrame(code: number, reason: string): Uint8Array {
  const text = Buffer.from(reason, "utf8");
  if (text.length > MAX_REASON_BYTES || code < 1000 || code > 4999) {
    throw new SallyportError(
      "ERR_INGRESS_CLOSE_FRAME",
      "A WebSocket close frame takes a code of 1000 to 4999 and at most 123 bytes of reason.",
    );
  }
  return Buffer.concat([Buffer.from([0x88, 2 + text.length, code >> 8, code & 0xff]), text]);
}
