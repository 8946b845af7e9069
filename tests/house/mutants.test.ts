// The mutants of `pnpm mutants` still apply: running them takes minutes, this takes none. A patch that no longer fits its
// source, or names a test that does not name the requirement, would make the whole exercise silent.

import { describe, expect, test } from "vitest";
import { MUTANTS, UNPATCHABLE } from "../mutants/all.ts";
import { patched } from "../mutants/mutant.ts";
import { REQUIREMENTS } from "../requirements/list.ts";
import { idsOf } from "../requirements/table.ts";
import { read } from "./tree.ts";

describe("mutants", () => {
  test("every patch applies once, and changes something", () => {
    const problems = MUTANTS.flatMap((mutant) => {
      try {
        const source = read(mutant.file);
        return patched(mutant, source) === source ? [`${mutant.id} (${mutant.off}) changes nothing`] : [];
      } catch (error) {
        return [String((error as Error).message)];
      }
    });
    expect(problems, "the source has changed: bring tests/mutants up to date, and run pnpm mutants --only ID\n").toEqual([]);
  });

  test("every named test file names the requirement", () => {
    const problems = MUTANTS.flatMap(({ id, tests }) =>
      tests.filter((file) => !idsOf(read(file)).includes(id)).map((file) => `${file} does not name ${id}`),
    );
    expect(problems).toEqual([]);
    expect(MUTANTS.filter(({ tests }) => tests.length === 0)).toEqual([]);
  });

  test("every requirement has one, or says why none is possible", () => {
    const covered = new Set([...MUTANTS.map(({ id }) => id), ...UNPATCHABLE.map(({ id }) => id)]);
    expect(REQUIREMENTS.map(({ id }) => id).filter((id) => !covered.has(id))).toEqual([]);
    const known = new Set(REQUIREMENTS.map(({ id }) => id));
    expect([...covered].filter((id) => !known.has(id))).toEqual([]);
    expect(UNPATCHABLE.filter(({ id }) => MUTANTS.some((mutant) => mutant.id === id))).toEqual([]);
  });

  test("none is there twice", () => {
    expect(new Set(MUTANTS.map(({ id, off }) => `${id} ${off}`)).size).toBe(MUTANTS.length);
  });
});
