// The names of structured log fields, so that a field is spelt one way in both programs.

export const LogField = {
  application: "application",
  attempt: "attempt",
  bytesIn: "bytesIn",
  bytesOut: "bytesOut",
  cause: "cause",
  code: "code",
  connectionId: "connectionId",
  connectorId: "connectorId",
  credentialId: "credentialId",
  durationMs: "durationMs",
  hostname: "hostname",
  origin: "origin",
  path: "path",
  peer: "peer",
  reason: "reason",
  remedy: "remedy",
  requestId: "requestId",
  service: "service",
  status: "status",
  streamId: "streamId",
  tunnel: "tunnel",
  waitMs: "waitMs",
} as const;

export type LogFieldName = (typeof LogField)[keyof typeof LogField];
