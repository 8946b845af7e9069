// From what Node and OpenSSL report to the code a visitor's error page is made of. Decides by error
// codes and by the phase, never by message text. Must not know streams or HTTP.

import { ResetCode } from "@sallyport/shared/protocol/codes";

import { failure } from "./exchange.ts";
import type { OriginFailure } from "./exchange.ts";

/** The `code` of an error, made fit for a log: capitals, digits and underscores. */
export function errorText(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  if (typeof code === "string" && /^[A-Za-z0-9_]{1,64}$/.test(code)) return code;
  return error instanceof Error && /^[A-Za-z]{1,64}$/.test(error.name) ? error.name : "unknown";
}

/** The connection did not come about. `phase` says what it was waiting for. */
export function connectFailure(error: unknown, phase: "tcp" | "tls"): OriginFailure {
  const code = phase === "tls" ? ResetCode.ORIGIN_TLS : ResetCode.ORIGIN_UNREACHABLE;
  return failure(code, errorText(error), "other-origin");
}

const CLOSED_CODES: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ECONNABORTED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
]);

/**
 * An established HTTP/1.1 connection failed. Anything that is not the network's doing is the origin breaking HTTP.
 * @param untouched the connection was reused and not one byte of this response had arrived.
 */
export function brokenFailure(error: unknown, untouched: boolean, ended: boolean): OriginFailure {
  const text = errorText(error);
  const closed = ended || CLOSED_CODES.has(text);
  if (!closed) return failure(ResetCode.ORIGIN_PROTOCOL, text);
  return failure(ResetCode.ORIGIN_CLOSED, text, untouched ? "if-idempotent" : "no");
}
