/**
 * The observability gate: what a session leaves is there, is of this session, and says what the ledger
 * says, which is counted anew for it.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Row } from '../../reports/database.ts';
import type { Group, Metrics } from '../../reports/metrics.ts';
import { summaryText } from '../../reports/summary.ts';
import { plural } from '../../reports/words.ts';
import { handoffMark } from '../handoff-text.ts';
import { ledgerLines } from '../ledger-lines.ts';
import { quotedLines } from '../tests-text.ts';
import { countIn, type Gate, type GateCase, gateOf, reasonsOfLedger } from './types.ts';

const QUERY = 'gate-observability';
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
  const metrics = metricsIn(files['results/METRICS.json']);
  const recount = await recountOf(given, metrics);
  const quotes = await quotesOf(given, files['results/TESTS.md']);
  const records = await recordsOf(given);
  const reasons = [
    ...reasonsOfLedger(given),
    ...FILES.flatMap((name) => reasonsOfFile(name, files[name], given)),
    ...reasonsOfMetrics(files, metrics, recount),
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
    queries: [QUERY],
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

/** Null where there are none, or they can not be read. */
function metricsIn(file: Deliverable | null): Metrics | null {
  try {
    // Written by this program; of another version it may lack what is compared, which then differs.
    const metrics = JSON.parse(file?.text ?? '') as Metrics;
    return metrics.version === 1 && typeof metrics.total.exchanges === 'number' ? metrics : null;
  } catch {
    return null;
  }
}

/** The ledger by lanes, of the selection that the metrics are of. */
async function recountOf({ ledger, window }: GateCase, metrics: Metrics | null) {
  if (ledger === null || metrics === null) return null;
  const { database } = ledger;
  const { since, session } = metrics.selection;
  await database.set('since', since === null ? null : Date.parse(since) / 1_000);
  await database.set('session', session);
  const rows = await database.run(QUERY);
  await database.set('since', window.since);
  await database.set('session', null);
  return rows;
}

function reasonsOfMetrics(
  { 'results/METRICS.json': file, 'results/SUMMARY.md': summary }: Deliverables,
  metrics: Metrics | null,
  recount: readonly Row[] | null,
): string[] {
  if (file === null) return [];
  if (metrics === null) return ['results/METRICS.json can not be read: run lanekeeper summarize'];
  const reasons: string[] = [];
  if (recount !== null) {
    const lanes = new Set([
      ...Object.keys(metrics.by.lane),
      ...recount.map((row) => String(row['lane'])),
    ]);
    const unequal = [...lanes].filter((lane) => {
      const row = recount.find((one) => one['lane'] === lane) ?? {};
      return !isSame(metrics.by.lane[lane], row);
    });
    const told = unequal.map((lane) => {
      const counted = countIn(recount.find((row) => row['lane'] === lane) ?? {}, 'exchanges');
      return `${lane} ${metrics.by.lane[lane]?.exchanges ?? 0} there, ${counted} in the ledger`;
    });
    if (told.length > 0) {
      reasons.push(
        `results/METRICS.json differs from the ledger (${told.join('; ')}): run lanekeeper summarize`,
      );
    }
  }
  if (summary !== null && summary.text !== summaryText(metrics)) {
    reasons.push('results/SUMMARY.md is not of results/METRICS.json: run lanekeeper summarize');
  }
  return reasons;
}

function isSame(group: Group | undefined, row: Row): boolean {
  if (group === undefined) return false;
  const { streams, tokens, bytes } = group;
  const incomplete = streams.cut + streams.stalled + streams.upstream_error + streams.client_gone;
  const pairs: readonly (readonly [number, string])[] = [
    [group.exchanges, 'exchanges'],
    [group.errors, 'errors'],
    [streams.complete, 'complete'],
    [incomplete, 'incomplete'],
    [group.not_intact, 'not_intact'],
    [tokens.input, 'input_tokens'],
    [tokens.output, 'output_tokens'],
    [bytes.up, 'bytes_up'],
    [bytes.down, 'bytes_down'],
  ];
  return pairs.every(([said, name]) => said === countIn(row, name));
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
