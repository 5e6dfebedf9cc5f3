/**
 * Whether a quantity grows: a straight line by least squares, and the 95 % confidence interval of its
 * slope. A leak is a statement about that interval, not about two readings.
 *
 * Readings of memory follow each other closely, which makes the textbook interval too narrow: its
 * width is corrected by the correlation of neighbouring residuals (an AR(1) process). The first fifth
 * of a run is left out, since a program that warms up grows. What a run-time takes in a few steps and
 * then has looks like a slope too: so growth must go on in the second half to be called a leak.
 */

/** One reading. */
export interface Reading {
  /** Seconds. */
  readonly s: number;
  readonly value: number;
}

/**
 * - `no leak`: the interval holds 0, or growth is below the practical bound;
 * - `leak`: growth beyond chance and beyond the bound, in the whole and in its second half;
 * - `levelled off`: the same in the whole, but not in its second half;
 * - `too short to judge`: fewer than 60 readings.
 */
export type LeakVerdict = 'no leak' | 'leak' | 'levelled off' | 'too short to judge';

/** A fitted line. Slopes are per minute, in the unit of the readings. */
export interface Trend {
  /** Readings that the line is fitted to. */
  readonly readings: number;
  readonly first: number;
  readonly last: number;
  readonly max: number;
  readonly slopePerMin: number;
  readonly interval: readonly [low: number, high: number];
  /** Growth a minute below which a slope is no leak even where it is real. */
  readonly boundPerMin: number;
  readonly verdict: LeakVerdict;
}

/** With fewer readings no verdict is given. */
export const READINGS_NEEDED = 60;
const WARM_UP_SHARE = 0.2;
const CORRELATION_MAX = 0.99;
const S_PER_MIN = 60;

/**
 * Fits a line.
 *
 * @param readings in the order of their time
 * @param boundPerMin practical bound of growth a minute
 * @returns null where there are not three readings
 */
export function fitTrend(readings: readonly Reading[], boundPerMin: number): Trend | null {
  const from = readings[0]?.s ?? 0;
  const until = readings.at(-1)?.s ?? 0;
  const warm = from + (until - from) * WARM_UP_SHARE;
  const fitted = readings.filter((reading) => reading.s >= warm);
  const line = fitLine(fitted);
  if (line === null) return null;
  const half = fitLine(fitted.slice(fitted.length >> 1));
  return {
    readings: fitted.length,
    first: fitted[0]?.value ?? 0,
    last: fitted.at(-1)?.value ?? 0,
    max: fitted.reduce((max, one) => Math.max(max, one.value), Number.NEGATIVE_INFINITY),
    ...line,
    boundPerMin,
    verdict: judge(fitted.length, line, half, boundPerMin),
  };
}

type Line = Pick<Trend, 'slopePerMin' | 'interval'>;

function judge(n: number, whole: Line, half: Line | null, boundPerMin: number): LeakVerdict {
  const grows = ({ slopePerMin, interval: [low] }: Line): boolean =>
    low > 0 && slopePerMin >= boundPerMin;
  if (n < READINGS_NEEDED) return 'too short to judge';
  if (!grows(whole)) return 'no leak';
  return half !== null && grows(half) ? 'leak' : 'levelled off';
}

/** Null where there are not three readings. */
function fitLine(readings: readonly Reading[]): Line | null {
  const n = readings.length;
  if (n < 3) return null;
  const meanS = sum(readings, (one) => one.s) / n;
  const mean = sum(readings, (one) => one.value) / n;
  const spread = sum(readings, (one) => (one.s - meanS) ** 2);
  if (spread === 0) return null;
  const slope = sum(readings, (one) => (one.s - meanS) * (one.value - mean)) / spread;
  const residuals = readings.map((one) => one.value - mean - slope * (one.s - meanS));
  const squares = residuals.reduce((total, r) => total + r * r, 0);
  const error = Math.sqrt(squares / (n - 2) / spread) * widening(residuals);
  const reach = studentT(n - 2) * error;
  return {
    slopePerMin: slope * S_PER_MIN,
    interval: [(slope - reach) * S_PER_MIN, (slope + reach) * S_PER_MIN],
  };
}

/** How much wider the interval is for the correlation of neighbouring residuals; 1 for none. */
function widening(residuals: readonly number[]): number {
  let products = 0;
  let squares = 0;
  for (const [index, r] of residuals.entries()) {
    squares += r * r;
    products += r * (residuals[index - 1] ?? 0);
  }
  if (squares === 0) return 1;
  const correlation = Math.min(CORRELATION_MAX, Math.max(0, products / squares));
  return Math.sqrt((1 + correlation) / (1 - correlation));
}

/**
 * The 97.5 % quantile of Student's t: the Cornish-Fisher expansion around the normal quantile
 * (Abramowitz and Stegun 26.7.5), exact to 0.03 from 3 degrees of freedom on.
 *
 * @param degrees at least 1
 */
export function studentT(degrees: number): number {
  if (degrees < 3) return degrees === 1 ? 12.706 : 4.303;
  const z = 1.959964;
  const z3 = z ** 3;
  const z5 = z ** 5;
  const z7 = z ** 7;
  return (
    z +
    (z3 + z) / (4 * degrees) +
    (5 * z5 + 16 * z3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * degrees ** 3)
  );
}

function sum(readings: readonly Reading[], of: (reading: Reading) => number): number {
  return readings.reduce((total, reading) => total + of(reading), 0);
}
