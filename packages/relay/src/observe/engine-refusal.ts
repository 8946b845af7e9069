// The record of a request that an engine refused before the pipeline saw it: little is known, and that little is recorded.

import { REFUSALS, type RefusalCode } from "../ingress/refusals.ts";
import type { RequestRecord } from "./record-line.ts";

export interface RefusedByEngine {
  readonly code: RefusalCode;
  readonly peer: { readonly address: string };
  readonly requestId: string;
}

export function engineRefusalRecord({ code, peer, requestId }: RefusedByEngine): RequestRecord {
  return {
    requestId,
    identity: undefined,
    application: undefined,
    tunnel: undefined,
    connectorId: undefined,
    sourceIp: peer.address,
    sourceFrom: "socket",
    method: "",
    host: "",
    path: "",
    userAgent: undefined,
    policy: undefined,
    decision: "refused",
    reason: code,
    code,
    status: REFUSALS[code].status,
    answeredBy: "relay",
    bytesIn: 0,
    bytesOut: 0,
    durationMs: 0,
    decisionMs: 0,
    headMs: undefined,
  };
}
