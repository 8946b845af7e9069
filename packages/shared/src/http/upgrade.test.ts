import { describe, expect, test } from "vitest";
import { acceptKey, isUpgradeAccepted, readUpgrade, type UpgradeRequest } from "./upgrade.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const FIELDS = [
  "Host",
  "a",
  "Upgrade",
  "websocket",
  "Connection",
  "keep-alive, Upgrade",
  "Sec-WebSocket-Key",
  KEY,
  "Sec-WebSocket-Version",
  "13",
];

function request(change: Partial<UpgradeRequest> = {}): UpgradeRequest {
  return { httpVersion: "1.1", method: "GET", fields: FIELDS, ...change };
}

/** The sample request with the value of one field replaced, or the field removed. */
function withField(name: string, value: string | undefined): UpgradeRequest {
  const at = FIELDS.indexOf(name);
  const fields = [...FIELDS];
  fields.splice(at, 2, ...(value === undefined ? [] : [name, value]));
  return request({ fields });
}

describe("R-D5: requests", () => {
  test("a complete handshake is a WebSocket, whatever the case of the token", () => {
    expect(readUpgrade(request())).toEqual({ kind: "websocket", key: KEY });
    expect(readUpgrade(withField("Upgrade", "WebSocket"))).toEqual({ kind: "websocket", key: KEY });
  });

  test.each(["h2c", "websocket, h2c", "h2c, websocket", "TLS/1.0", "", "websocket/13"])("Upgrade: %j is no upgrade that passes", (value) =>
    expect(readUpgrade(withField("Upgrade", value))).toEqual({ kind: "none" }),
  );

  test("nor is one on another HTTP version, twice, or without Connection: upgrade", () => {
    for (const httpVersion of ["1.0", "2.0"] as const) expect(readUpgrade(request({ httpVersion }))).toEqual({ kind: "none" });
    expect(readUpgrade(request({ fields: [...FIELDS, "upgrade", "websocket"] }))).toEqual({ kind: "none" });
    expect(readUpgrade(withField("Connection", "keep-alive, upgraded"))).toEqual({ kind: "none" });
    expect(readUpgrade(withField("Upgrade", undefined))).toEqual({ kind: "none" });
  });

  test.each(["POST", "get", "HEAD"])("%s is refused", (method) =>
    expect(readUpgrade(request({ method }))).toEqual({ kind: "refused", code: "ERR_UPGRADE_METHOD", status: 400 }),
  );

  test.each(["12", "013", "13, 12", "", undefined])("version %j is answered 426", (version) =>
    expect(readUpgrade(withField("Sec-WebSocket-Version", version))).toEqual({ kind: "refused", code: "ERR_UPGRADE_VERSION", status: 426 }),
  );

  test.each(["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZTE=", `${KEY}, ${KEY}`, "dGhlIHNhbXBsZSBub25jZ!==", undefined])(
    "key %j is refused",
    (key) => expect(readUpgrade(withField("Sec-WebSocket-Key", key))).toEqual({ kind: "refused", code: "ERR_UPGRADE_KEY", status: 400 }),
  );

  test.each([
    ["Content-Length", "0"],
    ["content-length", "5"],
    ["Transfer-Encoding", "chunked"],
  ])("a body announced by %s: %s is refused", (name, value) =>
    expect(readUpgrade(request({ fields: [...FIELDS, name, value] }))).toEqual({ kind: "refused", code: "ERR_UPGRADE_BODY", status: 400 }),
  );

  test("key and version given twice are refused", () => {
    expect(readUpgrade(request({ fields: [...FIELDS, "sec-websocket-key", KEY] }))).toMatchObject({ code: "ERR_UPGRADE_KEY" });
    expect(readUpgrade(request({ fields: [...FIELDS, "sec-websocket-version", "13"] }))).toMatchObject({ code: "ERR_UPGRADE_VERSION" });
  });
});

describe("R-D5: responses", () => {
  const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  const response = ["Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Accept", ACCEPT];

  test("the accept key is that of RFC 6455 section 1.3", () => expect(acceptKey(KEY)).toBe(ACCEPT));

  test("only a 101 with the right accept key switches", () => {
    expect(isUpgradeAccepted(101, response, KEY)).toBe(true);
    for (const status of [200, 100, 102, 426]) expect(isUpgradeAccepted(status, response, KEY)).toBe(false);
    expect(isUpgradeAccepted(101, response, "AAAAAAAAAAAAAAAAAAAAAA==")).toBe(false);
    expect(isUpgradeAccepted(101, response.slice(2), KEY)).toBe(false);
    expect(isUpgradeAccepted(101, response.slice(0, 4), KEY)).toBe(false);
    expect(isUpgradeAccepted(101, ["Upgrade", "websocket", "Sec-WebSocket-Accept", ACCEPT], KEY)).toBe(false);
    expect(isUpgradeAccepted(101, [...response, "Sec-WebSocket-Accept", ACCEPT], KEY)).toBe(false);
    expect(isUpgradeAccepted(101, ["Upgrade", "h2c", ...response.slice(2)], KEY)).toBe(false);
  });
});
