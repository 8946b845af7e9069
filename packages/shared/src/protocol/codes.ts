// Numbers with a meaning on the wire of `sallyport.v1`: why a stream was reset, why a connection goes away,
// and the WebSocket close codes. docs/protocol.md is the specification; a test pins every number.

/** Why a stream ended without being complete. Sent in RESET; 16 bits. */
export const ResetCode = {
  /** The receiver of the exchange is no longer interested (visitor went away, gRPC cancel). */
  CANCEL: 0x00,
  /** Not processed at all: safe to try on another connection. */
  REFUSED: 0x01,
  /** A fault of the sender of RESET. */
  INTERNAL: 0x02,
  /** Data arrived for a stream beyond its credit or after its end. */
  STREAM_PROTOCOL: 0x03,
  /** The process-wide buffer budget is spent and this stream has stalled longest. */
  OVERLOAD: 0x04,
  /** The exchange is no longer permitted (logout, revocation, changed policy). */
  REVOKED: 0x05,
  /** Idle limit passed (request body, or a stream of the application's own limit). */
  IDLE_TIMEOUT: 0x06,
  /** The connector's allow list has no such service. */
  SERVICE_UNKNOWN: 0x10,
  /** The connector did not accept the assertion. */
  ASSERTION_REFUSED: 0x11,
  /** TCP connection to the origin refused or unreachable, or its name does not resolve. */
  ORIGIN_UNREACHABLE: 0x12,
  /** TCP or TLS connection to the origin not ready in connectTimeout. */
  ORIGIN_CONNECT_TIMEOUT: 0x13,
  /** No response head within responseHeaderTimeout. */
  ORIGIN_HEADER_TIMEOUT: 0x14,
  /** TLS to the origin failed (certificate, name, protocol). */
  ORIGIN_TLS: 0x15,
  /** The origin closed or reset the exchange before it was complete. */
  ORIGIN_CLOSED: 0x16,
  /** The origin's response breaks HTTP. */
  ORIGIN_PROTOCOL: 0x17,
  /** What the relay decided cannot be expressed to the origin (for example a path prefix that does not fit). */
  REQUEST_INVALID: 0x18,
  /** Never on the wire: the connection that carried the stream was lost. */
  CONNECTION_LOST: 0xffff,
} as const;
export type ResetCode = (typeof ResetCode)[keyof typeof ResetCode];

/** Why a connection takes no more streams. Sent in GOAWAY; 16 bits. */
export const GoawayReason = {
  /** Planned stop or restart of the sender: come back after the delay. */
  SHUTDOWN: 0x00,
  /** Stream ids are nearly used up: open a new connection. */
  EXHAUSTED: 0x01,
  /** The credential was revoked: permanent. */
  CREDENTIAL_REVOKED: 0x02,
  /** The credential is not known, or its signature did not verify: permanent. */
  CREDENTIAL_UNKNOWN: 0x03,
  /** The tunnel is no longer in the relay's configuration: permanent until that changes. */
  TUNNEL_REMOVED: 0x04,
  /** The other side broke the protocol. */
  PROTOCOL_ERROR: 0x05,
  /** No common protocol version: upgrade one side; permanent. */
  VERSION: 0x06,
  /** A hostname was asked for that this tunnel is not granted: permanent until the configuration changes. */
  HOSTNAME_NOT_GRANTED: 0x07,
  /** Too many connections or handshakes now: come back after the delay. */
  OVERLOAD: 0x08,
} as const;
export type GoawayReason = (typeof GoawayReason)[keyof typeof GoawayReason];

/** Reasons after which trying again is pointless until a person changes something. */
export const PERMANENT_GOAWAY_REASONS: ReadonlySet<GoawayReason> = new Set<GoawayReason>([
  GoawayReason.CREDENTIAL_REVOKED,
  GoawayReason.CREDENTIAL_UNKNOWN,
  GoawayReason.TUNNEL_REMOVED,
  GoawayReason.VERSION,
  GoawayReason.HOSTNAME_NOT_GRANTED,
]);

/** WebSocket close codes (RFC 6455 section 7.4; 4000 to 4999 are private). */
export const CloseCode = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  POLICY_VIOLATION: 1008,
  PROTOCOL_ERROR: 4000,
  AUTHENTICATION_FAILED: 4001,
  HANDSHAKE_TIMEOUT: 4002,
  LIVENESS_TIMEOUT: 4003,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];
