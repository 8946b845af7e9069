import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseIp } from "../authz/ip.ts";
import { canonicalAddress, createClientAddressReader } from "./client-address.ts";

const fromSocket = (address: string): unknown => ({ ip: parseIp(address), address, derivedFrom: "socket", chain: [address] });

describe("R-B8: X-Forwarded-For", () => {
  const read = createClientAddressReader(["10.0.0.0/8", "192.0.2.1", "2001:db8:1::/48"]);

  test("is not believed from anybody when nobody is trusted, private networks included", () => {
    const nobody = createClientAddressReader([]);
    for (const peer of ["10.0.0.1", "127.0.0.1", "203.0.113.9", "::1"])
      expect(nobody(peer, ["X-Forwarded-For", "1.2.3.4"])).toEqual(fromSocket(peer));
  });

  test("is not believed from a peer outside the trusted networks", () => {
    for (const peer of ["11.0.0.1", "192.0.2.2", "2001:db8:2::1", "::"])
      expect(read(peer, ["X-Forwarded-For", "1.2.3.4"])).toEqual(fromSocket(peer));
  });

  test.each([
    ["one hop", "10.0.0.1", ["X-Forwarded-For", "203.0.113.7"], ["203.0.113.7", "10.0.0.1"]],
    [
      "trusted hops in between",
      "10.0.0.1",
      ["X-Forwarded-For", "203.0.113.7, 192.0.2.1 ,\t10.9.9.9"],
      ["203.0.113.7", "192.0.2.1", "10.9.9.9", "10.0.0.1"],
    ],
    [
      "what the visitor invented stands further left",
      "10.0.0.1",
      ["x-forwarded-for", "1.1.1.1, garbage, 203.0.113.7"],
      ["203.0.113.7", "10.0.0.1"],
    ],
    [
      "several lines are one list",
      "10.0.0.1",
      ["X-Forwarded-For", "203.0.113.7", "A", "b", "x-forwarded-for", "10.2.2.2"],
      ["203.0.113.7", "10.2.2.2", "10.0.0.1"],
    ],
    ["all trusted: the leftmost", "10.0.0.1", ["X-Forwarded-For", "10.3.3.3, 10.2.2.2"], ["10.3.3.3", "10.2.2.2", "10.0.0.1"]],
    [
      "IPv6 and mapped addresses",
      "::ffff:10.0.0.1",
      ["X-Forwarded-For", "2001:DB8::0:7, ::ffff:0a00:0002, 2001:db8:1::5"],
      ["2001:db8::7", "10.0.0.2", "2001:db8:1::5", "10.0.0.1"],
    ],
  ])("is walked from the right: %s", (_, peer, fields, chain) => {
    expect(read(peer, fields)).toEqual({ ip: parseIp(chain[0] ?? ""), address: chain[0], derivedFrom: "x-forwarded-for", chain });
  });

  test.each([
    "",
    "garbage",
    "203.0.113.7,",
    "203.0.113.7, unknown",
    "010.0.0.1",
    "203.0.113.7:80",
    "[2001:db8::1]",
    "fe80::1%eth0",
    "1.2.3",
    "0x7f000001",
    "203.0.113.7;10.0.0.2",
  ])("%j is malformed where it counts: the socket's address stands", (value) =>
    expect(read("10.0.0.1", ["X-Forwarded-For", value])).toEqual(fromSocket("10.0.0.1")),
  );

  test("a list of more trusted hops than 32 counts as malformed", () => {
    const hops = (count: number): string => Array.from({ length: count }, () => "10.0.0.2").join(",");
    expect(read("10.0.0.1", ["X-Forwarded-For", hops(32)]).derivedFrom).toBe("x-forwarded-for");
    expect(read("10.0.0.1", ["X-Forwarded-For", hops(33)])).toEqual(fromSocket("10.0.0.1"));
  });

  test("no other field is read", () => {
    const others = ["Forwarded", "for=1.2.3.4", "X-Real-IP", "1.2.3.4", "CF-Connecting-IP", "1.2.3.4", "X_Forwarded_For", "1.2.3.4"];
    expect(read("10.0.0.1", others)).toEqual(fromSocket("10.0.0.1"));
  });

  test("whatever a visitor puts in front of what the proxy saw changes nothing", () => {
    const property = fc.property(fc.string(), (invented) => {
      expect(read("10.0.0.1", ["X-Forwarded-For", `${invented},203.0.113.7`]).address).toBe("203.0.113.7");
    });
    fc.assert(property);
  });
});

test.each([
  ["1.2.3.4", "1.2.3.4"],
  ["::ffff:1.2.3.4", "1.2.3.4"],
  ["::FFFF:0102:0304", "1.2.3.4"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["010.0.0.1", undefined],
  ["127.1", undefined],
  ["2130706433", undefined],
  ["fe80::1%eth0", undefined],
  ["::ffff:010.0.0.1", undefined],
  ["1.2.3.4 ", undefined],
  ["", undefined],
])("R-N5: the address %j is canonically %j", (text, canonical) => expect(canonicalAddress(text)).toBe(canonical));

test("R-N5: a mapped or link-local peer is given without its prefix or zone", () => {
  const read = createClientAddressReader([]);
  expect(read("::ffff:203.0.113.7", [])).toEqual(fromSocket("203.0.113.7"));
  expect(read("fe80::1%eth0", [])).toEqual(fromSocket("fe80::1"));
});

test.each([
  "",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/08",
  "10.0.0.0/-1",
  "010.0.0.0/8",
  "10.0/8",
  "::/129",
  "::ffff:10.0.0.0/104",
  "fe80::%eth0/64",
  "loopback",
  "10.0.0.0/8/8",
])("R-N1: the trusted network %j does not load", (cidr) =>
  expect(() => createClientAddressReader([cidr])).toThrow(expect.objectContaining({ code: "ERR_TRUSTED_PROXY_INVALID" })),
);
