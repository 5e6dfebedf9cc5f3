/**
 * Whether one side differs from the other: the mean of paired differences and the geometric mean of
 * paired ratios, each with the 95 % interval of Student's t.
 *
 * The two blocks of a pair run one after the other, so that what slows the machine for a while slows
 * both; pairs alternate in their order. Each quantity has an interval of its own: of twenty
 * quantities that do not differ one shows a difference by chance.
 */
import assert from 'node:assert/strict';
import { studentT } from './trend.ts';

/** One quantity of two blocks that ran beside each other; both above 0. */
export interface Pair {
  readonly a: number;
  readonly b: number;
}

/** An estimate; without an interval where there are not two pairs. */
export interface Estimate {
  readonly value: number;
  readonly interval: readonly [low: number, high: number] | null;
}

/** What is compared, and how it is read. */
export interface Quantity {
  readonly name: 'latency' | 'ttfb' | 'throughput';
  readonly unit: 'ms' | 'MB/s';
  /** More of it is slower. */
  readonly isTime: boolean;
}

export interface Comparison extends Quantity {
  readonly pairs: number;
  /** Means over the blocks of each side. */
  readonly a: number;
  readonly b: number;
  /** B minus A. */
  readonly difference: Estimate;
  /** B by A. */
  readonly ratio: Estimate;
  /** In words. */
  readonly verdict: string;
}

/** With fewer there is no interval. */
export const PAIRS_NEEDED = 2;
/** From here on a factor is told as such, below as a percentage. */
const FACTOR_TOLD = 2;

/** Compares one quantity; null where there is no pair. */
export function compare(quantity: Quantity, pairs: readonly Pair[]): Comparison | null {
  if (pairs.length === 0) return null;
  for (const { a, b } of pairs) assert(a > 0 && b > 0, 'a quantity is above 0');
  const logarithm = estimate(pairs.map(({ a, b }) => Math.log(b / a)));
  const { interval } = logarithm;
  const ratio: Estimate = {
    value: Math.exp(logarithm.value),
    interval: interval === null ? null : [Math.exp(interval[0]), Math.exp(interval[1])],
  };
  return {
    ...quantity,
    pairs: pairs.length,
    a: mean(pairs.map(({ a }) => a)),
    b: mean(pairs.map(({ b }) => b)),
    difference: estimate(pairs.map(({ a, b }) => b - a)),
    ratio,
    verdict: verdictOf(quantity, ratio),
  };
}

/** The mean of independent values. */
function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  const value = mean(values);
  if (n < PAIRS_NEEDED) return { value, interval: null };
  const squares = values.reduce((total, one) => total + (one - value) ** 2, 0);
  const reach = studentT(n - 1) * Math.sqrt(squares / (n - 1) / n);
  return { value, interval: [value - reach, value + reach] };
}

function verdictOf({ isTime }: Quantity, { value, interval }: Estimate): string {
  if (interval === null) return 'too few blocks to tell';
  const [low, high] = interval;
  if (low <= 1 && high >= 1) return 'no difference shown';
  const isSlower = isTime ? value > 1 : value < 1;
  // Always how much more time, or how much less, the one takes.
  const inTime = (ratio: number): number => (isTime ? ratio : 1 / ratio);
  const ends = [inTime(low), inTime(high)].sort((x, y) => x - y);
  const factor = inTime(value);
  const word = `B ${isSlower ? 'slower' : 'faster'}`;
  if (factor >= FACTOR_TOLD || factor <= 1 / FACTOR_TOLD) {
    const [from = 0, to = 0] = ends;
    return `${word}: ${factor.toFixed(2)} of A's time [${from.toFixed(2)}, ${to.toFixed(2)}]`;
  }
  const [least = 0, most = 0] = ends.map((end) => Math.abs(end - 1) * 100).sort((x, y) => x - y);
  const percent = Math.abs(factor - 1) * 100;
  return `${word} by ${percent.toFixed(1)} % [${least.toFixed(1)}, ${most.toFixed(1)}]`;
}

function mean(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0) / values.length;
}
