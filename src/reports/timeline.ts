/** Exchanges, latency and errors over time, in as many equal steps as a chart has room for. */
import { REPORT_STEPS_MAX } from '../core/limits.ts';
import type { Database, Row } from './database.ts';
import type { Extent } from './extent.ts';

/** One value a step; null where nothing was measured. */
export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface Timeline {
  /** Unix seconds of the first step, and the length of each. */
  readonly from: number;
  readonly stepSeconds: number;
  readonly steps: number;
  /** By lane, the busiest first. */
  readonly exchanges: readonly Series[];
  readonly p50: readonly Series[];
  readonly p95: readonly Series[];
  /** By `err_type`. */
  readonly errors: readonly Series[];
}

/** Steps that a clock and a calendar know. */
const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
  172_800, 604_800,
];

/**
 * Cuts the time of a loaded ledger into steps.
 *
 * @returns null where it holds no exchange
 */
export async function timelineOf(database: Database, extent: Extent): Promise<Timeline | null> {
  if (extent.from === null || extent.to === null) return null;
  const first = Date.parse(extent.from) / 1000;
  const last = Date.parse(extent.to) / 1000;
  const stepSeconds = stepFor(first, last);
  await database.set('bucket_seconds', stepSeconds);
  const from = Math.floor(first / stepSeconds) * stepSeconds;
  const steps = Math.floor((last - from) / stepSeconds) + 1;
  const lay = (rows: readonly Row[], name: string, value: string, empty: number | null) =>
    layOut(rows, { from, stepSeconds, steps, name, value, empty });
  const rows = await database.run('timeline');
  const errors = await database.run('errors');
  return {
    from,
    stepSeconds,
    steps,
    exchanges: lay(rows, 'lane', 'exchanges', 0),
    p50: lay(rows, 'lane', 'p50', null),
    p95: lay(rows, 'lane', 'p95', null),
    errors: lay(errors, 'err_type', 'errors', 0),
  };
}

/** The shortest step of which the chart has room for all. */
function stepFor(first: number, last: number): number {
  const fits = (step: number): boolean =>
    Math.floor(last / step) - Math.floor(first / step) < REPORT_STEPS_MAX;
  const known = STEPS.find(fits);
  if (known !== undefined) return known;
  // Years: what a wrong clock makes of a ledger.
  const week = 604_800;
  return Math.ceil((last - first) / (REPORT_STEPS_MAX - 1) / week) * week;
}

interface Layout {
  readonly from: number;
  readonly stepSeconds: number;
  readonly steps: number;
  readonly name: string;
  readonly value: string;
  readonly empty: number | null;
}

function layOut(rows: readonly Row[], layout: Layout): Series[] {
  const { from, stepSeconds, steps, name, value, empty } = layout;
  const series = new Map<string, (number | null)[]>();
  const sizes = new Map<string, number>();
  for (const row of rows) {
    const key = String(row[name]);
    const values = series.get(key) ?? Array.from({ length: steps }, () => empty);
    series.set(key, values);
    const step = Math.round((Number(row['start']) - from) / stepSeconds);
    const found = row[value];
    if (found !== null && found !== undefined) values[step] = Number(found);
    sizes.set(key, (sizes.get(key) ?? 0) + Number(row['exchanges'] ?? row['errors'] ?? 0));
  }
  return [...series]
    .sort(([a], [b]) => (sizes.get(b) ?? 0) - (sizes.get(a) ?? 0) || (a < b ? -1 : 1))
    .map(([key, values]) => ({ name: key, values }));
}
