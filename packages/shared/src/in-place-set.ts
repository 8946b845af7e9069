// A set of things that come and go by the thousand, written in place. Not a Set: V8's leaves its members in each table that
// it has outgrown, and from there a way to the next table; one of them in old memory keeps alive whatever went through the
// Set since, until a major collection (mux/stream-table.ts has the figures). Must not know what its members are.

/** What can be in one such set at a time. */
export interface Member {
  /** Its place in the set, which is the set's to write; undefined while it is in none. */
  place: number | undefined;
}

/** Places that stay allocated for the next members when the last one has left. */
const KEPT_PLACES = 1_024;

export class InPlaceSet<M extends Member> {
  readonly #members: (M | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#members.length - this.#free.length;
  }

  /** @returns false when it is in already */
  add(member: M): boolean {
    if (member.place !== undefined) return false;
    member.place = this.#free.pop() ?? this.#members.length;
    this.#members[member.place] = member;
    return true;
  }

  /** @returns false when it is not in */
  delete(member: M): boolean {
    const { place } = member;
    if (place === undefined) return false;
    member.place = undefined;
    this.#members[place] = undefined;
    this.#free.push(place);
    if (this.#free.length === this.#members.length && this.#free.length > KEPT_PLACES) this.#forget();
    return true;
  }

  /** All of them as they are now, in no order: the set may change while they are looked at. */
  all(): M[] {
    return this.#members.filter((member) => member !== undefined);
  }

  #forget(): void {
    this.#members.length = 0;
    this.#free.length = 0;
  }
}
