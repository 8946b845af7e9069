import { expect, test } from "vitest";
import { createLogger, formatLogLine } from "./logger.ts";

function linesOf(format: "json" | "text", log: (logger: ReturnType<typeof createLogger>) => void): readonly string[] {
  const lines: string[] = [];
  log(createLogger({ level: "info", format, write: (line) => lines.push(line) }));
  return lines;
}

test("a JSON line has level as a word, an ISO time and the fields", () => {
  const [line] = linesOf("json", (logger) => logger.info({ tunnel: "office" }, "connector connected"));
  expect(JSON.parse(line ?? "")).toEqual({
    level: "info",
    time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    tunnel: "office",
    msg: "connector connected",
  });
});

test("a line for people has time, level, message and fields", () => {
  const [line] = linesOf("text", (logger) => logger.warn({ tunnel: "office", reason: "two words" }, "connector gone"));
  expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}warn {3}connector gone {2}tunnel=office reason="two words"\n$/);
});

test("what is below the level is not written", () => {
  expect(linesOf("json", (logger) => logger.debug("x"))).toEqual([]);
});

test("no field starts a second line or draws on the terminal (R-M1)", () => {
  const evil = "\u001b[2J\r\nlevel=fatal \u2028\u202e";
  for (const format of ["json", "text"] as const) {
    const [line = ""] = linesOf(format, (logger) => logger.info({ evil, [evil]: 1 }, evil));
    expect(line.trimEnd()).not.toMatch(/[\r\n\u001b]/);
  }
  expect(linesOf("text", (logger) => logger.info({ evil }, evil))[0]).not.toMatch(/[\u2028\u202e]/);
});

test("a line that is no JSON passes as it is", () => {
  expect(formatLogLine("hello\n")).toBe("hello\n");
});
