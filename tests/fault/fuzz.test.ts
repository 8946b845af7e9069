// Ten seconds of hostile input for every reader, from the corpus that longer runs have left (`pnpm fuzz --minutes N`). Another
// seed with FUZZ_SEED, another length with FUZZ_SECONDS.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { fuzz } from "../fuzz/fuzz.ts";
import { FUZZ_TARGETS } from "../fuzz/targets.ts";
import { promise, type FuzzTarget } from "../fuzz/target.ts";

const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_124);
const SECONDS = Number(process.env["FUZZ_SECONDS"] ?? 10);

test("no input breaks a promise of any reader (R-D1, R-D9, R-K7, R-L9)", { timeout: 60_000 + SECONDS * 1_000 }, async () => {
  const corpus = join(import.meta.dirname, "..", "fuzz", "corpus");
  const reports = await fuzz({ targets: FUZZ_TARGETS, seed: SEED, durationMs: SECONDS * 1_000, corpus, keep: false });
  console.info(
    [
      `seed ${SEED} (FUZZ_SEED)`,
      ...reports.map(({ name, executions, outcomes }) => `${name}: ${executions} executions, ${outcomes.size} outcomes`),
    ].join("\n"),
  );
  expect(
    reports.flatMap(({ name, crashes }) => crashes.map(({ message, input }) => ({ name, message, input: input.toString("latin1") }))),
  ).toEqual([]);
  // A target that always does the same is broken.
  expect(reports.filter(({ name, outcomes }) => name !== "handshake" && outcomes.size < 3).map(({ name }) => name)).toEqual([]);
});

const folder = mkdtempSync(join(tmpdir(), "sallyport-fuzz-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a broken promise is found, kept, and found again at once", async () => {
  const brittle: FuzzTarget = {
    name: "brittle",
    seeds: () => [Buffer.from("a=b")],
    words: ["=="],
    run(input) {
      promise(!input.includes("=="), "two in a row");
      return String(input.length % 4);
    },
  };
  const [first] = await fuzz({ targets: [brittle], seed: 1, durationMs: 200, corpus: folder });
  expect(first?.crashes.length).toBeGreaterThan(0);
  writeFileSync(join(folder, "brittle", "more.bin"), "c==d");
  const [again] = await fuzz({ targets: [brittle], seed: 2, durationMs: 0, corpus: folder });
  expect(again?.crashes.map(({ input }) => input.toString())).toContain("c==d");
});
