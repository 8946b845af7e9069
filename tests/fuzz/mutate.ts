// Structure-aware changes to an input: bytes, words of its language, lines, numbers, and parts of other inputs. Deterministic
// from its source of randomness. Must not know what reads the result.

import type { Random } from "../fault/hostile-frames-random.ts";

/** Longer inputs add time, not findings; what is sensitive to length has its own limits below this. */
export const MAX_INPUT_BYTES = 65_536;
const MAX_CHANGES = 6;
const NUMBERS = ["0", "-1", "1", "255", "256", "65535", "65536", "4294967295", "9007199254740992", "18446744073709551616", "1e9", "0x10"];
const OCTETS = [0, 9, 10, 13, 32, 34, 35, 37, 44, 47, 58, 59, 92, 127, 128, 255];

type Change = (input: Buffer, random: Random, words: readonly string[], pool: readonly Buffer[]) => Buffer;

function spliced(input: Buffer, at: number, removed: number, put: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, at), put, input.subarray(at + removed)]);
}

const somewhere = (input: Buffer, random: Random): number => random.below(input.length + 1);
const someLength = (input: Buffer, random: Random): number => random.below(Math.min(input.length, random.once(8) ? 4_096 : 24) + 1);

const flipBit: Change = (input, random) => {
  if (input.length === 0) return Buffer.of(random.below(256));
  const copy = Buffer.from(input);
  const at = random.below(copy.length);
  copy[at] = (copy[at] as number) ^ (1 << random.below(8));
  return copy;
};
const putOctet: Change = (input, random) => spliced(input, somewhere(input, random), random.below(2), Buffer.of(random.pick(OCTETS)));
const putWord: Change = (input, random, words) =>
  words.length === 0
    ? flipBit(input, random, words, [])
    : spliced(input, somewhere(input, random), random.below(3), Buffer.from(random.pick(words), "latin1"));
const removeRange: Change = (input, random) => spliced(input, somewhere(input, random), someLength(input, random), Buffer.alloc(0));
const repeatRange: Change = (input, random) => {
  const at = somewhere(input, random);
  const range = input.subarray(at, at + someLength(input, random));
  const times = random.once(6) ? 64 : 1;
  return spliced(input, at, 0, Buffer.concat(Array.from({ length: times }, () => range)));
};
const randomRange: Change = (input, random) =>
  spliced(input, somewhere(input, random), someLength(input, random), random.bytes(random.below(16)));
const cutShort: Change = (input, random) => input.subarray(0, somewhere(input, random));
const partOfOther: Change = (input, random, _words, pool) => {
  const other = random.pick(pool);
  const at = somewhere(other, random);
  return spliced(input, somewhere(input, random), someLength(input, random), other.subarray(at, at + random.below(other.length + 1)));
};
const changeNumber: Change = (input, random) => {
  const found = [...input.toString("latin1").matchAll(/[0-9]+/g)];
  if (found.length === 0) return putOctet(input, random, [], []);
  const one = random.pick(found);
  return spliced(input, one.index, one[0].length, Buffer.from(random.pick(NUMBERS), "latin1"));
};
const swapLines: Change = (input, random) => {
  const lines = input.toString("latin1").split("\n");
  const [a, b] = [random.below(lines.length), random.below(lines.length)];
  [lines[a], lines[b]] = [lines[b] ?? "", lines[a] ?? ""];
  return Buffer.from(lines.join("\n"), "latin1");
};

const CHANGES: readonly Change[] = [
  flipBit,
  flipBit,
  putOctet,
  putOctet,
  putWord,
  putWord,
  putWord,
  removeRange,
  repeatRange,
  randomRange,
  cutShort,
  partOfOther,
  changeNumber,
  swapLines,
];

/** One to six changes to one of the pool. */
export function mutated(pool: readonly Buffer[], words: readonly string[], random: Random): Buffer {
  let input = random.pick(pool);
  for (let changes = 1 + random.below(MAX_CHANGES); changes > 0; changes--) input = random.pick(CHANGES)(input, random, words, pool);
  return input.length > MAX_INPUT_BYTES ? input.subarray(0, MAX_INPUT_BYTES) : input;
}
