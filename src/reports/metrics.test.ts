import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { madeRecords } from '../../test/support/made-ledger.ts';
import fc from '../../test/support/properties.ts';
import { recomputeMetrics } from '../../test/support/recompute-metrics.ts';
import { anomalyRecord, temporaryDirectory, usageRecord } from '../ledger/fixtures.test.ts';
import { anomalyLine, usageLine } from '../ledger/lines.ts';
import type { AnomalyKind, UsageRecord } from '../ledger/record.ts';
import { type Metrics, measure } from './metrics.ts';
import type { Selection } from './source.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');
/** Lines that are no record: half written, no object, no time, bytes that are no text. */
const DAMAGE = [
  '{"ts":1,"lane":"b"',
  'garbage',
  '[1]',
  '42',
  'null',
  '{"lane":"y"}',
  '{"ts":"12"}',
  '{"ts":true}',
  '{"ts":5}{"ts":6}',
  '{"ts":99,"lane":"a\u0000b"}',
];

async function measured(home: string, selection?: Selection): Promise<Omit<Metrics, 'generated'>> {
  const { generated, ...metrics } = await measure(home, NOW, selection);
  assert.equal(generated, '2026-11-26T12:00:00.000Z');
  return metrics;
}

function logsIn(home: string, files: Readonly<Record<string, string | Buffer>>): string {
  const logs = join(home, 'logs');
  rmSync(logs, { recursive: true, force: true });
  mkdirSync(logs, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(logs, name), content);
  return logs;
}

const count = fc.option(fc.nat(1e6), { nil: null });
const record: fc.Arbitrary<UsageRecord> = fc
  .record({
    ts: fc.nat(1e9).map((ms) => (1_794_000_000_000 + ms) / 1000),
    lane: fc.constantFrom('anthropic', 'zai', 'none', '__proto__'),
    decision: fc.constantFrom('default', 'forced_model', 'rule:x'),
    model: fc.option(fc.oneof(fc.constantFrom('a', 'b'), fc.string({ unit: 'binary' })), {
      nil: null,
    }),
    op: fc.constantFrom('stream', 'nonstream'),
    status: fc.option(fc.constantFrom(200, 401, 429, 529), { nil: null }),
    err_type: fc.constantFrom(null, '401', '429', '5xx', 'net', 'timeout'),
    h2: fc.boolean(),
    header_mode: fc.constantFrom(null, 'x-api-key', 'authorization'),
    latency_ms: fc.nat(1e8).map((us) => us / 1000),
    ttfb_ms: fc.option(
      fc.nat(1e8).map((us) => us / 1000),
      { nil: null },
    ),
    input_tokens: count,
    output_tokens: count,
    cache_read_tokens: count,
    cache_write_tokens: count,
    retry: fc.boolean(),
    attempts: fc.nat(2),
    backoff_ms: fc.nat(3),
    bytes_up: fc.nat(),
    bytes_down: fc.nat(),
    sse: fc.constantFrom(null, 'complete', 'upstream_error', 'cut', 'stalled', 'client_gone'),
    intact: fc.boolean(),
    agent: fc.constantFrom(null, 'main', 'subagent'),
    session: fc.constantFrom(null, '0123456789abcdef', 'fedcba9876543210'),
  } as const)
  .map((changes) => usageRecord(changes as Partial<UsageRecord>));

const line = fc.oneof(
  { weight: 12, arbitrary: record.map(usageLine) },
  { weight: 1, arbitrary: fc.constantFrom(...DAMAGE, '', '   ') },
);
const kinds = fc.constantFrom<AnomalyKind>('retry', 'upstream_failure', 'lane_isolation');
const anomaly = fc
  .tuple(kinds, fc.constantFrom('reset', '429'), fc.nat(1e6))
  .map(([kind, code, s]) => anomalyLine(anomalyRecord({ kind, code, ts: 1_794_000_000 + s })));

describe('the metrics', () => {
  test('of any ledger are those of a plain program over the same lines', async (t) => {
    const home = temporaryDirectory(t);
    const selection = fc.record({
      since: fc.constantFrom(null, 1_794_000_000.5, 1_794_500_000),
      session: fc.constantFrom(null, '0123456789abcdef'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(line, { maxLength: 40 }), { minLength: 3, maxLength: 3 }),
        fc.array(anomaly, { maxLength: 10 }),
        selection,
        async ([old = [], packed = [], current = []], anomalies, chosen) => {
          const logs = logsIn(home, {
            'usage-20261101T000000000Z.jsonl.gz': gzipSync(old.join('\n')),
            'usage-20261102T000000000Z.jsonl.zst': zstdCompressSync(packed.join('\n')),
            'usage-20261103T000000000Z.jsonl': old.concat(packed).join('\n'),
            'usage.jsonl': current.map((text) => `${text}\n`).join(''),
            'anomalies.jsonl': anomalies.join('\n'),
          });
          assert.deepEqual(await measured(home, chosen), recomputeMetrics(logs, chosen));
        },
      ),
      // Each run opens a database: to look for a smaller counterexample would take minutes.
      { numRuns: 25, endOnFailure: true },
    );
  });

  test('of a long day are those of a plain program', async (t) => {
    const home = temporaryDirectory(t);
    const records = [...madeRecords({ seed: 7, count: 20_000 })];
    const logs = logsIn(home, { 'usage.jsonl': records.map(usageLine).join('\n') });
    const metrics = await measured(home);
    assert.equal(metrics.total.exchanges, 20_000);
    assert(metrics.total.errors > 0 && metrics.total.streams.cut > 0);
    assert.deepEqual(metrics, recomputeMetrics(logs));
  });

  test('give the 100 most frequent models a group each, and all others one', async (t) => {
    const home = temporaryDirectory(t);
    const models = Array.from({ length: 130 }, (_, index) => [`m${index}`, index < 5 ? 2 : 1]);
    const records = models.flatMap(([model, times]) =>
      Array.from({ length: Number(times) }, () => usageRecord({ model: String(model) })),
    );
    const logs = logsIn(home, { 'usage.jsonl': records.map(usageLine).join('\n') });
    const metrics = await measured(home);
    assert.equal(Object.keys(metrics.by.model).length, 101);
    assert.equal(metrics.by.model['(other)']?.exchanges, 30);
    assert.deepEqual(metrics, recomputeMetrics(logs));
  });

  test('take a quantile that was measured, by nearest rank', async (t) => {
    const home = temporaryDirectory(t);
    const latencies = Array.from({ length: 20 }, (_, index) => (index + 1) * 10);
    const records = latencies.map((latency_ms) => usageRecord({ latency_ms, ttfb_ms: null }));
    logsIn(home, { 'usage.jsonl': records.map(usageLine).join('\n') });
    const { total } = await measured(home);
    assert.deepEqual(total.latency_ms, { count: 20, p50: 100, p95: 190, p99: 200, max: 200 });
    assert.equal(total.ttfb_ms, null);
  });

  test('count bytes that are no text as damage', async (t) => {
    const home = temporaryDirectory(t);
    const broken = Buffer.from('{"ts":14,"lane":"??"}\n');
    broken.set([0xff, 0xfe], broken.indexOf('??'));
    const good = Buffer.from(`${usageLine(usageRecord())}\n`);
    const zeros = Buffer.concat([Buffer.alloc(100_000), Buffer.from('\n')]);
    logsIn(home, { 'usage.jsonl': Buffer.concat([good, broken, zeros, good]) });
    const { ledger } = await measured(home);
    assert.deepEqual([ledger.records, ledger.damaged], [2, 2]);
  });
});
