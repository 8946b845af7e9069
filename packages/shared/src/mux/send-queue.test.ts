import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BLOCK_BYTES, SendQueue } from "./send-queue.ts";

describe("send queue", () => {
  it("gives back what was put in, in order, however it is cut, and although the writer's memory changes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.nat(3 * BLOCK_BYTES), skip: fc.nat(100), take: fc.double({ min: 0, max: 1, noNaN: true }) }), {
          maxLength: 40,
        }),
        (steps) => {
          const queue = new SendQueue();
          const other = new SendQueue();
          let next = 0;
          let expected = 0;
          for (const { bytes, skip, take } of steps) {
            const chunk = Buffer.alloc(skip + bytes, 0xee);
            for (let i = skip; i < chunk.length; i++) chunk[i] = next++ % 251;
            queue.push(chunk, skip);
            chunk.fill(0xdd);
            // Its blocks come from the same place.
            other.push(chunk, 0);
            const size = Math.floor(queue.bytes * take);
            const target = Buffer.alloc(size + 3, 0xcc);
            queue.take(size, target, 2);
            for (let i = 0; i < size; i++) expect(target[2 + i]).toBe(expected++ % 251);
            expect([target[1], target[2 + size]]).toEqual([0xcc, 0xcc]);
            if (take > 0.5) other.clear();
          }
          expect(queue.bytes).toBe(next - expected);
        },
      ),
    );
  });

  it("is empty after clear(), and can be used again", () => {
    const queue = new SendQueue();
    queue.push(Buffer.alloc(100_000, "a"), 0);
    queue.take(5_000, Buffer.alloc(5_000), 0);
    queue.clear();
    expect(queue.bytes).toBe(0);
    queue.push(Buffer.from("again"), 0);
    const target = Buffer.alloc(5);
    queue.take(5, target, 0);
    expect(target.toString()).toBe("again");
  });

  it("takes no new memory while what was used before is free", () => {
    const queue = new SendQueue();
    const chunk = Buffer.alloc(32_768);
    const round = (): void => {
      queue.push(chunk, 0);
      queue.take(chunk.length, Buffer.alloc(chunk.length), 0);
    };
    round();
    const before = process.memoryUsage().arrayBuffers;
    const target = Buffer.alloc(chunk.length);
    for (let i = 0; i < 1_000; i++) {
      queue.push(chunk, 0);
      queue.take(chunk.length, target, 0);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * chunk.length);
  });
});
