// What a fuzz target is: a reader of hostile bytes, the promises it has to keep whatever they are, and examples to start from.
// Must not know how inputs come about.

export interface FuzzTarget {
  readonly name: string;
  /** Sound and odd examples, which are mutated and joined. At least one. */
  readonly seeds: () => readonly Buffer[];
  /** Words of the input's language, put in at random places. */
  readonly words: readonly string[];
  /**
   * Reads the input and checks every promise.
   * @returns a short word for what became of it: inputs with a new word are kept and mutated further
   * @throws whatever it likes when a promise is broken: {@link promise}
   */
  readonly run: (input: Buffer, pick: Picker) => string | Promise<string>;
}

/** Randomness of one execution, from the run's seed. */
export interface Picker {
  below(below: number): number;
}

/** @throws Error when what was promised does not hold */
export function promise(holds: boolean, what: string, ...context: readonly unknown[]): asserts holds {
  if (!holds) throw new Error(`${what}: ${JSON.stringify(context)}`);
}

/** Both are the same as data. */
export function same(what: string, one: unknown, other: unknown): void {
  const [a, b] = [JSON.stringify(one), JSON.stringify(other)];
  promise(a === b, what, a.slice(0, 2_000), b.slice(0, 2_000));
}

/** The input in one to four pieces, divided anywhere. */
export function pieces(input: Buffer, pick: Picker): readonly Buffer[] {
  const borders = Array.from({ length: pick.below(4) }, () => pick.below(input.length + 1)).toSorted((a, b) => a - b);
  return [0, ...borders].map((from, at) => input.subarray(from, borders[at] ?? input.length));
}

/** Every byte on its own where the input is short, else a few pieces. */
export function divided(input: Buffer, pick: Picker): readonly Buffer[] {
  return input.length < 300 && pick.below(2) === 0 ? [...input].map((octet) => Buffer.of(octet)) : pieces(input, pick);
}

export function latin1(...texts: readonly string[]): readonly Buffer[] {
  return texts.map((text) => Buffer.from(text, "latin1"));
}

/** CR, LF, NUL and every other control but HTAB. */
export function holdsControl(text: string): boolean {
  return /[\0-\x08\x0a-\x1f\x7f]/.test(text);
}
