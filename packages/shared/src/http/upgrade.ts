// Protocol upgrades (R-D5): the only one that passes is a WebSocket handshake that cannot be taken for anything
// else (RFC 6455 section 4). Relay: may this request be an upgrade stream? Connector: did the origin really
// switch? Must not know frames, streams or sockets.

import { createHash } from "node:crypto";
import { allValues, type Fields } from "./fields.ts";
import { trimOws } from "./grammar.ts";

export type UpgradeReading =
  /** An ordinary request: no Upgrade, or one that is ignored and stripped (`h2c`, lists, HTTP/1.0, not named by Connection). */
  | { readonly kind: "none" }
  | { readonly kind: "websocket"; readonly key: string }
  | { readonly kind: "refused"; readonly code: UpgradeRefusalCode; readonly status: 400 | 426 };

export type UpgradeRefusalCode = "ERR_UPGRADE_METHOD" | "ERR_UPGRADE_VERSION" | "ERR_UPGRADE_KEY" | "ERR_UPGRADE_BODY";

export interface UpgradeRequest {
  readonly httpVersion: "1.0" | "1.1" | "2.0";
  readonly method: string;
  readonly fields: Fields;
}

const NONE: UpgradeReading = Object.freeze({ kind: "none" });
/** Base64 of exactly 16 bytes. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
/** The only version there is; a 426 answer names it (RFC 6455 section 4.4). */
export const WEBSOCKET_VERSION = "13";
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Judges the upgrade a request asks for. A `websocket` that breaks its own rules is refused, never sent on as something else. */
export function readUpgrade(request: UpgradeRequest): UpgradeReading {
  const { fields } = request;
  const protocols = allValues(fields, "upgrade");
  if (protocols.length === 0 || request.httpVersion !== "1.1") return NONE;
  if (protocols.length > 1 || !isWebSocket(protocols[0]) || !namesUpgrade(fields)) return NONE;
  if (request.method !== "GET") return refused("ERR_UPGRADE_METHOD");
  if (allValues(fields, "content-length").length + allValues(fields, "transfer-encoding").length > 0) return refused("ERR_UPGRADE_BODY");
  const versions = allValues(fields, "sec-websocket-version");
  if (versions.length !== 1 || versions[0] !== WEBSOCKET_VERSION) return refused("ERR_UPGRADE_VERSION");
  const keys = allValues(fields, "sec-websocket-key");
  const key = keys[0];
  if (keys.length !== 1 || key === undefined || !KEY.test(key)) return refused("ERR_UPGRADE_KEY");
  return { kind: "websocket", key };
}

/** The Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key (RFC 6455 section 4.2.2). */
export function acceptKey(key: string): string {
  return createHash("sha1")
    .update(key + ACCEPT_SUFFIX)
    .digest("base64");
}

/** Whether a response switches to the WebSocket that was asked for with `key`; if not, it is an ordinary response. */
export function isUpgradeAccepted(status: number, fields: Fields, key: string): boolean {
  if (status !== 101 || !namesUpgrade(fields)) return false;
  const protocols = allValues(fields, "upgrade");
  const accepts = allValues(fields, "sec-websocket-accept");
  return protocols.length === 1 && isWebSocket(protocols[0]) && accepts.length === 1 && accepts[0] === acceptKey(key);
}

function refused(code: UpgradeRefusalCode): UpgradeReading {
  return { kind: "refused", code, status: code === "ERR_UPGRADE_VERSION" ? 426 : 400 };
}

function isWebSocket(protocol: string | undefined): boolean {
  return protocol?.toLowerCase() === "websocket";
}

function namesUpgrade(fields: Fields): boolean {
  return allValues(fields, "connection").some((value) => value.split(",").some((option) => trimOws(option).toLowerCase() === "upgrade"));
}
