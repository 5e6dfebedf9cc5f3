/** METRICS.json held against the ledger, which is counted anew: lane by lane, and as a whole. */
import type { Row } from '../../reports/database.ts';
import { type Group, METRICS_VERSION, type Metrics } from '../../reports/metrics.ts';
import { summaryText } from '../../reports/summary.ts';
import { countIn, type GateCase } from './types.ts';

export const RECOUNT_QUERY = 'gate-observability';

/** What is compared: the name of its column, and where the metrics have it. */
const COMPARED: Readonly<Record<string, (group: Group) => number>> = {
  exchanges: (group) => group.exchanges,
  errors: (group) => group.errors,
  complete: ({ streams }) => streams.complete,
  incomplete: ({ streams }) =>
    streams.cut + streams.stalled + streams.upstream_error + streams.client_gone,
  not_intact: (group) => group.not_intact,
  input_tokens: ({ tokens }) => tokens.input,
  output_tokens: ({ tokens }) => tokens.output,
  bytes_up: ({ bytes }) => bytes.up,
  bytes_down: ({ bytes }) => bytes.down,
};

/** The metrics in a text; null where they are none of this version, or not whole. */
export function metricsIn(text: string | null): Metrics | null {
  try {
    const metrics = JSON.parse(text ?? '') as Metrics;
    // The summary needs every part of them, and throws where one is missing.
    summaryText(metrics);
    return metrics.version === METRICS_VERSION ? metrics : null;
  } catch {
    return null;
  }
}

/** The ledger by lanes, of the selection that the metrics are of; null without one of the two. */
export async function recountOf(
  { ledger, window }: GateCase,
  metrics: Metrics | null,
): Promise<readonly Row[] | null> {
  if (ledger === null || metrics === null) return null;
  const { database } = ledger;
  const { since, session } = metrics.selection;
  await database.set('since', since === null ? null : Date.parse(since) / 1_000);
  await database.set('session', session);
  const rows = await database.run(RECOUNT_QUERY);
  await database.set('since', window.since);
  await database.set('session', null);
  return rows;
}

/** Where they differ. */
export function reasonsOfMetrics(
  metrics: Metrics | null,
  recount: readonly Row[] | null,
): string[] {
  if (metrics === null) return ['results/METRICS.json can not be read: run lanekeeper summarize'];
  if (recount === null) return [];
  const rows = new Map(recount.map((row) => [String(row['lane']), row]));
  const lanes = new Set([...Object.keys(metrics.by.lane), ...rows.keys()]);
  const compared: readonly (readonly [name: string, group: Group | undefined, row: Row])[] = [
    ...[...lanes].map((lane) => [lane, metrics.by.lane[lane], rows.get(lane) ?? {}] as const),
    ['in all', metrics.total, sumOf(recount)],
  ];
  const told = compared.flatMap(([name, group, row]) => {
    const field = group === undefined ? 'exchanges' : firstUnequal(group, row);
    if (field === null) return [];
    const said = group === undefined ? 0 : COMPARED[field]?.(group);
    return [`${name}: ${field} ${said} there, ${countIn(row, field)} in the ledger`];
  });
  if (told.length === 0) return [];
  const differences = told.join('; ');
  return [
    `results/METRICS.json differs from the ledger (${differences}): run lanekeeper summarize`,
  ];
}

function firstUnequal(group: Group, row: Row): string | null {
  const [field] =
    Object.entries(COMPARED).find(([name, of]) => of(group) !== countIn(row, name)) ?? [];
  return field ?? null;
}

function sumOf(rows: readonly Row[]): Row {
  const sum = (name: string): number => rows.reduce((all, row) => all + countIn(row, name), 0);
  return Object.fromEntries(Object.keys(COMPARED).map((name) => [name, sum(name)]));
}
