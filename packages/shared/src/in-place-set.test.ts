import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InPlaceSet, type Member } from "./in-place-set.ts";

describe("InPlaceSet", () => {
  it("holds what a Set would hold, whatever is done to it", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), fc.boolean()), { maxLength: 500 }), (steps) => {
        const members: Member[] = Array.from({ length: 41 }, () => ({ place: undefined }));
        const ours = new InPlaceSet<Member>();
        const theirs = new Set<Member>();
        for (const [index, remove] of steps) {
          const member = members[index] as Member;
          if (remove) expect(ours.delete(member)).toBe(theirs.delete(member));
          else {
            expect(ours.add(member)).toBe(!theirs.has(member));
            theirs.add(member);
          }
          expect(ours.size).toBe(theirs.size);
        }
        expect(new Set(ours.all())).toEqual(theirs);
        expect(ours.all().length).toBe(theirs.size);
      }),
    );
  });

  it("forgets the places of a burst when the last member has left", () => {
    const set = new InPlaceSet<Member>();
    const members: Member[] = Array.from({ length: 5_000 }, () => ({ place: undefined }));
    for (const member of members) set.add(member);
    for (const member of members) set.delete(member);
    const [late] = members;
    set.add(late as Member);
    expect([set.size, late?.place]).toEqual([1, 0]);
  });
});
