/**
 * The figures of METRICS.json once more, from the same files, by the plainest program that computes
 * them: it shares no code with the reports. What the two disagree on is wrong in one of them.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

type Line = Readonly<Record<string, unknown>>;

/** Which exchanges are counted; null for all. */
interface Chosen {
  readonly since: number | null;
  readonly session: string | null;
}

const STREAMS = ['complete', 'upstream_error', 'cut', 'stalled', 'client_gone'];
const MODELS_MAX = 100;

/** The metrics of a directory of logs, without the moment they were made. */
export function recomputeMetrics(
  logs: string,
  chosen: Chosen = { since: null, session: null },
): Record<string, unknown> {
  const files = filesOf(logs, 'usage');
  const usage = linesOf(files);
  const records = usage.records.filter(
    (line) =>
      (chosen.since === null || Number(line['ts']) >= chosen.since) &&
      (chosen.session === null || line['session'] === chosen.session),
  );
  const anomalies = linesOf(filesOf(logs, 'anomalies'));
  const events = anomalies.records.filter(
    (line) => chosen.since === null || Number(line['ts']) >= chosen.since,
  );
  const times = records.map((line) => Number(line['ts'])).sort((a, b) => a - b);
  const asked = modelNames(records);
  const lane = (line: Line): string => name(line['lane']);
  const keys: Record<string, (line: Line) => string> = {
    lane,
    op: (line) => name(line['op']),
    status: (line) => name(line['status']),
    err_type: (line) => name(line['err_type']),
    header_mode: (line) => name(line['header_mode']),
    protocol: (line) => (line['h2'] === true ? 'h2' : 'h1'),
    decision: (line) => name(line['decision']),
    agent: (line) => name(line['agent']),
    model: asked,
    lane_op: (line) => `${lane(line)}/${name(line['op'])}`,
    lane_model: (line) => `${lane(line)}/${asked(line)}`,
  };
  return {
    version: 1,
    ledger: {
      files: files.map((file) => basename(file)),
      bytes: sum(files, (file) => statSync(file).size),
      unreadable: [],
      records: records.length,
      damaged: usage.damaged,
      from: iso(times[0]),
      to: iso(times.at(-1)),
    },
    selection: { since: iso(chosen.since ?? undefined), session: chosen.session },
    total: groupOf(records),
    by: Object.fromEntries(
      Object.entries(keys).map(([dimension, keyOf]) => [dimension, groupBy(records, keyOf)]),
    ),
    anomalies: {
      records: events.length,
      damaged: anomalies.damaged,
      by: Object.fromEntries(
        [...Map.groupBy(events, (line) => name(line['kind']))].map(([kind, lines]) => [
          kind,
          Object.fromEntries(
            [...Map.groupBy(lines, (line) => name(line['code']))].map(([code, of]) => [
              code,
              of.length,
            ]),
          ),
        ]),
      ),
    },
  };
}

function filesOf(logs: string, stem: string): string[] {
  const names = readdirSync(logs).filter((file) => file.startsWith(`${stem}-`));
  const current = readdirSync(logs).filter((file) => file === `${stem}.jsonl`);
  return [...names.sort(), ...current].map((file) => join(logs, file));
}

function linesOf(files: readonly string[]): { records: Line[]; damaged: number } {
  const records: Line[] = [];
  let damaged = 0;
  for (const file of files) {
    for (const text of textOf(file).split('\n')) {
      if (text.trim() === '') continue;
      const record = recordOf(text);
      if (record === null) damaged += 1;
      else records.push(record);
    }
  }
  return { records, damaged };
}

function textOf(file: string): string {
  const bytes = readFileSync(file);
  if (file.endsWith('.gz')) return gunzipSync(bytes).toString();
  if (file.endsWith('.zst')) return zstdDecompressSync(bytes).toString();
  return bytes.toString();
}

function recordOf(text: string): Line | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    return typeof (value as Line)['ts'] === 'number' ? (value as Line) : null;
  } catch {
    return null;
  }
}

/** The names that models are grouped by: the most frequent ones have their own. */
function modelNames(records: readonly Line[]): (line: Line) => string {
  const counts = new Map<string, number>();
  for (const { model } of records) {
    if (typeof model === 'string') counts.set(model, (counts.get(model) ?? 0) + 1);
  }
  const order = [...counts].sort(
    ([a, m], [b, n]) => n - m || Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const frequent = new Set(order.slice(0, MODELS_MAX).map(([model]) => model));
  return ({ model }) =>
    typeof model !== 'string' ? 'none' : frequent.has(model) ? model : '(other)';
}

function groupBy(records: readonly Line[], keyOf: (line: Line) => string): Record<string, unknown> {
  return Object.fromEntries(
    [...Map.groupBy(records, keyOf)].map(([key, lines]) => [key, groupOf(lines)]),
  );
}

function groupOf(lines: readonly Line[]): unknown {
  const count = (of: (line: Line) => boolean): number => lines.filter(of).length;
  const add = (field: string): number => sum(lines, (line) => Number(line[field] ?? 0));
  return {
    exchanges: lines.length,
    errors: count((line) => line['err_type'] !== null),
    streams: Object.fromEntries(STREAMS.map((how) => [how, count((line) => line['sse'] === how)])),
    not_intact: count((line) => line['intact'] === false),
    not_intact_unexplained: count(
      ({ intact, err_type, sse }) =>
        intact === false && err_type === null && (sse === null || sse === 'complete'),
    ),
    retries: count((line) => line['retry'] === true),
    attempts: add('attempts'),
    backoff: { exchanges: count((line) => Number(line['backoff_ms']) > 0), ms: add('backoff_ms') },
    latency_ms: timesOf(lines, 'latency_ms'),
    ttfb_ms: timesOf(lines, 'ttfb_ms'),
    tokens: {
      exchanges: count((line) => line['output_tokens'] !== null),
      input: add('input_tokens'),
      output: add('output_tokens'),
      cache_read: add('cache_read_tokens'),
      cache_write: add('cache_write_tokens'),
    },
    bytes: { up: add('bytes_up'), down: add('bytes_down') },
  };
}

function timesOf(lines: readonly Line[], field: string): unknown {
  const values = lines
    .flatMap((line) => (typeof line[field] === 'number' ? [line[field]] : []))
    .sort((a, b) => a - b);
  if (values.length === 0) return null;
  const at = (percent: number): number | undefined =>
    values[Math.ceil((percent * values.length) / 100) - 1];
  return { count: values.length, p50: at(50), p95: at(95), p99: at(99), max: values.at(-1) };
}

function name(value: unknown): string {
  return value === null || value === undefined ? 'none' : String(value);
}

function iso(seconds: number | undefined): string | null {
  return seconds === undefined ? null : new Date(Math.round(seconds * 1000)).toISOString();
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
