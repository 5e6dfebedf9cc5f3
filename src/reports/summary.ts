/** `SUMMARY.md`: the metrics of a ledger for people. The figures are those of `METRICS.json`. */
import { REPORT_KEYS_MAX } from '../core/limits.ts';
import type { Dimension, Group, Groups, Metrics } from './metrics.ts';
import { verdictOf } from './verdict.ts';
import { bytes, counted, duration, markdownTable, markdownText, plural, share } from './words.ts';

/** Dimensions beside the lane, each with the heading of its first column. */
const SECTIONS: readonly (readonly [Dimension, string])[] = [
  ['op', 'operation'],
  ['status', 'status'],
  ['err_type', 'error'],
  ['decision', 'decision'],
  ['model', 'model asked for'],
  ['agent', 'agent'],
  ['protocol', 'protocol of the upstream'],
  ['header_mode', 'header mode'],
];

/** The whole document. */
export function summaryText(metrics: Metrics): string {
  const verdict = verdictOf(metrics);
  const parts = ['# Summary', `**${markdownText(verdict.line)}**`, facts(metrics)];
  if (metrics.ledger.records > 0) {
    parts.push('## Lanes', traffic('lane', metrics.by.lane), tokens(metrics.by.lane));
    parts.push('## Latency', latency(metrics.by.lane_op, metrics.total));
    parts.push('## Streams, retries', streams(metrics.by.lane, metrics.total));
    for (const [dimension, title] of SECTIONS) {
      parts.push(`## By ${title}`, traffic(title, metrics.by[dimension]));
    }
  }
  if (metrics.anomalies.records > 0) parts.push('## Anomalies', anomalies(metrics));
  parts.push('## Notes', notes(metrics));
  return `${parts.join('\n\n')}\n`;
}

function facts(metrics: Metrics): string {
  const { ledger, selection, total } = metrics;
  const chosen = [
    selection.since === null ? '' : `since ${selection.since}`,
    selection.session === null ? '' : `session ${selection.session}`,
  ].filter((part) => part !== '');
  return markdownTable(
    ['', ''],
    [
      ['period', ledger.from === null ? '-' : `${ledger.from} to ${ledger.to}`],
      ['chosen', chosen.length === 0 ? 'everything' : markdownText(chosen.join(', '))],
      ['exchanges', counted(ledger.records)],
      ['errors', `${counted(total.errors)} (${share(total.errors, total.exchanges)})`],
      ['bodies up, down', `${bytes(total.bytes.up)}, ${bytes(total.bytes.down)}`],
      ['ledger', `${plural(ledger.files.length, 'file')}, ${bytes(ledger.bytes)}`],
      ['damaged lines', counted(ledger.damaged)],
      ['made', metrics.generated],
    ],
  );
}

function traffic(title: string, groups: Groups): string {
  const { rows, rest } = listed(groups, ([key, group]) => [
    markdownText(key),
    counted(group.exchanges),
    counted(group.errors),
    share(group.errors, group.exchanges),
    duration(group.latency_ms?.p50),
    duration(group.latency_ms?.p95),
    duration(group.ttfb_ms?.p50),
    duration(group.ttfb_ms?.p95),
  ]);
  const head = ['exchanges', 'errors', 'share', 'p50', 'p95', 'TTFB p50', 'TTFB p95'];
  return markdownTable([title, ...head], rows) + rest;
}

function tokens(groups: Groups): string {
  const { rows, rest } = listed(groups, ([key, { tokens: sums, exchanges }]) => [
    markdownText(key),
    counted(sums.input),
    counted(sums.output),
    counted(sums.cache_read),
    counted(sums.cache_write),
    share(sums.exchanges, exchanges),
  ]);
  const head = ['lane', 'input tokens', 'output', 'cache read', 'cache write', 'reported by'];
  return markdownTable(head, rows) + rest;
}

function latency(groups: Groups, total: Group): string {
  const row = ([key, { latency_ms: latencies, ttfb_ms: heads }]: [string, Group]): string[] => [
    markdownText(key),
    ...[latencies, heads].flatMap((times) => [
      duration(times?.p50),
      duration(times?.p95),
      duration(times?.p99),
      duration(times?.max),
    ]),
  ];
  const { rows, rest } = listed(groups, row);
  const columns = ['p50', 'p95', 'p99', 'max'];
  const head = ['lane/operation', ...columns, ...columns.map((column) => `TTFB ${column}`)];
  return markdownTable(head, [...rows, row(['all', total])]) + rest;
}

function streams(groups: Groups, total: Group): string {
  const row = ([key, group]: [string, Group]): string[] => [
    markdownText(key),
    ...Object.values(group.streams).map(counted),
    counted(group.not_intact),
    counted(group.retries),
    `${counted(group.backoff.exchanges)} (${duration(group.backoff.ms)})`,
  ];
  const { rows, rest } = listed(groups, row);
  const outcomes = ['complete', 'upstream error', 'cut', 'stalled', 'client gone'];
  const head = ['lane', ...outcomes, 'not intact', 'retried', 'backed off'];
  return markdownTable(head, [...rows, row(['all', total])]) + rest;
}

function anomalies(metrics: Metrics): string {
  const rows = Object.entries(metrics.anomalies.by).flatMap(([kind, codes]) =>
    Object.entries(codes).map(([code, events]) => [
      `${markdownText(kind)}: ${markdownText(code)}`,
      counted(events),
    ]),
  );
  const rest = omitted(rows.length);
  return markdownTable(['kind and code', 'events'], rows.slice(0, REPORT_KEYS_MAX)) + rest;
}

function notes(metrics: Metrics): string {
  const { ledger, anomalies: events } = metrics;
  const lines = [
    'Quantiles are by nearest rank: values that were measured. Latency is to the last byte, TTFB to the head of the answer.',
    'Tokens are as upstreams reported them; counts of different providers are of different tokenizers.',
  ];
  const damaged = ledger.damaged + events.damaged;
  if (damaged > 0) {
    lines.push(
      `${plural(damaged, 'line')} of the ledger (${counted(ledger.damaged)} of exchanges, ${counted(events.damaged)} of anomalies) are no record and are in no figure; a process that was killed while writing leaves such a line.`,
    );
  }
  for (const { file, reason } of ledger.unreadable) {
    lines.push(
      `${markdownText(file)} could not be read and is in no figure: ${markdownText(reason)}`,
    );
  }
  if (metrics.selection.session !== null) {
    lines.push('Anomalies are not selected by session: they are those of all sessions.');
  }
  return lines.map((line) => `- ${line}`).join('\n');
}

/** The largest groups as rows, and a line on those that are left out. */
function listed(
  groups: Groups,
  row: (entry: [string, Group]) => string[],
): { readonly rows: string[][]; readonly rest: string } {
  const entries = Object.entries(groups).sort(([, a], [, b]) => b.exchanges - a.exchanges);
  return {
    rows: entries.slice(0, REPORT_KEYS_MAX).map(row),
    rest: omitted(entries.length),
  };
}

function omitted(count: number): string {
  const more = count - REPORT_KEYS_MAX;
  return more > 0 ? `\n\n${counted(more)} more in METRICS.json.` : '';
}
