/**
 * A histogram of durations in fixed buckets on a logarithmic scale: memory and error are bounded
 * whatever comes, so that a million values cost what ten do. A quantile is off by 2.5 % at most.
 */

/** Milliseconds at which the first bucket ends. */
const FIRST_MS = 0.01;
/** Each bucket is this much wider than the one before. */
const RATIO = 1.05;
/** Up to some 30 hours. */
const BUCKETS = 472;

export interface Histogram {
  /** Takes a duration in ms, from 0. */
  add(ms: number): void;
  readonly count: number;
  /** @returns null without values */
  summary(): Quantiles | null;
}

/** Milliseconds. */
export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Makes an empty histogram. */
export function createHistogram(): Histogram {
  const counts = new Float64Array(BUCKETS);
  let count = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = 0;
  const quantile = (q: number): number => {
    const rank = Math.max(1, Math.ceil(q * count));
    let seen = 0;
    for (let i = 0; i < BUCKETS; i += 1) {
      seen += counts[i] ?? 0;
      if (seen >= rank) return Math.min(max, Math.max(min, middleOf(i)));
    }
    return max;
  };
  return {
    add: (ms) => {
      const i = bucketOf(ms);
      counts[i] = (counts[i] ?? 0) + 1;
      count += 1;
      if (ms < min) min = ms;
      if (ms > max) max = ms;
    },
    get count() {
      return count;
    },
    summary: () =>
      count === 0 ? null : { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99), max },
  };
}

function bucketOf(ms: number): number {
  if (!(ms > FIRST_MS)) return 0;
  return Math.min(BUCKETS - 1, 1 + Math.floor(Math.log(ms / FIRST_MS) / Math.log(RATIO)));
}

/** The geometric middle of a bucket. */
function middleOf(bucket: number): number {
  return bucket === 0 ? FIRST_MS : FIRST_MS * RATIO ** (bucket - 0.5);
}
