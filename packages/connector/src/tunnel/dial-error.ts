// What can go wrong between "dial" and an open WebSocket, told so that a person knows which hop failed and what to
// do about it. The supervisor reads `retryable` and `retryAfterMs`; `check` reads `stage` and `remedy`.

import { type ErrorCode, SallyportError } from "@sallyport/shared/errors";

/** The hops of a dial, in order. */
export type DialStage = "dns" | "proxy" | "tcp" | "tls" | "websocket";

export interface DialErrorOptions {
  readonly stage: DialStage;
  /** What to do, as a sentence without a final stop. */
  readonly remedy: string;
  readonly retryable?: boolean;
  /** When the relay named an earliest time for the next attempt. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

export class DialError extends SallyportError {
  override readonly name: string = "DialError";
  readonly stage: DialStage;
  readonly remedy: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: DialErrorOptions) {
    super(code, message, { cause: options.cause, retryable: options.retryable ?? true });
    this.stage = options.stage;
    this.remedy = options.remedy;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Where the dial went, for the words of an error. */
export interface DialContext {
  /** host:port of the relay. */
  readonly relay: string;
  /** Displayable proxy URL, when one is used. */
  readonly proxy: string | undefined;
}

interface NodeError {
  readonly code?: string;
  readonly syscall?: string;
  readonly statusCode?: number;
  readonly message: string;
  readonly errors?: readonly NodeError[];
}

// OpenSSL's words for certificates that only a private CA would make good.
const UNTRUSTED: ReadonlySet<string> = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);
const EXPIRY: ReadonlySet<string> = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);
const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EACCES",
  "EPERM",
  "EADDRNOTAVAIL",
]);

/** Turns what Node reports about a failed attempt into words. Every one of these may pass by itself, so all are retryable. */
export function describeFailure(cause: unknown, context: DialContext): DialError {
  const error = cause as NodeError;
  const code = error.code ?? error.errors?.[0]?.code ?? "";
  if (code === "ERR_PROXY_TUNNEL" || code === "ERR_PROXY_INVALID_CONFIG") return proxyRefused(error, context);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || error.syscall === "getaddrinfo") return nameFailure(code, context, cause);
  if (code === "ETIMEDOUT") return timeout(context, cause);
  if (UNREACHABLE.has(code)) return unreachable(code, context, cause);
  if (UNTRUSTED.has(code) || EXPIRY.has(code) || code === "ERR_TLS_CERT_ALTNAME_INVALID" || isTls(code))
    return tlsFailure(code, context, cause);
  return new DialError(
    "ERR_DIAL_CLOSED",
    `the connection to ${context.relay} was closed before it was ready${code === "" ? "" : ` (${code})`}`,
    {
      stage: "websocket",
      remedy: "see whether a firewall or proxy between here and the relay cuts WebSockets; `sallyport check` shows the hop",
      cause,
    },
  );
}

/** The attempt took too long as a whole. */
export function timeout(context: DialContext, cause?: unknown): DialError {
  const [stage, hop] =
    context.proxy === undefined ? (["tcp", context.relay] as const) : (["proxy", `${context.relay} through ${context.proxy}`] as const);
  return new DialError("ERR_DIAL_TIMEOUT", `no answer from ${hop} in time`, {
    stage,
    remedy: "allow outbound TCP to it in the firewall, or set HTTPS_PROXY if this network has a proxy",
    cause,
  });
}

function proxyRefused(error: NodeError, context: DialContext): DialError {
  const status = error.statusCode;
  const proxy = context.proxy ?? "the proxy";
  if (status === 407) {
    return new DialError("ERR_DIAL_PROXY_AUTH", `${proxy} wants a user and password (407)`, {
      stage: "proxy",
      remedy: "write them into the proxy's URL: HTTPS_PROXY=http://user:password@host:port (percent-encode special characters)",
    });
  }
  return new DialError(
    "ERR_DIAL_PROXY",
    `${proxy} did not open a tunnel to ${context.relay}${status === undefined ? "" : ` (${status})`}`,
    {
      stage: "proxy",
      remedy: `ask whoever runs the proxy to allow CONNECT to ${context.relay}, or exempt it with NO_PROXY`,
      cause: error,
    },
  );
}

function nameFailure(code: string, context: DialContext, cause: unknown): DialError {
  const what = context.proxy ?? context.relay;
  return new DialError("ERR_DIAL_DNS", `the name of ${what} does not resolve (${code})`, {
    stage: context.proxy === undefined ? "dns" : "proxy",
    remedy: "check the spelling of the name and this machine's DNS server",
    cause,
  });
}

function unreachable(code: string, context: DialContext, cause: unknown): DialError {
  const viaProxy = context.proxy !== undefined;
  return new DialError("ERR_DIAL_UNREACHABLE", `${context.proxy ?? context.relay} cannot be reached (${code})`, {
    stage: viaProxy ? "proxy" : "tcp",
    remedy: viaProxy
      ? "check host and port of the proxy"
      : "check that the relay runs there and that the firewall allows outbound TCP to it",
    cause,
  });
}

function tlsFailure(code: string, context: DialContext, cause: unknown): DialError {
  return new DialError("ERR_DIAL_TLS", `TLS with ${context.relay} failed (${code})`, { stage: "tls", remedy: tlsRemedy(code), cause });
}

function tlsRemedy(code: string): string {
  if (UNTRUSTED.has(code))
    return "its certificate comes from an authority this machine does not know: give that authority's PEM file with --ca or NODE_EXTRA_CA_CERTS";
  if (EXPIRY.has(code)) return "its certificate is out of date (or this machine's clock is wrong): renew the certificate on the relay";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "its certificate is for another name: dial the relay by the name in its certificate, or issue one for this name";
  return "check that the port speaks TLS and that nothing on the way intercepts it";
}

function isTls(code: string): boolean {
  return (
    code.startsWith("ERR_SSL_") ||
    code.startsWith("ERR_TLS_") ||
    code.startsWith("CERT_") ||
    code === "EPROTO" ||
    code === "HOSTNAME_MISMATCH"
  );
}
