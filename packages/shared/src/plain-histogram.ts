// Durations counted on the path of every request (O4): a typed array instead of an object that builds a key from labels for
// each observation. Read at a scrape. Pure; must not know what is measured, nor who asks.

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** For the series of a histogram: name with suffix. */
  readonly metricName?: string;
}

/** Buckets of request durations: 1 ms to 60 s. */
export const DURATION_BUCKETS_SECONDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Buckets of decisions: 5 us to 100 ms. */
export const DECISION_BUCKETS_SECONDS: readonly number[] = [
  0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1,
];

/** A histogram in a typed array: one comparison loop and two additions for each observation. */
export class PlainHistogram {
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(boundsSeconds: readonly number[]) {
    this.#bounds = Float64Array.from(boundsSeconds);
    this.#counts = new Float64Array(boundsSeconds.length + 1);
  }

  observeMs(durationMs: number): void {
    const seconds = durationMs / 1000;
    let i = 0;
    while (i < this.#bounds.length && seconds > (this.#bounds[i] as number)) i += 1;
    this.#counts[i] = (this.#counts[i] as number) + 1;
    this.#sum += seconds;
  }

  /** The series of the exposition format: cumulative buckets, sum, count. */
  samples(name: string, labels: Readonly<Record<string, string>>): Sample[] {
    const samples: Sample[] = [];
    let total = 0;
    for (let i = 0; i < this.#counts.length; i += 1) {
      total += this.#counts[i] as number;
      const le = i < this.#bounds.length ? String(this.#bounds[i]) : "+Inf";
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: total });
    }
    samples.push({ metricName: `${name}_sum`, labels, value: this.#sum }, { metricName: `${name}_count`, labels, value: total });
    return samples;
  }
}
