/**
 * What `results/METRICS.json` holds (docs/reports.md), made of a ledger by the queries of `sql/`.
 *
 * Its shape has a version; a field is added without a new one, never renamed or given another meaning.
 */
import { join } from 'node:path';
import type { AnomalyKind, StreamHealth } from '../ledger/record.ts';
import { type Database, openDatabase, type Row } from './database.ts';
import { type Extent, extentOf, isoOf } from './extent.ts';
import { EVERYTHING, loadLedger, type Selection, type Source } from './source.ts';

export const METRICS_VERSION = 1;

/** Of the values that are known, in ms, by nearest rank; null where there are none. */
export interface Times {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Exchanges that have something in common. */
export interface Group {
  readonly exchanges: number;
  /** Those with an `err_type`. */
  readonly errors: number;
  /** Answers that were event streams, by how they ended; `stalled` is the number of stalls. */
  readonly streams: Readonly<Record<StreamHealth, number>>;
  /** Those whose `intact` is false, for whatever reason. */
  readonly not_intact: number;
  /** Of these, the ones that neither an error nor the end of a stream explains. */
  readonly not_intact_unexplained: number;
  /** Exchanges with more than one attempt, and attempts of all exchanges. */
  readonly retries: number;
  readonly attempts: number;
  readonly backoff: { readonly exchanges: number; readonly ms: number };
  readonly latency_ms: Times | null;
  readonly ttfb_ms: Times | null;
  /** Sums of what upstreams reported; `exchanges` is how many reported output tokens. */
  readonly tokens: {
    readonly exchanges: number;
    readonly input: number;
    readonly output: number;
    readonly cache_read: number;
    readonly cache_write: number;
  };
  readonly bytes: { readonly up: number; readonly down: number };
}

/** Groups by value, in no order; `none` stands for null. */
export type Groups = Readonly<Record<string, Group>>;

/** What a ledger is grouped by, beside the whole. Pairs have a `/` between their values. */
export const DIMENSIONS = [
  'lane',
  'op',
  'status',
  'err_type',
  'header_mode',
  'protocol',
  'decision',
  'agent',
  'model',
  'lane_op',
  'lane_model',
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface Metrics {
  readonly version: typeof METRICS_VERSION;
  /** ISO 8601. */
  readonly generated: string;
  readonly ledger: Source & Extent;
  readonly selection: { readonly since: string | null; readonly session: string | null };
  readonly total: Group;
  readonly by: Readonly<Record<Dimension, Groups>>;
  readonly anomalies: {
    readonly records: number;
    readonly damaged: number;
    /** Events by kind, and in it by code. */
    readonly by: Readonly<Partial<Record<AnomalyKind, Readonly<Record<string, number>>>>>;
  };
}

/**
 * Measures the ledger of a home.
 *
 * @param now Unix ms, for `generated`
 * @throws ReportError where there is no ledger
 */
export async function measure(
  home: string,
  now: number,
  selection: Selection = EVERYTHING,
): Promise<Metrics> {
  const database = await openDatabase();
  try {
    const source = await loadLedger(database, join(home, 'logs'), selection);
    return await metricsOf(database, source, selection, now);
  } finally {
    database.close();
  }
}

/** The metrics of a ledger that is loaded. */
export async function metricsOf(
  database: Database,
  source: Source,
  selection: Selection,
  now: number,
): Promise<Metrics> {
  const extent = await extentOf(database);
  const anomalies = await database.run('anomalies');
  const by: [Dimension, Groups][] = [];
  // One after the other: the values that quantiles are taken from are in memory for one at a time.
  for (const dimension of DIMENSIONS) by.push([dimension, await groupsBy(database, dimension)]);
  const { all = groupOf({}) } = await groupsBy(database, 'total');
  return {
    version: METRICS_VERSION,
    generated: new Date(now).toISOString(),
    ledger: { ...source, ...extent.usage },
    selection: { since: isoOf(selection.since), session: selection.session },
    total: all,
    by: Object.fromEntries(by) as Record<Dimension, Groups>,
    anomalies: { ...extent.anomalies, by: anomaliesOf(anomalies) },
  };
}

async function groupsBy(database: Database, dimension: Dimension | 'total'): Promise<Groups> {
  await database.set('dimension', dimension);
  const rows = await database.run('groups');
  return Object.fromEntries(rows.map((row) => [String(row['key']), groupOf(row)]));
}

function groupOf(row: Row): Group {
  const of = (name: string): number => number(row, name);
  return {
    exchanges: of('exchanges'),
    errors: of('errors'),
    streams: {
      complete: of('complete'),
      upstream_error: of('upstream_error'),
      cut: of('cut'),
      stalled: of('stalled'),
      client_gone: of('client_gone'),
    },
    not_intact: of('not_intact'),
    not_intact_unexplained: of('not_intact_unexplained'),
    retries: of('retries'),
    attempts: of('attempts'),
    backoff: { exchanges: of('backoffs'), ms: of('backoff_ms') },
    latency_ms: timesOf(row, 'latency'),
    ttfb_ms: timesOf(row, 'ttfb'),
    tokens: {
      exchanges: of('metered'),
      input: of('input_tokens'),
      output: of('output_tokens'),
      cache_read: of('cache_read_tokens'),
      cache_write: of('cache_write_tokens'),
    },
    bytes: { up: of('bytes_up'), down: of('bytes_down') },
  };
}

function timesOf(row: Row, name: string): Times | null {
  const count = number(row, `${name}_count`);
  const quantiles = row[`${name}_quantiles`];
  if (count === 0 || !Array.isArray(quantiles)) return null;
  const [p50, p95, p99] = quantiles.map(Number);
  if (p50 === undefined || p95 === undefined || p99 === undefined) return null;
  return { count, p50, p95, p99, max: number(row, `${name}_max`) };
}

function anomaliesOf(rows: readonly Row[]): Metrics['anomalies']['by'] {
  const byKind = new Map<string, [string, number][]>();
  for (const row of rows) {
    const kind = String(row['kind']);
    const codes = byKind.get(kind) ?? [];
    codes.push([String(row['code']), number(row, 'events')]);
    byKind.set(kind, codes);
  }
  return Object.fromEntries(
    [...byKind].map(([kind, codes]) => [kind, Object.fromEntries(codes)]),
  ) as Metrics['anomalies']['by'];
}

/** Counts are below 2^53; a column that is not there counts nothing. */
function number(row: Row, name: string): number {
  return Number(row[name] ?? 0);
}
