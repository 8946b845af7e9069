// Alternating runs of two sides, so that what the machine does meanwhile hits both: A B A B, and the median of the
// ratios of the pairs. Must not know what is measured.

export interface Pair {
  readonly ours: number;
  readonly reference: number;
}

export interface Compared {
  readonly ours: number;
  readonly reference: number;
  /** Median of ours / reference, pair by pair; not the ratio of the medians. */
  readonly ratio: number;
  readonly runs: readonly Pair[];
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error("the median of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

export function compare(runs: readonly Pair[]): Compared {
  return {
    ours: median(runs.map(({ ours }) => ours)),
    reference: median(runs.map(({ reference }) => reference)),
    ratio: median(runs.map(({ ours, reference }) => ours / reference)),
    runs,
  };
}

export interface Samples<T> {
  readonly ours: readonly T[];
  readonly reference: readonly T[];
}

/** Runs both sides in turns. */
export async function alternate<T>(pairs: number, ours: () => Promise<T>, reference: () => Promise<T>): Promise<Samples<T>> {
  const samples = { ours: [] as T[], reference: [] as T[] };
  for (let pair = 0; pair < pairs; pair += 1) {
    samples.ours.push(await ours());
    samples.reference.push(await reference());
  }
  return samples;
}

/** One figure of each sample, compared. */
export function compareBy<T>({ ours, reference }: Samples<T>, figure: (sample: T) => number): Compared {
  return compare(ours.map((sample, index) => ({ ours: figure(sample), reference: figure(reference[index] as T) })));
}
