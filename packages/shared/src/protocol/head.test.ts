import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Fields } from "../http/fields.ts";
import { MAX_FRAME_PAYLOAD_BYTES } from "./frame.ts";
import * as head from "./head.ts";
import { MAX_FIELD_PART_BYTES, StreamKind, type EncodedText, type OpenHead, type ResponseHead } from "./head.ts";
import { ProtocolViolation } from "./violation.ts";

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 40 });
const fields: fc.Arbitrary<Fields> = fc.array(fc.tuple(latin1, latin1), { maxLength: 12 }).map((pairs) => pairs.flat());
const openHead: fc.Arbitrary<OpenHead> = fc.record({
  kind: fc.constantFrom(StreamKind.HTTP, StreamKind.UPGRADE, StreamKind.TCP),
  service: latin1,
  assertion: fc.integer({ min: 0, max: 0xffff }),
  method: latin1,
  path: latin1,
  authority: latin1,
  fields,
  contentLength: fc.option(fc.maxSafeNat(), { nil: undefined }),
});
const responseHead: fc.Arbitrary<ResponseHead> = fc.record({ status: fc.integer({ min: 100, max: 599 }), fields });

const GET: OpenHead = {
  kind: 1,
  service: "s",
  assertion: 0,
  method: "GET",
  path: "/",
  authority: "a",
  fields: [],
  contentLength: undefined,
};

/** Writes somewhere in the middle of a larger buffer, as the writer does. */
function written(
  prepared: EncodedText,
  write: (target: Buffer, start: number) => void,
): { readonly bytes: Buffer; readonly start: number; readonly stop: number } {
  const bytes = Buffer.alloc(prepared.payloadBytes + 20, 0xaa);
  write(bytes, 10);
  expect(bytes.subarray(0, 10).every((byte) => byte === 0xaa)).toBe(true);
  expect(bytes.subarray(10 + prepared.payloadBytes).every((byte) => byte === 0xaa)).toBe(true);
  return { bytes, start: 10, stop: 10 + prepared.payloadBytes };
}

function openBytes(open: OpenHead): ReturnType<typeof written> {
  const prepared = head.prepareOpen(open);
  return written(prepared, (target, start) => head.writeOpen(open, prepared.text, target, start));
}

function onlyViolations(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolViolation);
    expect((error as ProtocolViolation).code).toBe("ERR_PROTOCOL_PAYLOAD");
  }
}

describe("heads", () => {
  it("reads back every OPEN as written: order, case, duplicates, empties, all of latin1, any length to 2^53 - 1", () => {
    fc.assert(
      fc.property(openHead, (open) => {
        const { bytes, start, stop } = openBytes(open);
        expect(head.readOpen(bytes, start, stop)).toEqual(open);
      }),
    );
  });

  it("reads back every HEAD and every list of trailers as written", () => {
    fc.assert(
      fc.property(responseHead, (response) => {
        const prepared = head.prepareHead(response);
        const { bytes, start, stop } = written(prepared, (target, at) => head.writeHead(response, prepared.text, target, at));
        expect(head.readHead(bytes, start, stop)).toEqual(response);
        const trailers = head.prepareTrailers(response.fields);
        const block = written(trailers, (target, at) => head.writeTrailers(response.fields, trailers.text, target, at));
        expect(head.readTrailers(block.bytes, block.start, block.stop)).toEqual(response.fields);
      }),
    );
    expect(head.readTrailers(Buffer.alloc(4), 2, 2)).toEqual([]);
  });

  it("has this layout for ever", () => {
    const { bytes, start, stop } = openBytes({ ...GET, assertion: 7, fields: ["X-A", "1"], contentLength: 2 ** 32 + 5 });
    const text = Buffer.from("sGET/aX-A1").toString("hex");
    expect(bytes.toString("hex", start, stop)).toBe(`0101000700010003000100010000000100000005000100030001${text}`);
  });

  it("carries the longest single part, and refuses one byte more", () => {
    const longest = "v".repeat(MAX_FIELD_PART_BYTES);
    const { bytes, start, stop } = openBytes({ ...GET, fields: ["n", longest] });
    expect(head.readOpen(bytes, start, stop).fields[1]).toBe(longest);
    for (const open of [
      { ...GET, fields: ["n", `${longest}v`] },
      { ...GET, path: `${longest}v` },
      { ...GET, service: `${longest}v` },
    ]) {
      expect(() => head.prepareOpen(open)).toThrow(RangeError);
    }
  });

  it("refuses to the caller what the peer would close the connection for", () => {
    const tooLarge = Array.from({ length: 10 }, () => "v".repeat(30_000));
    for (const open of [
      { ...GET, path: "/\u0100" },
      { ...GET, fields: ["a", "\ud83d\ude00"] },
      { ...GET, fields: ["a", "\u010d\u010a"] },
      { ...GET, fields: ["odd"] },
      { ...GET, fields: tooLarge },
      { ...GET, contentLength: -1 },
      { ...GET, contentLength: 0.5 },
      { ...GET, contentLength: 2 ** 53 },
    ]) {
      expect(() => head.prepareOpen(open)).toThrow(RangeError);
    }
    for (const status of [99, 600, 999, 200.5, Number.NaN]) expect(() => head.prepareHead({ status, fields: [] })).toThrow(RangeError);
    expect(() => head.prepareTrailers(["a", "\u2028"])).toThrow(RangeError);
    expect(() => head.prepareTrailers(tooLarge)).toThrow(RangeError);
    expect(() => head.prepareTrailers(Array.from({ length: 131_072 }, () => ""))).toThrow(RangeError);
    expect(head.prepareTrailers(Array.from({ length: 131_070 }, () => "")).payloadBytes).toBeLessThanOrEqual(MAX_FRAME_PAYLOAD_BYTES);
  });

  it("takes unknown kinds, unknown flags, impossible statuses and a length over 2^53 - 1 for violations", () => {
    const change = (offset: number, value: number): void => {
      const { bytes, start, stop } = openBytes({ ...GET, contentLength: 1 });
      bytes[start + offset] = value;
      expect(() => head.readOpen(bytes, start, stop)).toThrow(ProtocolViolation);
    };
    change(0, 0);
    change(0, 4);
    change(1, 2);
    change(1, 0x81);
    change(12, 0x00ff);
    for (const status of [0, 99, 600, 0xffff]) {
      const bytes = Buffer.from([status >> 8, status & 0xff, 0, 0]);
      expect(() => head.readHead(bytes, 0, 4)).toThrow(ProtocolViolation);
    }
  });

  it("throws nothing but PAYLOAD violations, whatever the bytes and wherever they are cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (random) => {
        const bytes = Buffer.from(random);
        for (const read of [head.readOpen, head.readHead, head.readTrailers]) onlyViolations(() => read(bytes, 0, bytes.length));
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(openHead, fc.nat(), fc.nat(), fc.nat(255), (open, cutAt, changeAt, value) => {
        const { bytes, start, stop } = openBytes(open);
        const cut = start + (cutAt % (stop - start));
        expect(() => head.readOpen(bytes, start, cut)).toThrow(ProtocolViolation);
        bytes[start + (changeAt % (stop - start))] = value;
        onlyViolations(() => head.readOpen(bytes, start, stop));
      }),
    );
  });
});
