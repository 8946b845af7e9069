import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  MAX_HELLO_BYTES,
  MAX_HELLO_SERVICES,
  parseConnectorHello,
  parseRelayHello,
  relayHelloJson,
  type ConnectorHello,
  type RelayHello,
} from "./hello.ts";
import { ProtocolViolation } from "./violation.ts";

const LIMITS = { maxStreams: 10_000, streamWindowBytes: 65_536, connectionWindowBytes: 16_777_216 };
const CONNECTOR: ConnectorHello = {
  software: "sallyport 0.1.0",
  limits: LIMITS,
  capabilities: ["later"],
  connectorId: "5f0c",
  hostname: "büro-1",
  services: [
    { name: "wiki", kind: "http" },
    { name: "ssh", kind: "tcp" },
    { name: "hello", kind: "builtin" },
  ],
  wantedHostname: "wiki.example.com",
};
const RELAY: RelayHello = {
  software: "sallyport-relay 0.1.0",
  limits: LIMITS,
  capabilities: [],
  time: 1_790_000_000_000,
  connectionId: "c-1",
  tunnel: "office",
  grants: [{ application: "wiki", hostname: "wiki.example.com", path: "/", service: "wiki", url: "https://wiki.example.com/" }],
};

function connectorWith(change: Record<string, unknown>): () => ConnectorHello {
  return () => parseConnectorHello(JSON.stringify({ ...CONNECTOR, ...change }));
}

describe("HELLO", () => {
  it("is read back as written, by both sides", () => {
    expect(parseConnectorHello(JSON.stringify(CONNECTOR))).toEqual(CONNECTOR);
    expect(parseRelayHello(JSON.stringify(RELAY))).toEqual(RELAY);
    const { wantedHostname: _none, ...plain } = CONNECTOR;
    expect(parseConnectorHello(JSON.stringify(plain))).toEqual(plain);
  });

  it("ignores members it does not know, and takes none from a prototype", () => {
    expect(connectorWith({ later: { deep: [1] } })()).toEqual(CONNECTOR);
    const parsed = parseConnectorHello(`{"__proto__":{"polluted":true},${JSON.stringify(CONNECTOR).slice(1)}`);
    expect(parsed).toEqual(CONNECTOR);
    expect("polluted" in {}).toBe(false);
  });

  it.each<[string, Record<string, unknown>]>([
    ["software is missing", { software: undefined }],
    ["software is a number", { software: 1 }],
    ["text has a line break", { software: "a\nb" }],
    ["text has an escape", { hostname: "\u001b[2J" }],
    ["text has a direction mark", { hostname: "a\u202eb" }],
    ["text is too long", { connectorId: "x".repeat(254) }],
    ["limits are missing", { limits: undefined }],
    ["limits are a list", { limits: [] }],
    ["no streams are accepted", { limits: { ...LIMITS, maxStreams: 0 } }],
    ["streams are a fraction", { limits: { ...LIMITS, maxStreams: 1.5 } }],
    ["the stream window is tiny", { limits: { ...LIMITS, streamWindowBytes: 1_023 } }],
    ["the stream window has 32 bits", { limits: { ...LIMITS, streamWindowBytes: 2 ** 31 } }],
    ["the connection window is tiny", { limits: { ...LIMITS, connectionWindowBytes: 65_535 } }],
    ["capabilities are not a list", { capabilities: {} }],
    ["a capability is not text", { capabilities: [1] }],
    ["there are too many capabilities", { capabilities: Array(257).fill("a") }],
    ["there are too many services", { services: Array(MAX_HELLO_SERVICES + 1).fill({ name: "a", kind: "http" }) }],
    ["a service has an unknown kind", { services: [{ name: "a", kind: "udp" }] }],
    ["a service is null", { services: [null] }],
    ["the wanted hostname is not text", { wantedHostname: 5 }],
  ])("is refused when %s", (_title, change) => {
    expect(connectorWith(change)).toThrow(ProtocolViolation);
  });

  it("is refused when the relay's members are wrong", () => {
    const [grant] = RELAY.grants;
    for (const change of [
      { time: -1 },
      { time: "now" },
      { connectionId: null },
      { tunnel: 1 },
      { grants: {} },
      { grants: [{ ...grant, path: 1 }] },
      { grants: [{ ...grant, url: "a\nb" }] },
    ]) {
      expect(() => parseRelayHello(JSON.stringify({ ...RELAY, ...change }))).toThrow(ProtocolViolation);
    }
  });

  it("throws nothing but HANDSHAKE violations, whatever the text", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map((value) => JSON.stringify({ ...CONNECTOR, ...value })),
        ),
        (json) => {
          for (const parse of [parseConnectorHello, parseRelayHello]) {
            try {
              parse(json);
            } catch (error) {
              expect(error).toBeInstanceOf(ProtocolViolation);
              expect((error as ProtocolViolation).code).toBe("ERR_PROTOCOL_HANDSHAKE");
            }
          }
        },
      ),
    );
  });

  it("leaves out grants that do not fit a frame", () => {
    const [grant] = RELAY.grants;
    const many = {
      ...RELAY,
      grants: Array.from({ length: 5_000 }, (_, i) => ({ ...grant, application: `application-${i}` })),
    } as RelayHello;
    const json = relayHelloJson(many);
    expect(Buffer.byteLength(json)).toBeLessThanOrEqual(MAX_HELLO_BYTES);
    const read = parseRelayHello(json);
    expect(read.grants.length).toBeGreaterThan(1_000);
    expect(read.grants).toEqual(many.grants.slice(0, read.grants.length));
    expect(relayHelloJson(RELAY)).toBe(JSON.stringify(RELAY));
  });
});
