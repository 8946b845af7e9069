import { describe, expect, it } from "vitest";
import { LineBuffer } from "./line-buffer.ts";

describe("LineBuffer", () => {
  it("holds lines in order, as UTF-8, however many there are", () => {
    const buffer = new LineBuffer(16);
    const lines = ["a\n", "\u00e9\u20ac\ud83d\ude00\n", "x".repeat(100), "\n"];
    for (const line of lines) buffer.append(line);
    expect(buffer.peek().toString("utf8")).toBe(lines.join(""));
    expect(buffer.length).toBe(Buffer.byteLength(lines.join("")));
    expect(buffer.take().toString("utf8")).toBe(lines.join(""));
    expect(buffer.length).toBe(0);
  });

  it("never writes over what was taken before it was given back", () => {
    const buffer = new LineBuffer(32);
    buffer.append("first\n");
    const first = buffer.take();
    buffer.append("second\n");
    const second = buffer.take();
    expect([first.toString(), second.toString()]).toEqual(["first\n", "second\n"]);
    buffer.giveBack(first);
    buffer.append("third\n");
    buffer.append("x".repeat(40));
    expect(second.toString()).toBe("second\n");
    expect(buffer.take().toString()).toBe(`third\n${"x".repeat(40)}`);
    buffer.append("fourth\n");
    expect(buffer.peek().toString()).toBe("fourth\n");
  });

  it("uses memory again, but not memory that grew for a backlog", () => {
    const buffer = new LineBuffer(64);
    buffer.append("a");
    const first = buffer.take();
    buffer.giveBack(first);
    buffer.append("b");
    buffer.take();
    buffer.append("c");
    expect(buffer.peek().buffer).toBe(first.buffer);
    buffer.append("x".repeat(100));
    const grown = buffer.take();
    buffer.giveBack(grown);
    buffer.take();
    expect(buffer.peek().buffer).not.toBe(grown.buffer);
  });
});
