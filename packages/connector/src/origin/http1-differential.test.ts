// The engine beside llhttp (node:http's client), over a corpus of odd and hostile answers and their mutations (issue's
// condition for an engine of our own): what llhttp refuses is refused, and what both take they read alike.

import type { Fields } from "@sallyport/shared/http/fields";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { CORPUS, FIELD_LINES, MESSAGES, STATUS_LINES } from "./testing/response-corpus.ts";
import { nodeReading, ownReading } from "./testing/response-readings.ts";
import type { Reading } from "./testing/response-readings.ts";

/** Who took what, over all comparisons of this file. */
const counts = { both: 0, neither: 0, onlyTheOracle: 0 };

/** @returns what speaks against the engine, or undefined */
async function difference(text: string, method: string): Promise<string | undefined> {
  const bytes = Buffer.from(text, "latin1");
  const own = ownReading([bytes], method);
  const oracle = await nodeReading(bytes, method);
  counts[own.kind !== "refused" ? "both" : oracle.kind === "refused" ? "neither" : "onlyTheOracle"]++;
  if (own.kind === "refused") return undefined;
  if (oracle.kind === "refused") return `taken though llhttp refuses: ${JSON.stringify({ text, method, own })}`;
  return same(own, oracle) ? undefined : `read differently: ${JSON.stringify({ text, method, own, oracle })}`;
}

function same(own: Reading, oracle: Reading): boolean {
  // The handshake is not the engine's to judge, and node:http takes one that is incomplete for an ordinary answer.
  if (own.kind === "switched" && oracle.kind === "whole") return oracle.status === 101 && sameFields(own.fields, oracle.fields);
  return JSON.stringify(own) === JSON.stringify(oracle);
}

function sameFields(own: Fields, oracle: Fields): boolean {
  return JSON.stringify(own) === JSON.stringify(oracle);
}

describe("R-D9: what llhttp refuses is refused, and what both take reads the same", () => {
  test.each(["GET", "HEAD"])("every answer of the corpus, to %s", async (method) => {
    for (const text of CORPUS) expect(await difference(text, method)).toBeUndefined();
  });

  test("every status line with every field line", async () => {
    for (const line of STATUS_LINES) {
      for (const field of FIELD_LINES) expect(await difference(`${line}${field}Content-Length: 2\r\n\r\nok`, "GET")).toBeUndefined();
    }
  });

  test("mutations of answers", async () => {
    await fc.assert(
      fc.asyncProperty(
        answer,
        fc.array(edit, { minLength: 1, maxLength: 2 }),
        fc.constantFrom("GET", "HEAD"),
        async (text, edits, method) => {
          expect(await difference(edits.reduce(apply, text), method)).toBeUndefined();
        },
      ),
      { numRuns: 4_000 },
    );
  });

  test("there was something to compare: answers that both took, that neither did, and that only llhttp did", () => {
    expect(Math.min(counts.both, counts.neither)).toBeGreaterThan(500);
    expect(counts.onlyTheOracle).toBeGreaterThan(100);
  });
});

test("the corpus is not refused as a whole: ordinary answers are read by both", async () => {
  for (const text of MESSAGES) {
    const bytes = Buffer.from(text, "latin1");
    expect([text, ownReading([bytes], "GET").kind]).toEqual([text, (await nodeReading(bytes, "GET")).kind]);
    expect(ownReading([bytes], "GET").kind).not.toBe("refused");
  }
});

describe("R-D9: where the octets are divided does not matter", () => {
  test("two reads, divided at every octet", () => {
    for (const text of CORPUS) {
      const bytes = Buffer.from(text, "latin1");
      const whole = ownReading([bytes], "GET");
      for (let at = 1; at < Math.min(bytes.length, 2_000); at++) {
        const parted = ownReading([bytes.subarray(0, at), bytes.subarray(at)], "GET");
        if (JSON.stringify(parted) !== JSON.stringify(whole)) expect([text, at, parted]).toEqual([text, at, whole]);
      }
    }
  });

  test("one octet at a time", () => {
    for (const text of CORPUS) {
      const bytes = Buffer.from(text, "latin1");
      if (bytes.length > 10_000) continue;
      expect(
        ownReading(
          Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
          "GET",
        ),
      ).toEqual(ownReading([bytes], "GET"));
    }
  });

  test("mutations in any pieces", () => {
    fc.assert(
      fc.property(answer, fc.array(edit, { maxLength: 3 }), fc.array(fc.nat(400), { maxLength: 5 }), (text, edits, cuts) => {
        const bytes = Buffer.from(edits.reduce(apply, text), "latin1");
        expect(ownReading(divided(bytes, cuts), "GET")).toEqual(ownReading([bytes], "GET"));
      }),
      { numRuns: 4_000 },
    );
  });
});

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

const PIECES = [
  "",
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  "\0",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "0",
  "7",
  "a",
  "F",
  "x",
  "+",
  "-",
  "\x7f",
  "\x80",
  "\xff",
  "\x0b",
  '"',
  "=",
  "chunked",
  "Content-Length: 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "HTTP/1.1 200 OK\r\n",
];

/** Half of them ordinary ones, of which a mutation leaves some that are taken. */
const answer: fc.Arbitrary<string> = fc.oneof(fc.constantFrom(...MESSAGES), fc.constantFrom(...CORPUS));

const edit: fc.Arbitrary<Edit> = fc.record({ at: fc.nat(300), remove: fc.nat(3), insert: fc.constantFrom(...PIECES) });

function apply(text: string, { at, remove, insert }: Edit): string {
  const from = text.length === 0 ? 0 : at % text.length;
  return text.slice(0, from) + insert + text.slice(from + remove);
}

function divided(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % Math.max(1, bytes.length)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length)).filter((piece) => piece.length > 0);
}
