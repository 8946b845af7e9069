// R-L2: how large a request may be, counted by the relay itself, on both versions of HTTP, to the byte.

import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectForwarded, expectRejected, expectSilence, http2Ask, mark, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

const lines = (count: number): string[] => Array.from({ length: count }, (_, index) => `X-${index}: 1`);
/** Host and Connection of {@link write}. */
const OWN_LINES = 2;
const OWN_BYTES = "Hostapp.example.test".length + 4 + "Connectionclose".length + 4;

describe("R-L2: over HTTP/1.1", () => {
  test("100 field lines pass, the next one is 431", async () => {
    await expectForwarded(bed(), write("/x", { fields: lines(100 - OWN_LINES) }));
    await expectRejected(bed(), write("/x", { fields: lines(101 - OWN_LINES) }), { status: 431, code: "ERR_FIELDS_TOO_MANY" });
  });

  test("16 KiB of fields pass, one byte more is 431", async () => {
    const value = (bytes: number): string => `X-Large: ${"v".repeat(bytes - OWN_BYTES - "X-Large".length - 4)}`;
    await expectForwarded(bed(), write("/x", { fields: [value(16_384)] }));
    await expectRejected(bed(), write("/x", { fields: [value(16_385)] }), { status: 431, code: "ERR_FIELDS_TOO_LARGE" });
  });

  test("thousands of fields are refused, not cut off silently", async () => {
    await expectRejected(bed(), write("/x", { fields: [...lines(5_000), "Cookie: last=1"] }), { status: 431 });
  });

  test("a head without an end is refused as soon as it is too large", async () => {
    await expectRejected(bed(), `${write("/x").slice(0, -2)}X-Endless: ${"v".repeat(200_000)}`, { status: 431 });
  });

  test("8 KiB of target pass, one byte more is 414", async () => {
    await expectForwarded(bed(), write(`/${"x".repeat(8_191)}`));
    await expectRejected(bed(), write(`/${"x".repeat(8_192)}`), { status: 414 });
  });
});

describe("R-L2: over HTTP/2", () => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, index) => [`x-${index}`, "1"]).flat();

  test("the same limits hold", async () => {
    expect((await http2Ask(bed(), [...pseudo("/x"), ...many(100)])).status).toBe(200);
    const before = mark(bed());
    expect((await http2Ask(bed(), [...pseudo("/x"), ...many(101)])).status).toBe(431);
    expect((await http2Ask(bed(), [...pseudo("/x"), "x-large", "v".repeat(16_384)])).status).toBe(431);
    expect((await http2Ask(bed(), pseudo(`/${"x".repeat(8_192)}`))).status).toBe(414);
    await expectSilence(bed(), before);
  });
});
