/**
 * Homes for tests: the ledger and the record of a session in which everything went well, and what a
 * test changes of it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { usageLine } from '../../ledger/lines.ts';
import type { UsageRecord } from '../../ledger/record.ts';
import { NO_FIGURES, type Phase } from '../record.ts';
import { appendPhase } from '../record-file.ts';

/** Unix seconds of the begin of the session: two hours ago, so that files of now are newer. */
export const BEGIN: number = Math.floor(Date.now() / 1_000) - 7_200;
const SOAK_S = 31 * 60;

/** A phase of a name: met, of the twin, by the built-in client, unless told otherwise. */
export function madePhase(name: string, more: Partial<Phase> = {}): Phase {
  return {
    name,
    start: '2026-11-26T10:00:00.000Z',
    end: '2026-11-26T10:10:00.000Z',
    verdict: 'met',
    command: `lanekeeper drill ${name}`,
    lanes: 'twin',
    client: 'raw',
    alternates: null,
    faults: null,
    switches: { force: true, paused: false, tee: false },
    marks: [],
    figures: { ...NO_FIGURES, whole: 0, misroutes: 0, stalls: 0 },
    isolation: null,
    checks: [{ name: 'streams', met: true, detail: '0 of 0 whole' }],
    ...more,
  };
}

/** A stream that went well, on the lane of its model. */
export function madeRecord(
  ts: number,
  zai: boolean,
  mark: string | null,
  more: Partial<UsageRecord> = {},
): UsageRecord {
  const model = zai ? 'claude-haiku-5-5' : 'claude-sonnet-5-5';
  return {
    ts,
    rid: `made-${ts}`,
    lane: zai ? 'zai' : 'anthropic',
    upstream: zai ? 'zai' : 'anth',
    decision: zai ? 'forced_model' : 'default',
    model,
    model_sent: zai ? 'glm-4.5-air' : model,
    model_served: zai ? 'glm-4.5-air' : model,
    op: 'stream',
    status: 200,
    err_type: null,
    h2: false,
    header_mode: zai ? 'x-api-key' : null,
    latency_ms: 900,
    ttfb_ms: 300,
    input_tokens: 20,
    output_tokens: 60,
    cache_read_tokens: 0,
    cache_write_tokens: null,
    retry: false,
    attempts: 1,
    backoff_ms: 0,
    bytes_up: 140,
    bytes_down: 8_000,
    sse: 'complete',
    sse_events: 66,
    intact: true,
    agent: 'main',
    session: mark,
    path: '/v1/messages',
    request_id: null,
    ...more,
  };
}

/** A phase with its records. */
export interface MadeRun {
  readonly phase: Phase;
  readonly records: readonly UsageRecord[];
}

/** A run of a drill from a moment on, one exchange every so many seconds. */
export function madeRun(
  name: string,
  from: number,
  seconds: number,
  more: { everyS?: number; phase?: Partial<Phase>; record?: Partial<UsageRecord> } = {},
): MadeRun {
  const mark = Buffer.from(`${name}-${from}`).toString('hex').padEnd(16, '0').slice(-16);
  const every = more.everyS ?? 1;
  const records = Array.from({ length: Math.max(2, Math.floor(seconds / every)) }, (_, index) =>
    madeRecord(from + index * every, name === 'parallel' || index % 2 === 1, mark, more.record),
  );
  const exchanges = records.length;
  const figures = {
    ...NO_FIGURES,
    seconds,
    exchanges,
    whole: exchanges,
    misroutes: 0,
    stalls: 0,
    records: exchanges,
  };
  const phase = madePhase(name, {
    start: isoOf(from),
    end: isoOf(from + seconds),
    marks: [mark],
    figures,
    isolation: { searched: { anthropic: exchanges, zai: exchanges }, leaks: 0 },
    ...more.phase,
  });
  return { phase, records };
}

/** The runs of a session that meets every gate, one after the other. */
export function goodRuns(): Record<'soak' | 'parallel' | 'burst', MadeRun> {
  return {
    soak: madeRun('soak', BEGIN, SOAK_S, { everyS: 10 }),
    parallel: madeRun('parallel', BEGIN + SOAK_S + 10, 20),
    burst: madeRun('burst', BEGIN + SOAK_S + 40, 30),
  };
}

/** Writes ledger and record of runs, and further records, to a home. */
export async function writeHome(
  home: string,
  runs: readonly MadeRun[],
  more: readonly UsageRecord[] = [],
): Promise<void> {
  const logs = join(home, 'logs');
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const records = [...runs.flatMap((run) => run.records), ...more];
  const lines = records.map((record) => `${usageLine(record)}\n`);
  writeFileSync(join(logs, 'usage.jsonl'), lines.join(''), { mode: 0o600 });
  writeFileSync(join(logs, 'anomalies.jsonl'), '', { mode: 0o600 });
  for (const { phase } of runs) await appendPhase(home, phase);
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}
