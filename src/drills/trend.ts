/**
 * Whether a quantity grows: a straight line by least squares, and the 95 % confidence interval of its
 * slope. A leak is a statement about that interval, not about two readings.
 *
 * Readings of memory follow each other closely, which makes the textbook interval too narrow: so many
 * correlated readings say as little as fewer independent ones would. Their correlation is taken from
 * neighbouring residuals (an AR(1) process) and put right for its bias, without which the interval of a
 * flat series misses 0 in a quarter of the cases where neighbours are correlated by 0.99 and there are
 * 600 readings; with it, in 8 % (simulated; 5 % would be exact). Where the readings are worth a few
 * independent ones only, the interval is wide, and says so.
 *
 * A run-time that warms up grows too, in steps of tens of megabytes: the first two minutes (or the first
 * fifth of a longer run) are left out, and a leak is only what grows from each quarter of the rest to
 * the next.
 */

/** One reading. */
export interface Reading {
  /** Seconds. */
  readonly s: number;
  readonly value: number;
}

/**
 * - `no leak`: the interval holds 0, or growth is below the practical bound;
 * - `leak`: growth beyond chance and beyond the bound, from each quarter to the next;
 * - `unsteady`: growth beyond the bound that is no matter of chance, but in a step or two: where one
 *   makes the interval hold 0, the last quarter still lies above the first;
 * - `too short to judge`: fewer than 60 readings after the warm-up.
 */
export type LeakVerdict = 'no leak' | 'leak' | 'unsteady' | 'too short to judge';

/** A fitted line. Slopes are per minute, in the unit of the readings. */
export interface Trend {
  /** Readings that the line is fitted to. */
  readonly readings: number;
  readonly first: number;
  readonly last: number;
  readonly max: number;
  readonly slopePerMin: number;
  readonly interval: readonly [low: number, high: number];
  /** Where the interval lies: `holds` means that the slope is indistinguishable from 0. */
  readonly zero: 'holds' | 'above' | 'below';
  /** Growth a minute below which a slope is no leak even where it is real. */
  readonly boundPerMin: number;
  readonly verdict: LeakVerdict;
}

/** With fewer readings no verdict is given. */
const READINGS_NEEDED = 60;
const WARM_UP_SHARE = 0.2;
/** At some 300 exchanges a second a proxy has all its memory after 100 s (measured: 30,000 exchanges). */
const WARM_UP_S = 120;
const QUARTERS = 4;
/** A leak grows from quarter to quarter by this share, at least, of what the bound allows. */
const QUARTER_SHARE = 0.5;
const CORRELATION_MAX = 0.999;
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
  const share = ((readings.at(-1)?.s ?? 0) - from) * WARM_UP_SHARE;
  const after = (s: number): readonly Reading[] => readings.filter((one) => one.s >= from + s);
  const judged = after(Math.max(share, WARM_UP_S));
  const isEnough = judged.length >= READINGS_NEEDED;
  // What is too short for a verdict still shows its slope.
  const fitted = isEnough ? judged : after(share);
  const line = fitLine(fitted);
  if (line === null) return null;
  return {
    readings: fitted.length,
    first: fitted[0]?.value ?? 0,
    last: fitted.at(-1)?.value ?? 0,
    max: fitted.reduce((max, one) => Math.max(max, one.value), Number.NEGATIVE_INFINITY),
    ...line,
    zero: zeroOf(line),
    boundPerMin,
    verdict: isEnough ? judge(fitted, line, boundPerMin) : 'too short to judge',
  };
}

type Line = Pick<Trend, 'slopePerMin' | 'interval'>;

function zeroOf({ interval: [low, high] }: Line): Trend['zero'] {
  if (low > 0) return 'above';
  return high < 0 ? 'below' : 'holds';
}

function judge(readings: readonly Reading[], line: Line, boundPerMin: number): LeakVerdict {
  const isCertain = line.interval[0] > 0;
  if (line.slopePerMin < boundPerMin) return 'no leak';
  if (isCertain && growsThroughout(readings, boundPerMin)) return 'leak';
  return isCertain || hasRisen(readings) ? 'unsteady' : 'no leak';
}

/** Every reading of the last quarter lies above every one of the first. */
function hasRisen(readings: readonly Reading[]): boolean {
  const quarter = Math.ceil(readings.length / QUARTERS);
  const highest = Math.max(...readings.slice(0, quarter).map((one) => one.value));
  return readings.slice(-quarter).every((one) => one.value > highest);
}

function growsThroughout(readings: readonly Reading[], boundPerMin: number): boolean {
  const size = readings.length / QUARTERS;
  const minutes = ((readings.at(-1)?.s ?? 0) - (readings[0]?.s ?? 0)) / S_PER_MIN / QUARTERS;
  const least = boundPerMin * minutes * QUARTER_SHARE;
  let before = Number.NEGATIVE_INFINITY;
  for (let quarter = 0; quarter < QUARTERS; quarter += 1) {
    const part = readings.slice(Math.floor(quarter * size), Math.floor((quarter + 1) * size));
    const mean = sum(part, (one) => one.value) / part.length;
    if (mean - before < least) return false;
    before = mean;
  }
  return true;
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
  const worth = independentReadings(residuals);
  const free = Math.max(1, worth - 2);
  const variance = (squares / n) * ((free + 2) / free);
  const reach = studentT(free) * Math.sqrt((variance / spread) * (n / worth));
  return {
    slopePerMin: slope * S_PER_MIN,
    interval: [(slope - reach) * S_PER_MIN, (slope + reach) * S_PER_MIN],
  };
}

/** How many independent readings would say as much; at most as many as there are. */
function independentReadings(residuals: readonly number[]): number {
  const n = residuals.length;
  let products = 0;
  let squares = 0;
  for (const [index, r] of residuals.entries()) {
    squares += r * r;
    products += r * (residuals[index - 1] ?? 0);
  }
  if (squares === 0) return n;
  const seen = Math.max(0, products / squares);
  // Residuals of a fitted line look less correlated than what they come from.
  const correlation = Math.min(CORRELATION_MAX, seen + (2 + 4 * seen) / n);
  return n * ((1 - correlation) / (1 + correlation));
}

/**
 * The 97.5 % quantile of Student's t: the Cornish-Fisher expansion around the normal quantile
 * (Abramowitz and Stegun 26.7.5), exact to 0.03 from 3 degrees of freedom on; below, by the table's
 * values, on the wide side between them.
 *
 * @param degrees at least 1, of any fraction
 */
export function studentT(degrees: number): number {
  if (degrees < 2) return 4.303 + (12.706 - 4.303) * (2 / degrees - 1);
  if (degrees < 3) return 3.182 + (4.303 - 3.182) * (6 / degrees - 2);
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
