/**
 * What samples come to: the median of an operation with its noise band, and how two runs compare.
 *
 * The band is the interval from the 10th to the 90th percentile of the blocks of all processes. Two
 * runs differ where their bands do not touch; where a band is wide, nothing is said.
 */
import { table } from '../markdown.ts';
import type { Samples } from './measure.ts';
import { median, quantile } from './measure.ts';

export interface Result {
  readonly name: string;
  readonly bytes: number;
  readonly floor: string | null;
  /** Nanoseconds of an operation: the median of the blocks, and their band. */
  readonly ns: { readonly median: number; readonly low: number; readonly high: number };
  /** Bytes of the JavaScript heap an operation, or null. */
  readonly heapBytes: number | null;
  readonly samples: number;
}

/** A whole run, as `--json` prints it and `--compare` reads it. */
export interface Run {
  readonly node: string;
  readonly cpu: string;
  readonly processes: number;
  readonly results: readonly Result[];
}

export type Verdict = 'faster' | 'slower' | 'no difference shown' | 'too noisy to compare' | 'new';

export interface Comparison {
  readonly name: string;
  readonly verdict: Verdict;
  /** New by old: below 1 is faster; null where there is no old. */
  readonly ratio: { readonly median: number; readonly low: number; readonly high: number } | null;
}

/** A band wider than this share of its median says too little. */
const BAND_SHARE_MAX = 0.3;
const LOW = 0.1;
const HIGH = 0.9;

/** Joins what several processes measured. */
export function resultsOf(processes: readonly (readonly Samples[])[]): Result[] {
  const [first = []] = processes;
  return first.map(({ name, bytes, floor }) => {
    const same = processes.flatMap((samples) => samples.filter((each) => each.name === name));
    const ns = same.flatMap((each) => each.ns);
    const heap = same.map((each) => each.heapBytes).filter((each) => each !== null);
    return {
      name,
      bytes,
      floor,
      ns: { median: median(ns), low: quantile(ns, LOW), high: quantile(ns, HIGH) },
      heapBytes: heap.length === 0 ? null : Math.round(median(heap)),
      samples: ns.length,
    };
  });
}

/** True where the band is too wide to compare by. */
export function isNoisy({ ns }: Result): boolean {
  return ns.high - ns.low > BAND_SHARE_MAX * ns.median;
}

/** Each cell of a run against the same cell of another. */
export function compare(before: Run, after: Run): Comparison[] {
  return after.results.map((result): Comparison => {
    const old = before.results.find(({ name }) => name === result.name);
    if (old === undefined) return { name: result.name, verdict: 'new', ratio: null };
    const ratio = {
      median: result.ns.median / old.ns.median,
      low: result.ns.low / old.ns.high,
      high: result.ns.high / old.ns.low,
    };
    return { name: result.name, verdict: verdictOn(old, result, ratio), ratio };
  });
}

function verdictOn(
  old: Result,
  result: Result,
  ratio: { readonly low: number; readonly high: number },
): Verdict {
  if (ratio.high < 1) return 'faster';
  if (ratio.low > 1) return 'slower';
  return isNoisy(old) || isNoisy(result) ? 'too noisy to compare' : 'no difference shown';
}

/** A table for people and for documents. */
export function tableOf({ results }: Run): string {
  const rows = results.map((result) => {
    const floor = results.find(({ name }) => name === result.floor);
    const times =
      floor === undefined ? '' : `${three(result.ns.median / floor.ns.median)} × ${floor.name}`;
    return [
      result.name,
      duration(result.ns.median),
      `${duration(result.ns.low)} to ${duration(result.ns.high)}${isNoisy(result) ? ', noisy' : ''}`,
      result.bytes === 0 ? '' : three((result.bytes / result.ns.median) * MB_PER_S),
      result.heapBytes === null ? '' : String(result.heapBytes),
      times,
    ];
  });
  return table(
    ['cell', 'an operation', 'band (10 to 90 %)', 'MB/s', 'heap bytes', 'times its floor'],
    rows,
  );
}

/** The same of a comparison. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ name, verdict, ratio }) => [
    name,
    ratio === null ? '' : three(ratio.median),
    ratio === null ? '' : `${three(ratio.low)} to ${three(ratio.high)}`,
    verdict,
  ]);
  return table(['cell', 'new / old', 'by the bands', 'verdict'], rows);
}

/** Bytes a nanosecond are 1000 MB a second. */
const MB_PER_S = 1000;
const US = 1e3;
const MS = 1e6;

function duration(ns: number): string {
  if (ns < US) return `${three(ns)} ns`;
  return ns < MS ? `${three(ns / US)} µs` : `${three(ns / MS)} ms`;
}

/** Three digits that count. */
function three(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
