import { expect, test } from "vitest";
import type { Problem } from "./problem.ts";
import { renderProblem, renderProblems } from "./render.ts";

const problem: Problem = {
  severity: "error",
  file: "relay.yaml",
  line: 12,
  column: 5,
  length: 7,
  path: "applications[0].hostnam",
  code: "ERR_CONFIG_UNKNOWN_KEY",
  message: 'unknown key "hostnam"',
  remedy: 'write "hostname" instead',
};
const lines = [...Array<string>(11).fill(""), "    hostnam: grafana.example.com"];

test("a problem reads like one of a good compiler", () => {
  expect(renderProblem(problem, { color: false, lines })).toBe(
    [
      'error[ERR_CONFIG_UNKNOWN_KEY]: unknown key "hostnam"',
      "  --> relay.yaml:12:5  applications[0].hostnam",
      "   |",
      "12 |     hostnam: grafana.example.com",
      "   |     ^^^^^^^",
      '   = write "hostname" instead',
    ].join("\n"),
  );
});

test("errors come before warnings, each in the order of the file, with a count at the end", () => {
  const warning: Problem = { ...problem, severity: "warning", line: 1, message: "early" };
  const later: Problem = { ...problem, line: 13, message: "late" };
  const text = renderProblems([warning, later, problem], { color: false, lines });
  expect(text.indexOf("hostnam")).toBeLessThan(text.indexOf("late"));
  expect(text.indexOf("late")).toBeLessThan(text.indexOf("early"));
  expect(text.endsWith("2 errors, 1 warning")).toBe(true);
});

test("a long line is cut around the caret, which stays under its place", () => {
  const long = `${"x".repeat(500)}HERE${"y".repeat(500)}`;
  const rows = renderProblem({ ...problem, line: 1, column: 501, length: 4 }, { color: false, lines: [long] }).split("\n");
  const source = rows[3] ?? "";
  const caret = (rows[4] ?? "").indexOf("^^^^");
  expect(source.length).toBeLessThan(140);
  expect(source.slice(caret, caret + 4)).toBe("HERE");
});

test("control characters of the file cannot draw on the terminal", () => {
  const rendered = renderProblem({ ...problem, line: 1, column: 1 }, { color: false, lines: ["a: \u001b[2J\u202e\u0007"] });
  expect(rendered).not.toMatch(/[\u001b\u202e\u0007]/);
});

test("without the line there is no excerpt", () => {
  expect(renderProblem(problem, { color: false, lines: [] }).split("\n")).toHaveLength(3);
});
