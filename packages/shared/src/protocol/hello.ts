// HELLO: what the two sides tell each other once per connection (docs/protocol.md section 4). Parsed strictly from
// unknown JSON; unknown members are ignored so that later versions may add some.

import { MAX_FRAME_PAYLOAD_BYTES } from "./frame.ts";
import { ProtocolViolation } from "./violation.ts";

/** One frame holds it. */
export const MAX_HELLO_BYTES: number = MAX_FRAME_PAYLOAD_BYTES;
export const MAX_HELLO_SERVICES = 4_096;
const MAX_NAME_LENGTH = 253;
const MAX_WINDOW_BYTES = 0x7fff_ffff;

export interface HelloLimits {
  readonly maxStreams: number;
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
}

export interface HelloService {
  readonly name: string;
  readonly kind: "http" | "tcp" | "builtin";
}

/** What the relay's configuration publishes through this tunnel. */
export interface Grant {
  readonly application: string;
  readonly hostname: string;
  readonly path: string;
  readonly service: string;
  /** Public URL, for people. */
  readonly url: string;
}

export interface ConnectorHello {
  readonly software: string;
  readonly limits: HelloLimits;
  readonly capabilities: readonly string[];
  readonly connectorId: string;
  readonly hostname: string;
  readonly services: readonly HelloService[];
  readonly wantedHostname?: string;
}

export interface RelayHello {
  readonly software: string;
  readonly limits: HelloLimits;
  readonly capabilities: readonly string[];
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly connectionId: string;
  readonly tunnel: string;
  readonly grants: readonly Grant[];
}

/** The relay's HELLO as JSON that fits a frame: grants are for people at the connector, so those that do not fit are left out. */
export function relayHelloJson(hello: RelayHello): string {
  let json = JSON.stringify(hello);
  for (let kept = hello.grants.length; Buffer.byteLength(json) > MAX_HELLO_BYTES && kept > 0;) {
    kept = Math.floor(kept / 2);
    json = JSON.stringify({ ...hello, grants: hello.grants.slice(0, kept) });
  }
  return json;
}

/** @throws ProtocolViolation HANDSHAKE */
export function parseConnectorHello(json: string): ConnectorHello {
  const hello = parseObject(json);
  const services = list(hello["services"], MAX_HELLO_SERVICES, "services").map(parseService);
  const wanted = hello["wantedHostname"];
  return {
    software: text(hello["software"], "software"),
    limits: parseLimits(hello["limits"]),
    capabilities: list(hello["capabilities"], 256, "capabilities").map((name) => text(name, "capability")),
    connectorId: text(hello["connectorId"], "connectorId"),
    hostname: text(hello["hostname"], "hostname"),
    services,
    ...(wanted === undefined ? {} : { wantedHostname: text(wanted, "wantedHostname") }),
  };
}

/** @throws ProtocolViolation HANDSHAKE */
export function parseRelayHello(json: string): RelayHello {
  const hello = parseObject(json);
  return {
    software: text(hello["software"], "software"),
    limits: parseLimits(hello["limits"]),
    capabilities: list(hello["capabilities"], 256, "capabilities").map((name) => text(name, "capability")),
    time: integer(hello["time"], 0, Number.MAX_SAFE_INTEGER, "time"),
    connectionId: text(hello["connectionId"], "connectionId"),
    tunnel: text(hello["tunnel"], "tunnel"),
    grants: list(hello["grants"], 65_536, "grants").map(parseGrant),
  };
}

function parseGrant(value: unknown): Grant {
  const grant = object(value, "grant");
  return {
    application: text(grant["application"], "application"),
    hostname: text(grant["hostname"], "hostname"),
    path: longText(grant["path"], "path"),
    service: text(grant["service"], "service"),
    url: longText(grant["url"], "url"),
  };
}

function parseService(value: unknown): HelloService {
  const service = object(value, "service");
  const kind = service["kind"];
  if (kind !== "http" && kind !== "tcp" && kind !== "builtin") throw invalid("service kind");
  return { name: text(service["name"], "service name"), kind };
}

function parseLimits(value: unknown): HelloLimits {
  const limits = object(value, "limits");
  return {
    maxStreams: integer(limits["maxStreams"], 1, 1_000_000, "maxStreams"),
    streamWindowBytes: integer(limits["streamWindowBytes"], 1_024, MAX_WINDOW_BYTES, "streamWindowBytes"),
    connectionWindowBytes: integer(limits["connectionWindowBytes"], 65_536, MAX_WINDOW_BYTES, "connectionWindowBytes"),
  };
}

function parseObject(json: string): Record<string, unknown> {
  try {
    return object(JSON.parse(json), "HELLO");
  } catch (error) {
    if (error instanceof ProtocolViolation) throw error;
    throw invalid("JSON");
  }
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(what);
  return value as Record<string, unknown>;
}

function list(value: unknown, max: number, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max) throw invalid(what);
  return value;
}

/** Short printable text: it ends up in logs and on terminals. */
function text(value: unknown, what: string): string {
  if (typeof value !== "string" || value.length > MAX_NAME_LENGTH || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value)) throw invalid(what);
  return value;
}

function longText(value: unknown, what: string): string {
  if (typeof value !== "string" || value.length > 8_192 || /[\p{Cc}\p{Cf}]/u.test(value)) throw invalid(what);
  return value;
}

function integer(value: unknown, min: number, max: number, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) throw invalid(what);
  return value;
}

function invalid(what: string): ProtocolViolation {
  return new ProtocolViolation("ERR_PROTOCOL_HANDSHAKE", `HELLO has no valid ${what}`);
}
