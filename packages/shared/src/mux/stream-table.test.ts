import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StreamTable } from "./stream-table.ts";

describe("StreamTable", () => {
  it("holds what a Map would hold, whatever is done to it", () => {
    const id = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 0xffff_ffff }));
    const step = fc.record({ id, remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 1_000 }), (steps) => {
        const table = new StreamTable<string>();
        const map = new Map<number, string>();
        for (const [index, { id: number, remove }] of steps.entries()) {
          if (remove) {
            table.delete(number);
            map.delete(number);
          } else {
            table.set(number, `${index}`);
            map.set(number, `${index}`);
          }
          expect(table.get(number)).toBe(map.get(number));
        }
        expect(table.size).toBe(map.size);
        for (const [number, stream] of map) expect(table.get(number)).toBe(stream);
        expect(table.all().toSorted()).toEqual([...map.values()].toSorted());
      }),
    );
  });

  it("stays right over many thousands that come and go, and forgets all at once", () => {
    const table = new StreamTable<number>();
    for (let id = 1; id <= 100_000; id++) {
      table.set(id, id);
      if (id > 5_000) table.delete(id - 5_000);
    }
    expect(table.size).toBe(5_000);
    for (let id = 95_001; id <= 100_000; id++) expect(table.get(id)).toBe(id);
    expect(table.get(95_000)).toBeUndefined();
    table.clear();
    expect([table.size, table.get(100_000), table.all()]).toEqual([0, undefined, []]);
  });
});
