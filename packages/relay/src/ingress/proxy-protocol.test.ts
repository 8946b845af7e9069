import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_PROXY_HEADER_BYTES, parseProxyHeader } from "./proxy-protocol.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";

function v2(rest: string): Buffer {
  return Buffer.from(SIGNATURE + rest.replaceAll(" ", ""), "hex");
}

const VALID = {
  "v1 TCP4": Buffer.from("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n"),
  "v1 TCP6": Buffer.from("PROXY TCP6 2001:DB8::7 2001:db8::1 1 65535\r\n"),
  "v2 TCP4": v2("21 11 000c cb007107 c0000201 1267 01bb"),
  "v2 TCP6 with a TLV": v2("21 21 0028 20010db8000000000000000000000007 20010db8000000000000000000000001 1267 01bb 04 0001 00"),
} as const;

describe("a PROXY header", () => {
  it.each([
    ["v1 TCP4", { address: "203.0.113.7", port: 4711 }],
    ["v1 TCP6", { address: "2001:db8::7", port: 1 }],
    ["v2 TCP4", { address: "203.0.113.7", port: 4711 }],
    ["v2 TCP6 with a TLV", { address: "2001:db8::7", port: 4711 }],
  ] as const)("%s names the visitor and leaves the bytes behind it", (name, peer) => {
    const header = VALID[name];
    expect(parseProxyHeader(Buffer.concat([header, Buffer.from("GET /")]))).toEqual({ kind: "header", peer, bytes: header.length });
  });

  it.each([
    ["UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n")],
    ["UNKNOWN with addresses", Buffer.from("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n")],
    ["LOCAL", v2("20 00 0000")],
  ])("%s leaves the TCP peer as it is", (_name, header) => {
    expect(parseProxyHeader(header)).toEqual({ kind: "header", peer: undefined, bytes: header.length });
  });

  it.each([
    ["nothing of the kind", Buffer.from("GET / HTTP/1.1\r\n")],
    ["a TLS hello", Buffer.from("160301", "hex")],
    ["lower case", Buffer.from("proxy TCP4")],
    ["a family that is not TCP", Buffer.from("PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n")],
    ["an address of the other family", Buffer.from("PROXY TCP4 ::1 ::1 1 2\r\n")],
    ["an address that is none", Buffer.from("PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n")],
    ["leading zeros", Buffer.from("PROXY TCP4 010.0.0.1 2.2.2.2 1 2\r\n")],
    ["a port beyond 65535", Buffer.from("PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n")],
    ["a port with a sign", Buffer.from("PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n")],
    ["two spaces", Buffer.from("PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n")],
    ["a field too many", Buffer.from("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n")],
    ["no end in 107 bytes", Buffer.from(`PROXY TCP4 ${"1".repeat(100)}`)],
    ["version 3", v2("31 11 000c cb007107 c0000201 1267 01bb")],
    ["an unknown command", v2("22 11 000c cb007107 c0000201 1267 01bb")],
    ["UDP", v2("21 12 000c cb007107 c0000201 1267 01bb")],
    ["a unix socket", v2("21 31 0001 00")],
    ["too few address bytes", v2("21 11 0008 cb007107 c0000201")],
    ["a length beyond the bound", v2(`21 11 ${(MAX_PROXY_HEADER_BYTES - 15).toString(16).padStart(4, "0")}`)],
  ])("with %s is malformed", (_name, bytes) => {
    expect(parseProxyHeader(bytes)).toEqual({ kind: "malformed" });
  });

  it.each(Object.entries(VALID))("%s cut anywhere asks for more", (_name, header) => {
    for (let length = 0; length < header.length; length++) expect(parseProxyHeader(header.subarray(0, length))).toEqual({ kind: "more" });
  });

  it("of random bytes never throws and never names more bytes than there are", () => {
    const start = fc.constantFrom(Buffer.alloc(0), Buffer.from("PROXY TCP4 "), v2("21"), v2("21 11 000c"));
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 200 }), (prefix, rest) => {
        const bytes = Buffer.concat([prefix, rest]);
        const header = parseProxyHeader(bytes);
        if (header.kind === "header") expect(header.bytes).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
