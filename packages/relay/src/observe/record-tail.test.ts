import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventLine, timestamp } from "./record-line.ts";
import { followRecord, newestLines } from "./record-tail.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "sallyport-tail-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const line = (seq: number, detail = "") => eventLine(seq, timestamp(0), "test", "relay", { detail });
const append = (file: number, text: string) => appendFileSync(join(folder, `records-${String(file).padStart(16, "0")}.jsonl`), text);
const seqs = (lines: readonly string[]) => lines.map((text) => (JSON.parse(text) as { seq: number }).seq);

test("the newest lines are found over files and over more than one chunk, without batch lines", () => {
  append(1, line(1) + line(2) + '{"seq":3,"time":"x","kind":"batch","records":2}\n');
  const long = "x".repeat(1_500);
  append(4, Array.from({ length: 2_000 }, (_, n) => line(n + 4, long)).join(""));
  expect(seqs(newestLines(folder, 3))).toEqual([2_001, 2_002, 2_003]);
  expect(seqs(newestLines(folder, 5_000))).toEqual([1, 2, ...Array.from({ length: 2_000 }, (_, n) => n + 4)]);
  expect(newestLines(folder, 3, { kind: "request" })).toEqual([]);
});

test("a line that is not finished waits until it is, and the next file is followed", () => {
  append(1, line(1));
  const following = followRecord(folder);
  expect(following.next()).toEqual([]);
  append(1, line(2).slice(0, 20));
  expect(following.next()).toEqual([]);
  append(1, line(2).slice(20) + line(3));
  append(4, line(4));
  expect(seqs(following.next())).toEqual([2, 3, 4]);
  append(4, line(5));
  expect(seqs(following.next())).toEqual([5]);
});

test("a record that does not exist yet is followed from its first line", () => {
  const following = followRecord(folder);
  expect(following.next()).toEqual([]);
  append(1, line(1));
  expect(seqs(following.next())).toEqual([1]);
});
