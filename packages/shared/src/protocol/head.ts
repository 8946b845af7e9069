// What OPEN and HEAD carry: parsed heads, never raw HTTP text.

import type { Fields } from "../http/fields.ts";

/** What a stream carries after its head. */
export const StreamKind = { HTTP: 1, UPGRADE: 2, TCP: 3 } as const;
export type StreamKind = (typeof StreamKind)[keyof typeof StreamKind];

/** Payload of OPEN: one exchange that the relay has decided to let through. */
export interface OpenHead {
  readonly kind: StreamKind;
  /** Connector-side name; the connector's own allow list says what it dials. 1 to 64 of [a-z0-9-_.]. */
  readonly service: string;
  /** Number of an ASSERTION sent earlier on this connection, 1 to 4096; 0 when there is none. */
  readonly assertion: number;
  /** Request method token, upper-case as decided. Empty for kind TCP. */
  readonly method: string;
  /** Path and query as decided, starting with "/" (or "*" never). latin1, <= 8192 bytes. Empty for kind TCP. */
  readonly path: string;
  /** The application's public authority (host[:port], canonical): default Host towards the origin. */
  readonly authority: string;
  /** Header list as the origin shall see it, less Host, Connection and framing fields, which the connector writes itself. */
  readonly fields: Fields;
  /** Exact length of the body in bytes when the visitor declared one; undefined means unknown (chunked towards the origin). */
  readonly contentLength: number | undefined;
}

/** Payload of HEAD: one response head; a status of 100 to 199 (not 101) is interim and another HEAD follows. */
export interface ResponseHead {
  readonly status: number;
  readonly fields: Fields;
}
