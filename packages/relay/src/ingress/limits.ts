// What one visitor may take of the ingress: every bound of the engines, with its default, in one place
// (I7, R-L1 to R-L3). Names shared with the `limits` section of the configuration are spelt alike, so that it
// can be spread over the defaults.

/** All sizes in bytes, all times in milliseconds; every value is a positive integer unless said otherwise. */
export interface IngressLimits {
  /** From the first moment of a connection (or the first byte of a later request) to the end of its head. Default 15 s. */
  readonly headerTimeoutMs: number;
  /** How long a connection without an exchange stays open. Default 75 s. */
  readonly keepAliveTimeoutMs: number;
  /** A request body that is being waited for and brings no byte for this long ends its exchange with 408 (R-D8). Default 60 s. */
  readonly requestBodyIdleMs: number;
  /** One request head, summed as shared/http/field-limits.ts counts it; more is answered 431. Default 16 KiB. */
  readonly maxHeaderBytes: number;
  /** Field lines of one request head; more is answered 431. Default 100. */
  readonly maxHeaderFields: number;
  /** Request-target or :path; more is answered 414. Default 8 KiB. */
  readonly maxUrlBytes: number;
  /** Connections of one source, an IPv4 address or an IPv6 /64; more are closed at once. Default 512 (whole offices sit behind one address). */
  readonly maxConnectionsPerAddress: number;
  /** Connections in all; more are closed at once. Default 50,000. */
  readonly maxConnections: number;
  /** Concurrent streams of one HTTP/2 session (SETTINGS_MAX_CONCURRENT_STREAMS). Default 100. */
  readonly maxStreamsPerConnection: number;
  /** Streams of one HTTP/2 session that end by a reset the relay did not ask for, in {@link floodWindowMs}. Default 100 (R-L3). */
  readonly maxStreamResets: number;
  /** SETTINGS frames of one HTTP/2 session in {@link floodWindowMs}. Default 100. */
  readonly maxSettingsFrames: number;
  /** PING frames of one HTTP/2 session in {@link floodWindowMs}; gRPC measures its bandwidth with them. Default 10,000. */
  readonly maxPingFrames: number;
  /** The time in which the three budgets above are counted. Default 10 s. */
  readonly floodWindowMs: number;
  /** What nghttp2 may hold for one session, in megabytes. Default 10. */
  readonly maxSessionMemoryMb: number;
  /** A PROXY protocol header must be complete within this time. Default 5 s. */
  readonly proxyHeaderTimeoutMs: number;
}

export const DEFAULT_LIMITS: IngressLimits = Object.freeze({
  headerTimeoutMs: 15_000,
  keepAliveTimeoutMs: 75_000,
  requestBodyIdleMs: 60_000,
  maxHeaderBytes: 16 * 1024,
  maxHeaderFields: 100,
  maxUrlBytes: 8 * 1024,
  maxConnectionsPerAddress: 512,
  maxConnections: 50_000,
  maxStreamsPerConnection: 100,
  maxStreamResets: 100,
  maxSettingsFrames: 100,
  maxPingFrames: 10_000,
  floodWindowMs: 10_000,
  maxSessionMemoryMb: 10,
  proxyHeaderTimeoutMs: 5_000,
});
