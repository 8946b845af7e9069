// Reads a whole request body, up to a bound: for the relay's own forms, never for what is forwarded. Must not know what is
// in it.

export type SmallBody =
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  | { readonly kind: "too-large" }
  /** The visitor went away before the end of it. */
  | { readonly kind: "aborted" };

export class SmallBodyReader {
  readonly result: Promise<SmallBody>;
  readonly #maxBytes: number;
  readonly #settle: (body: SmallBody) => void;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    const { promise, resolve } = Promise.withResolvers<SmallBody>();
    this.result = promise;
    this.#settle = resolve;
  }

  data(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      this.#chunks.length = 0;
      return this.#settle({ kind: "too-large" });
    }
    this.#chunks.push(chunk);
  }

  end(): void {
    this.#settle({ kind: "body", bytes: Buffer.concat(this.#chunks) });
  }

  abort(): void {
    this.#settle({ kind: "aborted" });
  }
}
