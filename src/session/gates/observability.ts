/**
 * The observability gate: what a session leaves is there, is of this session, and says what the ledger
 * says, which is counted anew for it.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metrics } from '../../reports/metrics.ts';
import { summaryText } from '../../reports/summary.ts';
import { plural } from '../../reports/words.ts';
import { handoffMark } from '../handoff-text.ts';
import { ledgerLines } from '../ledger-lines.ts';
import { quotedLines } from '../tests-text.ts';
import { metricsIn, RECOUNT_QUERY, reasonsOfMetrics, recountOf } from './recount.ts';
import { countIn, type Gate, type GateCase, gateOf, reasonsOfLedger } from './types.ts';

const FILES = [
  'results/METRICS.json',
  'results/SUMMARY.md',
  'results/TESTS.md',
  'docs/SESSION_HANDOFF.md',
] as const;
type FileName = (typeof FILES)[number];

interface Deliverable {
  readonly text: string;
  /** Unix seconds of its last change. */
  readonly changed: number;
}

type Deliverables = Readonly<Record<FileName, Deliverable | null>>;

/** Judges it. */
export async function judgeObservability(given: GateCase): Promise<Gate> {
  const files = await readAll(given.home);
  const metrics = metricsIn(files['results/METRICS.json']?.text ?? null);
  const recount = await recountOf(given, metrics);
  const quotes = await quotesOf(given, files['results/TESTS.md']);
  const records = await recordsOf(given);
  const reasons = [
    ...reasonsOfLedger(given),
    ...FILES.flatMap((name) => reasonsOfFile(name, files[name], given)),
    ...(files['results/METRICS.json'] === null ? [] : reasonsOfMetrics(metrics, recount)),
    ...reasonsOfSummary(files['results/SUMMARY.md'], metrics),
    ...reasonsOfQuotes(files['results/TESTS.md'], quotes),
    ...reasonsOfHandoff(given, files['docs/SESSION_HANDOFF.md'], records),
  ];
  if (given.ledger !== null && records === 0)
    reasons.push('no exchange of the session was recorded');
  return gateOf('observability', {
    reasons,
    records,
    files: Object.fromEntries(
      FILES.map((name) => {
        const file = files[name];
        return [name, file === null ? null : new Date(file.changed * 1_000).toISOString()];
      }),
    ),
    metrics:
      metrics === null
        ? null
        : { exchanges: metrics.total.exchanges, generated: metrics.generated },
    recount: {
      exchanges: recount?.reduce((all, row) => all + countIn(row, 'exchanges'), 0) ?? null,
    },
    quoted_lines: quotes,
    queries: [RECOUNT_QUERY],
  });
}

async function readAll(home: string): Promise<Deliverables> {
  const read = async (name: FileName): Promise<[FileName, Deliverable | null]> => {
    const path = join(home, name);
    try {
      const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
      return [name, { text, changed: mtimeMs / 1_000 }];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return [name, null];
    }
  };
  return Object.fromEntries(await Promise.all(FILES.map(read))) as Deliverables;
}

function reasonsOfFile(name: FileName, file: Deliverable | null, { window }: GateCase): string[] {
  if (file === null) {
    const mend =
      name.startsWith('results/TESTS') || name.startsWith('docs/') ? 'handoff' : 'summarize';
    return [`${name} is not there: run lanekeeper ${mend}`];
  }
  return file.changed < (window.since ?? 0) ? [`${name} is older than the session`] : [];
}

function reasonsOfSummary(summary: Deliverable | null, metrics: Metrics | null): string[] {
  if (summary === null || metrics === null || summary.text === summaryText(metrics)) return [];
  return ['results/SUMMARY.md is not of results/METRICS.json: run lanekeeper summarize'];
}

/** How many lines are quoted, and how many of them are in the ledger of this session. */
async function quotesOf({ home, window, ledger }: GateCase, file: Deliverable | null) {
  const quoted = new Set(file === null ? [] : quotedLines(file.text));
  let found = 0;
  if (ledger !== null && quoted.size > 0) {
    const left = new Set(quoted);
    for await (const { text, record } of ledgerLines(home)) {
      if (record.ts >= (window.since ?? 0) && left.delete(text)) found += 1;
    }
  }
  return { quoted: quoted.size, found };
}

function reasonsOfQuotes(
  file: Deliverable | null,
  { quoted, found }: { readonly quoted: number; readonly found: number },
): string[] {
  if (file === null) return [];
  if (quoted === 0)
    return ['results/TESTS.md quotes no line of the ledger: run lanekeeper handoff'];
  if (found === quoted) return [];
  const missing = plural(quoted - found, 'line');
  return [
    `results/TESTS.md quotes ${missing} that the ledger of this session does not hold: run lanekeeper handoff`,
  ];
}

function reasonsOfHandoff(
  { session, ledger }: GateCase,
  file: Deliverable | null,
  records: number,
): string[] {
  if (file === null || ledger === null || file.text.includes(handoffMark(session, records)))
    return [];
  return [
    `docs/SESSION_HANDOFF.md is not of this session and its ${plural(records, 'record')}: run lanekeeper handoff`,
  ];
}

/** Records in the time of the session. */
export async function recordsOf({ ledger, window }: GateCase): Promise<number> {
  if (ledger === null) return 0;
  await ledger.database.set('until', window.until);
  const [row = {}] = await ledger.database.run('gate-safety');
  return countIn(row, 'all_lanes');
}
