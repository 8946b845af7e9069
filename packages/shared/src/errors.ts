// The base of every error that Sallyport throws. Expected outcomes (no route, denied, no connection) are
// returned as discriminated unions instead; what is thrown is a fault. Must not know HTTP, sockets or logs.

/** Stable, documented in docs/errors.md: `ERR_<AREA>_<WHAT>`. */
export type ErrorCode = `ERR_${string}`;

export interface SallyportErrorOptions {
  readonly cause?: unknown;
  /** Whether the same attempt may succeed later without anybody changing anything. Default false. */
  readonly retryable?: boolean;
}

/**
 * A fault with a stable code. The message says what happened and what to do; it never holds a token,
 * cookie, code, body or other secret. Callers branch on `code`, never on the message.
 */
export class SallyportError extends Error {
  override readonly name: string = "SallyportError";
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: SallyportErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}
