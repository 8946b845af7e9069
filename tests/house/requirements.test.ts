// Every security requirement is proven by a test that names it, and docs/threat-model.md says by which.

import { describe, expect, test } from "vitest";
import { REQUIREMENTS } from "../requirements/list.ts";
import { BEGIN, coverage, END, idsOf, tableIn, withTable } from "../requirements/table.ts";
import { listTitles, type TestTitle } from "../requirements/titles.ts";
import { read, root } from "./tree.ts";

const DOCUMENT = "docs/threat-model.md";

describe("requirements and their tests", () => {
  const { table, problems } = coverage(REQUIREMENTS, listTitles(root));

  test("each has one, and each id in a title is one", () => {
    expect(problems, "a test proves a requirement when its title names the id\n").toEqual([]);
  });

  test(`${DOCUMENT} lists them as they are`, () => {
    expect(tableIn(read(DOCUMENT)) === table, `${DOCUMENT} is out of date: pnpm requirements --write`).toBe(true);
  });

  test("ids are in order and there once", () => {
    const order = REQUIREMENTS.map(({ id }) => id);
    const sorted = order.toSorted((a, b) => a.charCodeAt(2) - b.charCodeAt(2) || Number(a.slice(3)) - Number(b.slice(3)));
    expect(order).toEqual(sorted);
    expect(new Set(order).size).toBe(order.length);
  });
});

describe("the table", () => {
  const REQUIRED = [
    { id: "R-A1", what: "one" },
    { id: "R-A10", what: "ten" },
    { id: "R-B1", what: "other", absent: "there is none" },
  ];
  const title = (file: string, ...path: string[]): TestTitle => ({ project: "unit", file, path });

  test("counts the tests below a describe that names an id, and tells R-A1 from R-A10", () => {
    const titles = [
      title("a/x.test.ts", "R-A1: paths", "one"),
      title("a/x.test.ts", "R-A1: paths", "two | three"),
      title("b.test.ts", "(R-A10)"),
    ];
    const { table, problems } = coverage(REQUIRED, titles);
    expect(problems).toEqual([]);
    expect(table).toContain("| R-A1 | one | [x](../a/x.test.ts): `R-A1: paths` (2) |");
    expect(table).toContain("| R-A10 | ten | [b](../b.test.ts): `(R-A10)` |");
    expect(table).toContain("| R-B1 | other | there is none |");
  });

  test("names what has no test, what nobody knows, and what is no longer absent", () => {
    expect(coverage(REQUIRED, [title("a.test.ts", "R-A1, R-B1, R-Z9")]).problems).toEqual([
      "R-Z9 is no requirement, but a.test.ts names it",
      "R-A10 has no test: name it in the title of one that proves it",
      'R-B1 is said to be absent ("there is none"), but has tests',
    ]);
  });

  test("replaces what stands between the markers and nothing else", () => {
    const document = `before\n${BEGIN}\nold\n${END}\nafter\n`;
    const written = withTable(document, "| new |");
    expect(written).toBe(`before\n${BEGIN}\n\n| new |\n\n${END}\nafter\n`);
    expect(tableIn(written)).toBe("| new |");
    expect(() => withTable("nothing", "x")).toThrow();
  });

  test("ids are read as whole words, ranges in full", () => {
    expect(idsOf("R-A9 to R-A11: x, R-B1 to")).toEqual(["R-A9", "R-A10", "R-A11", "R-B1"]);
    expect(idsOf("R-A1: XR-A2 R-A3x (R-A13) and R-B2, R-C")).toEqual(["R-A1", "R-A13", "R-B2"]);
  });
});
