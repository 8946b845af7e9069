import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GoawayReason, ResetCode } from "./codes.ts";
import { encodeAssertion, encodeGoaway, readAssertion, readCredit, readGoaway, readReset } from "./control.ts";
import { MAX_ASSERTION_BYTES, MAX_ASSERTION_NUMBER, MAX_GOAWAY_TEXT_BYTES } from "./frame.ts";
import { ProtocolViolation } from "./violation.ts";

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolViolation) return error.code;
    throw error;
  }
  return "none";
}

function reset(hex: string): ReturnType<typeof readReset> {
  const bytes = Buffer.from(hex, "hex");
  return readReset(bytes, 0, bytes.length);
}

describe("RESET", () => {
  it("reads code, HTTP/2 code and text", () => {
    expect(reset("0012000000074543")).toEqual({ code: ResetCode.ORIGIN_UNREACHABLE, detail: { http2Code: 7, text: "EC" } });
  });

  it("keeps a code of a later version, but nobody can claim that the connection was lost", () => {
    expect(reset("7777ffffffff").code).toBe(0x7777);
    expect(reset("ffff00000000").code).toBe(ResetCode.INTERNAL);
  });

  it("makes controls in the text harmless", () => {
    expect(reset(`000000000000${Buffer.from("a\x1b[31m\r\nb\x7f").toString("hex")}`).detail.text).toBe("a [31m  b ");
  });

  it("has at least six bytes and at most 200 of text", () => {
    expect(codeOf(() => reset("0000000000"))).toBe("ERR_PROTOCOL_PAYLOAD");
    expect(codeOf(() => reset(`000000000000${"61".repeat(200)}`))).toBe("none");
    expect(codeOf(() => reset(`000000000000${"61".repeat(201)}`))).toBe("ERR_PROTOCOL_PAYLOAD");
  });
});

describe("WINDOW", () => {
  it("takes 1 to 2^31 - 1 in four bytes", () => {
    const credit = (hex: string): number => readCredit(Buffer.from(hex, "hex"), 0, hex.length / 2);
    expect([credit("00000001"), credit("7fffffff")]).toEqual([1, 2_147_483_647]);
    expect(codeOf(() => credit("00000000"))).toBe("ERR_PROTOCOL_PAYLOAD");
    expect(codeOf(() => credit("80000000"))).toBe("ERR_PROTOCOL_CREDIT_OVERFLOW");
    expect(codeOf(() => credit("ffffffff"))).toBe("ERR_PROTOCOL_CREDIT_OVERFLOW");
    expect(codeOf(() => credit("000001"))).toBe("ERR_PROTOCOL_PAYLOAD");
    expect(codeOf(() => credit("0000000100"))).toBe("ERR_PROTOCOL_PAYLOAD");
  });
});

describe("GOAWAY", () => {
  const GOAWAY = { lastStreamId: 0x7fff_ffff, reason: GoawayReason.OVERLOAD, delayMs: 30_000, text: "später" };

  it("reads back what was written", () => {
    const bytes = encodeGoaway(GOAWAY);
    expect(readGoaway(bytes, 0, bytes.length)).toEqual(GOAWAY);
    expect(bytes.toString("hex", 0, 10)).toBe("7fffffff000800007530");
  });

  it("cuts the text and bounds the delay instead of failing", () => {
    const bytes = encodeGoaway({ ...GOAWAY, text: "ä".repeat(2_000), delayMs: -5 });
    expect(bytes.length).toBe(10 + MAX_GOAWAY_TEXT_BYTES);
    expect(readGoaway(bytes, 0, bytes.length).delayMs).toBe(0);
    const far = encodeGoaway({ ...GOAWAY, delayMs: 1e12 });
    expect(readGoaway(far, 0, far.length).delayMs).toBe(0xffff_ffff);
  });

  it("is refused when too short or too long", () => {
    expect(codeOf(() => readGoaway(Buffer.alloc(9), 0, 9))).toBe("ERR_PROTOCOL_PAYLOAD");
    expect(codeOf(() => readGoaway(Buffer.alloc(1_035), 0, 1_035))).toBe("ERR_PROTOCOL_PAYLOAD");
  });

  it("makes controls, direction marks and line separators in the text harmless", () => {
    const bytes = encodeGoaway({ ...GOAWAY, text: "a\u001b\u202eb\u2028c\u0000" });
    expect(readGoaway(bytes, 0, bytes.length).text).toBe("a  b c ");
  });
});

describe("ASSERTION", () => {
  it("reads back number and token", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_ASSERTION_NUMBER }), fc.stringMatching(/^[\w.-]{1,200}$/), (number, token) => {
        const bytes = encodeAssertion(number, token);
        expect(readAssertion(bytes, 0, bytes.length)).toEqual({ number, token });
      }),
    );
  });

  it("bounds number and token on both sides", () => {
    for (const number of [0, 4_097]) expect(() => encodeAssertion(number, "t")).toThrow(RangeError);
    for (const token of ["", "t".repeat(MAX_ASSERTION_BYTES + 1)]) expect(() => encodeAssertion(1, token)).toThrow(RangeError);
    const payload = (hex: string): string => codeOf(() => readAssertion(Buffer.from(hex, "hex"), 0, hex.length / 2));
    expect(payload("000174")).toBe("none");
    expect(payload("100074")).toBe("none");
    expect(payload("000074")).toBe("ERR_PROTOCOL_PAYLOAD");
    expect(payload("100174")).toBe("ERR_PROTOCOL_PAYLOAD");
    expect(payload("0001")).toBe("ERR_PROTOCOL_PAYLOAD");
    expect(payload("")).toBe("ERR_PROTOCOL_PAYLOAD");
    expect(payload(`0001${"74".repeat(8_193)}`)).toBe("ERR_PROTOCOL_PAYLOAD");
  });
});

it("throws nothing but violations, whatever the bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 32 }), (random) => {
      const bytes = Buffer.from(random);
      for (const read of [readReset, readCredit, readGoaway, readAssertion]) codeOf(() => read(bytes, 0, bytes.length));
    }),
    { numRuns: 2_000 },
  );
});
