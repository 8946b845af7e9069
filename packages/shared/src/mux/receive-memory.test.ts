import { describe, expect, it } from "vitest";
import { ownCopy, ReceiveMemory } from "./receive-memory.ts";

const SIZES = [1, 1_023, 1_024, 8_191, 8_192, 8_193, 16_384, 32_768, 32_769, 200_000];

describe("memory of received chunks", () => {
  it("copies chunks of any size, whatever becomes of the message", () => {
    const memory = new ReceiveMemory();
    for (const bytes of SIZES) {
      const chunk = Buffer.alloc(bytes, "a");
      const copies = [memory.copy(chunk), ownCopy(chunk)];
      chunk.fill("b");
      for (const copy of copies) expect(copy.equals(Buffer.alloc(bytes, "a"))).toBe(true);
    }
  });

  it("keeps little more than a chunk alive", () => {
    for (const bytes of SIZES.filter((size) => size >= 1_024)) {
      const chunk = Buffer.alloc(bytes);
      expect(new ReceiveMemory().copy(chunk).buffer.byteLength).toBeLessThan(2 * bytes);
      expect(ownCopy(chunk).buffer.byteLength).toBe(bytes);
    }
  });

  it("uses memory again only when all of a chunk was released, and those before it", () => {
    const memory = new ReceiveMemory();
    const [first, second] = [memory.copy(Buffer.alloc(20_000, "1")), memory.copy(Buffer.alloc(20_000, "2"))];
    const others: Buffer[] = [];
    const take = (): Buffer => {
      const copy = new ReceiveMemory().copy(Buffer.alloc(20_000, "x"));
      others.push(copy);
      return copy;
    };
    memory.release(19_999);
    expect(take().buffer === first.buffer || take().buffer === second.buffer).toBe(false);
    expect([first.toString("latin1", 0, 1), second.toString("latin1", 0, 1)]).toEqual(["1", "2"]);
    memory.release(2);
    expect(take().buffer).toBe(first.buffer);
    expect(second.every((byte) => byte === 0x32)).toBe(true);
    memory.release(19_999);
    expect(take().buffer).toBe(second.buffer);
    expect(new Set(others.map((copy) => copy.buffer)).size).toBe(others.length);
  });

  it("makes no garbage for a reader that keeps up", () => {
    const memory = new ReceiveMemory();
    const chunk = Buffer.alloc(32_768);
    memory.copy(chunk);
    memory.release(chunk.length);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1_000; i++) {
      memory.copy(chunk);
      memory.release(chunk.length);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * chunk.length);
  });
});
