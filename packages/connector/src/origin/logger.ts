// The part of a logger that the origin side uses: pino's, and small enough for tests to write.
// Must not know where lines go.

export interface OriginLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
