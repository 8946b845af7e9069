import { describe, expect, test } from "vitest";
import { MAX_ALIASES } from "./structure.ts";
import { parseConfigText } from "./text.ts";

const read = (yaml: string): ReturnType<typeof parseConfigText> => parseConfigText("relay.yaml", yaml);
const codes = (yaml: string): readonly string[] => read(yaml).problems.map(({ code }) => code);

describe("aliases", () => {
  test("a few of them are expanded", () => {
    const text = read("a: &x [ 1, 2 ]\nb: *x\n");
    expect(text.problems).toEqual([]);
    expect(text.value).toEqual({ a: [1, 2], b: [1, 2] });
  });

  test("a billion laughs are refused before they take memory", () => {
    const levels = Array.from({ length: 12 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array(9).fill(`*l${level}`).join(", ")}]`);
    expect(codes(`l0: &l0 [ha]\n${levels.join("\n")}\n`)).toEqual(["ERR_CONFIG_ALIAS"]);
  });

  test("one that contains itself is refused", () => {
    expect(codes("a: &x { b: *x }\n")).toEqual(["ERR_CONFIG_ALIAS"]);
  });

  test("more than the bound are refused, one less is fine", () => {
    const aliases = (count: number): string => `a: &x 1\nb: [${Array(count).fill("*x").join(", ")}]\n`;
    expect(codes(aliases(MAX_ALIASES + 1))).toEqual(["ERR_CONFIG_ALIAS"]);
    expect(codes(aliases(MAX_ALIASES - 1))).toEqual([]);
  });

  test("a mistake below an alias is shown where the value is written", () => {
    const { line } = read("a: &x { name: 1 }\nb: *x\n").locate({ path: ["b", "name"], code: "ERR_CONFIG_TYPE", message: "", remedy: "" });
    expect(line).toBe(1);
  });
});

describe("size of nesting", () => {
  test.each([40, 5_000, 200_000])("%i open brackets are refused without a crash", (depth) => {
    expect(codes(`a: ${"[".repeat(depth)}${"]".repeat(depth)}`)).toContain("ERR_CONFIG_SYNTAX");
  });
});

describe("what costs more than its bytes is refused in time", () => {
  test.each([
    ["open brackets", "[".repeat(4_000_000)],
    ["aliases", `a: &a [1]\nb: [${"*a,".repeat(1_000_000)}*a]\n`],
    ["keys", `{${Array.from({ length: 30_000 }, (_, index) => `k${index}: 1`).join(",")}, k0: 1}`],
  ])("%s", (_what, yaml) => {
    // These took 24 s, minutes, and an hour: the time limit of a test tells that apart on the slowest machine.
    expect(codes(yaml).length).toBe(1);
  });
});

test("places count lines and columns from one, across Windows line ends and tabs", () => {
  const text = read('a: 1\r\n"b c": { d: x }\r\n');
  const place = (path: readonly string[]): string => {
    const { line, column, length } = text.locate({ path, code: "ERR_CONFIG_TYPE", message: "", remedy: "" });
    return `${line}:${column}+${length}`;
  };
  expect(place(["a"])).toBe("1:4+1");
  expect(place(["b c", "d"])).toBe("2:13+1");
  expect(place(["b c"])).toBe("2:1+5");
  expect(place(["b c", "missing"])).toBe("2:1+5");
});
