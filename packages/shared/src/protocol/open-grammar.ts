// Whether an OPEN can be written to an origin as exactly one well-formed request (R-D3). The connector asks before
// anything else looks at the head, by the same grammar the relay applies to visitors. Pure; must not know services,
// assertions or what becomes of the request.

import { isToken } from "../http/grammar.ts";
import { isForwardablePath } from "../http/path.ts";
import { areFieldsWellFormed } from "../http/response-fields.ts";
import { StreamKind, type OpenHead } from "./head.ts";

/** Characters of a reg-name, an IP literal and a port (RFC 3986 section 3.2); no user information. */
const AUTHORITY = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]+$/;

/**
 * What is wrong with a head, or undefined when nothing is.
 * @param end the stream carries no body.
 * @returns ASCII for the log and for GOAWAY; names no value.
 */
export function openProblem(open: OpenHead, end: boolean): string | undefined {
  if (!AUTHORITY.test(open.authority)) return "authority is not valid";
  if (!areFieldsWellFormed(open.fields)) return "a field is malformed";
  if (open.kind === StreamKind.TCP) return tcpProblem(open);
  if (!isToken(open.method)) return "method is not a token";
  // CONNECT would turn the connection into a tunnel to wherever the origin likes.
  if (open.method === "CONNECT") return "method CONNECT";
  if (!isForwardablePath(open.path)) return "path cannot stand in a request line";
  const bodyBytes = open.contentLength ?? 0;
  if (open.kind === StreamKind.UPGRADE) return upgradeProblem(open.method, bodyBytes);
  return end && bodyBytes > 0 ? "a declared body is missing" : undefined;
}

/** Raw bytes: nothing of a request comes with them. */
function tcpProblem({ method, path, fields, contentLength }: OpenHead): string | undefined {
  const empty = method === "" && path === "" && fields.length === 0 && contentLength === undefined;
  return empty ? undefined : "a request in a TCP stream";
}

/** R-D5. */
function upgradeProblem(method: string, bodyBytes: number): string | undefined {
  if (method !== "GET") return "upgrade with another method than GET";
  return bodyBytes > 0 ? "upgrade with a body" : undefined;
}
