/**
 * Helpers of the ledger's tests: a temporary directory, a record, the lines of a file. It holds no
 * test; its name keeps it out of the build.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { AnomalyRecord, UsageRecord } from './record.ts';

/** A directory that is removed when the test has ended. */
export function temporaryDirectory(test: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'lanekeeper-ledger-'));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A whole usage record; what a test is about is given. */
export function usageRecord(changes: Partial<UsageRecord> = {}): UsageRecord {
  return {
    ts: 1_700_000_000.123,
    rid: 'r1',
    lane: 'anthropic',
    upstream: 'anth',
    decision: 'default',
    model: 'claude-sonnet-5',
    model_sent: 'claude-sonnet-5',
    model_served: null,
    op: 'stream',
    status: 200,
    err_type: null,
    h2: false,
    header_mode: null,
    latency_ms: 12,
    ttfb_ms: 3,
    input_tokens: 1,
    output_tokens: 2,
    cache_read_tokens: null,
    cache_write_tokens: null,
    retry: false,
    attempts: 1,
    backoff_ms: 0,
    bytes_up: 10,
    bytes_down: 20,
    sse: 'complete',
    sse_events: 4,
    intact: true,
    agent: 'main',
    session: null,
    path: '/v1/messages',
    request_id: null,
    ...changes,
  };
}

/** A whole anomaly; what a test is about is given. */
export function anomalyRecord(changes: Partial<AnomalyRecord> = {}): AnomalyRecord {
  return {
    ts: 1_700_000_000,
    rid: 'r1',
    kind: 'retry',
    lane: 'zai',
    code: '429',
    detail: 'rate limited',
    status: 429,
    attempt: 1,
    backoff_ms: 300,
    ...changes,
  };
}

/** The non-empty lines of a file. */
export function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** The ids of the records in a file, in order. */
export function ridsOf(file: string): string[] {
  return linesOf(file).map((line) => (JSON.parse(line) as { rid: string }).rid);
}

/** The numbers from 0 as record ids. */
export function rids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `r${index}`);
}
