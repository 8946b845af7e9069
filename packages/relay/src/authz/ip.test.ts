import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IpSet, parseIp, readCidr, type Cidr } from "./ip.ts";

function cidr(text: string): Cidr {
  const reading = readCidr(text);
  if (reading.kind === "problem") throw new Error(reading.problem);
  return reading.cidr;
}

describe("an address (R-N5)", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::FFFF:102:304", "1.2.3.4"],
    ["0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"],
    ["::1", "::1"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
    ["::1.2.3.4", "::102:304"],
  ])("%s is %s", (text, canonical) => {
    expect(parseIp(text)?.text).toBe(canonical);
  });

  it.each([
    "010.0.0.1",
    "1.2.3.04",
    "1.2.3",
    "0x7f.0.0.1",
    "2130706433",
    "1.2.3.256",
    "1.2.3.4 ",
    "fe80::1%eth0",
    "::ffff:010.0.0.1",
    "::ffff:1.2.3",
    "1:2:3:4:5:6:7:8:9",
    "[::1]",
    "",
    ":",
    "localhost",
  ])("%s is refused", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

describe("a block", () => {
  it.each([
    ["10.0.0.0/8", "10.0.0.0", "10.255.255.255"],
    ["0.0.0.0/0", "0.0.0.0", "255.255.255.255"],
    ["192.0.2.7", "192.0.2.7", "192.0.2.7"],
    ["2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"],
    ["::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    ["::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255"],
  ])("%s goes from %s to %s", (text, first, last) => {
    expect([cidr(text).first.text, cidr(text).last.text]).toEqual([first, last]);
  });

  it.each([
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "::ffff:0:0/95",
    "2001:db8::1/32",
    "::/129",
    "x/8",
    "10.0.0.0/8/8",
  ])("%s is refused", (text) => {
    expect(readCidr(text).kind).toBe("problem");
  });

  it("with bits beyond its prefix says what to write", () => {
    expect(readCidr("10.1.0.0/8")).toEqual({
      kind: "problem",
      problem: "10.1.0.0/8 has bits set beyond its prefix: write 10.0.0.0/8 or the address alone",
    });
  });
});

/** Bits of an address as text of 32 or 128 digits: the naive way. */
function bits(text: string): string {
  if (!text.includes(":"))
    return text
      .split(".")
      .map((part) => Number(part).toString(2).padStart(8, "0"))
      .join("");
  return text
    .split(":")
    .map((part) => Number.parseInt(part, 16).toString(2).padStart(16, "0"))
    .join("");
}

function textOf(bitText: string): string {
  const size = bitText.length === 32 ? 8 : 16;
  const parts = Array.from({ length: bitText.length / size }, (_, index) =>
    Number.parseInt(bitText.slice(index * size, (index + 1) * size), 2),
  );
  return size === 8 ? parts.join(".") : parts.map((part) => part.toString(16)).join(":");
}

// A narrow space, so that blocks nest and addresses fall on their edges.
const addressBits = fc
  .tuple(fc.constantFrom(32, 128), fc.array(fc.constantFrom("0", "1"), { minLength: 6, maxLength: 6 }), fc.constantFrom("0", "1"))
  .map(([length, head, fill]) => `001000000000000${fill}`.slice(0, 16) + head.join("") + fill.repeat(length - 22));
const blocks = fc.array(fc.tuple(addressBits, fc.integer({ min: 14, max: 24 })), { maxLength: 12 });

describe("a set of blocks", () => {
  it("agrees with comparing bit texts one block after the other", () => {
    fc.assert(
      fc.property(blocks, addressBits, (entries, address) => {
        const texts = entries.map(([start, prefix]) => `${textOf(start.slice(0, prefix).padEnd(start.length, "0"))}/${prefix}`);
        const ip = parseIp(textOf(address));
        expect(ip).toBeDefined();
        const naive = entries.some(([start, prefix]) => start.length === address.length && address.startsWith(start.slice(0, prefix)));
        expect(ip && new IpSet(texts.map(cidr)).has(ip)).toBe(naive);
        expect(bits(textOf(address))).toBe(address);
      }),
      { numRuns: 2_000 },
    );
  });

  it("that is empty holds nothing", () => {
    const ip = parseIp("::1");
    expect(ip && new IpSet([]).has(ip)).toBe(false);
  });
});
