/**
 * `report.html`: one file that needs nothing else. It runs no script and, by its own policy, could load
 * nothing even if something in it asked to.
 */
import { readFileSync } from 'node:fs';
import { REPORT_KEYS_MAX } from '../../core/limits.ts';
import type { Dimension, Group, Metrics } from '../metrics.ts';
import { verdictOf } from '../verdict.ts';
import { bytes, compact, counted, dollars, duration, plainText, plural, share } from '../words.ts';
import { figures, type PageData } from './figures.ts';
import { dataTable } from './frame.ts';
import { type Markup, markup, raw } from './markup.ts';

const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** The whole document. */
export function pageText(data: PageData): string {
  const { metrics } = data;
  const { ledger } = metrics;
  const verdict = verdictOf(metrics);
  const style = readFileSync(new URL('style.css', import.meta.url), 'utf8');
  const period =
    ledger.from === null || ledger.to === null
      ? 'no exchange'
      : `${shortTime(ledger.from)} to ${shortTime(ledger.to)} UTC`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Lanekeeper: ${period}</title>
<style>
${raw(style)}</style>
</head>
<body>
<main>
<h1>Lanekeeper</h1>
<p class="soft">${period}${chosen(metrics)}</p>
<p class="verdict ${verdict.state}">${verdict.line}</p>
${tiles(data)}
<section>
<h2>Traffic</h2>
<div class="charts">
${figures(data)}</div>
</section>
${tables(metrics)}
${footer(data)}
</main>
</body>
</html>
`.text;
}

function tiles({ metrics, costs }: PageData): Markup | null {
  const { total, ledger } = metrics;
  if (ledger.records === 0) return null;
  const { streams, tokens, latency_ms: latency, ttfb_ms: heads } = total;
  const all = Object.values(streams).reduce((sum, count) => sum + count, 0);
  const input = tokens.input + tokens.cache_read + tokens.cache_write;
  const list = costs.lanes.reduce((sum, lane) => sum + (lane.list?.dollars ?? 0), 0);
  const compared = costs.lanes.flatMap(({ comparison }) => comparison ?? []);
  const routed =
    compared.length === 0
      ? 'nothing was routed'
      : `estimated, of ${plural(
          compared.reduce((sum, { exchanges }) => sum + exchanges, 0),
          'exchange',
        )}`;
  const saved = compared.reduce((sum, comparison) => sum + comparison.saved, 0);
  const entries: readonly (readonly [string, string, string])[] = [
    ['Exchanges', counted(ledger.records), plural(Object.keys(metrics.by.lane).length, 'lane')],
    ['Errors', counted(total.errors), share(total.errors, total.exchanges)],
    [
      'Streams complete',
      share(streams.complete, all),
      `${counted(streams.complete)} of ${counted(all)}`,
    ],
    ['Latency, median', duration(latency?.p50), `p95 ${duration(latency?.p95)}`],
    ['First byte, median', duration(heads?.p50), `p95 ${duration(heads?.p95)}`],
    ['Tokens in', compact(input), `${compact(tokens.output)} out`],
    ['List price', dollars(list), 'of all lanes'],
    [saved < 0 ? 'Lost by routing' : 'Saved by routing', dollars(Math.abs(saved)), routed],
  ];
  return markup`<dl class="tiles">${entries.map(
    ([name, value, more]) =>
      markup`<div><dt>${name}</dt><dd>${value}<small>${more}</small></dd></div>`,
  )}</dl>`;
}

const TABLES: readonly (readonly [Dimension, string])[] = [
  ['lane', 'Lane'],
  ['model', 'Model asked for'],
  ['decision', 'Decision'],
  ['agent', 'Agent'],
  ['status', 'Status'],
  ['protocol', 'Protocol of the upstream'],
];

function tables(metrics: Metrics): Markup | null {
  if (metrics.ledger.records === 0) return null;
  const sections = TABLES.map(([dimension, title]) => {
    const groups = Object.entries(metrics.by[dimension]).sort(
      ([, a], [, b]) => b.exchanges - a.exchanges,
    );
    const more = groups.length - REPORT_KEYS_MAX;
    const rows = groups.slice(0, REPORT_KEYS_MAX).map(rowOf);
    return card([[title, 'exchanges', 'errors', 'share', 'p50', 'p95'], ...rows], more);
  });
  const outcomes = ['complete', 'error event', 'cut', 'stalled', 'client gone'];
  const streams = Object.entries(metrics.by.lane)
    .slice(0, REPORT_KEYS_MAX)
    .map(([lane, group]) => [plainText(lane), ...Object.values(group.streams).map(counted)]);
  const anomalies = Object.entries(metrics.anomalies.by).flatMap(([kind, codes]) =>
    Object.entries(codes).map(([code, events]) => [
      `${plainText(kind)}: ${plainText(code)}`,
      counted(events),
    ]),
  );
  return markup`<section>
<h2>By what</h2>
<div class="charts tables">${sections}${card([['Streams', ...outcomes], ...streams], 0)}${
    anomalies.length === 0
      ? null
      : card(
          [['Anomalies', 'events'], ...anomalies.slice(0, REPORT_KEYS_MAX)],
          anomalies.length - REPORT_KEYS_MAX,
        )
  }</div>
</section>`;
}

/** A table, and how many rows it leaves out. */
function card(rows: readonly (readonly string[])[], more: number): Markup {
  const rest = more > 0 ? markup`<p class="soft">${counted(more)} more in METRICS.json.</p>` : null;
  return markup`<div class="card">${dataTable(rows)}${rest}</div>`;
}

function rowOf([key, group]: [string, Group]): string[] {
  const { exchanges, errors, latency_ms: times } = group;
  return [
    plainText(key),
    counted(exchanges),
    counted(errors),
    share(errors, exchanges),
    duration(times?.p50),
    duration(times?.p95),
  ];
}

function footer({ metrics }: PageData): Markup {
  const { ledger, anomalies } = metrics;
  const lines = [
    'Latency is to the last byte; quantiles are by nearest rank. Times are in UTC.',
    `Read: ${plural(ledger.files.length, 'ledger file')}, ${bytes(ledger.bytes)}, ${plural(ledger.damaged + anomalies.damaged, 'damaged line')}, ${plural(anomalies.records, 'anomaly record')}.`,
    ...ledger.unreadable.map(
      ({ file, reason }) => `${plainText(file)} could not be read: ${plainText(reason)}`,
    ),
    `Made ${shortTime(metrics.generated)} UTC. The figures are those of METRICS.json and of lanekeeper cost.`,
  ];
  return markup`<footer><ul>${lines.map((line) => markup`<li>${line}</li>`)}</ul></footer>`;
}

function chosen({ selection }: Metrics): string {
  const parts = [
    selection.since === null ? '' : `, since ${shortTime(selection.since)}`,
    selection.session === null ? '' : `, session ${plainText(selection.session)}`,
  ];
  return parts.join('');
}

function shortTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;
}
