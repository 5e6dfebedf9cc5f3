import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import { statusReport } from './fixtures.ts';
import { ended, merge, type WorkerReport } from './merge.ts';
import { createMetrics } from './metrics.ts';
import type { ExchangeSample } from './types.ts';

const SAMPLE = fc.record({
  lane: fc.constantFrom('anthropic', 'zai'),
  op: fc.constantFrom('stream' as const, 'nonstream' as const),
  status: fc.constantFrom(null, 200, 429, 503),
  decision: fc.constantFrom('default', 'subagent'),
  latency_ms: fc.integer({ min: 0, max: 700_000 }),
  ttfb_ms: fc.option(fc.integer({ min: 0, max: 400_000 })),
});

function reportOf(samples: readonly ExchangeSample[]): WorkerReport {
  const metrics = createMetrics();
  for (const sample of samples) metrics.observe(sample);
  const total = samples.length;
  return { status: statusReport({ exchanges: { open: 1, total } }), counted: metrics.counted() };
}

/** Without an order, and without the noise of adding fractions in another one. */
function counts({ counted }: WorkerReport) {
  const series = counted.series.map(({ labels, count }) => [JSON.stringify(labels), count]);
  const buckets = [...counted.latency, ...counted.ttfb].map(({ labels, bounds, counts, sum }) => [
    JSON.stringify([labels, bounds]),
    counts.join(),
    sum.toFixed(6),
  ]);
  return [...series, ...buckets].map(String).sort();
}

test('what several workers counted is what one would have counted of all of it', () => {
  fc.assert(
    fc.property(fc.array(SAMPLE), fc.array(SAMPLE), (a, b) => {
      const merged = merge(reportOf(a), reportOf(b));
      assert.deepEqual(counts(merged), counts(reportOf([...a, ...b])));
      assert.equal(merged.status.exchanges.total, a.length + b.length);
      assert.equal(merged.status.exchanges.open, 2);
    }),
  );
});

test('lanes, sockets and memory add up; a fault of one is a fault', () => {
  const one = { status: statusReport(), counted: createMetrics().counted() };
  const ledger = { ...one.status.ledger, fault: 'usage.jsonl can not be written (ENOSPC)' };
  const other = { ...one, status: statusReport({ ledger }) };
  const { status } = merge(one, other);
  assert.deepEqual(
    [status.lanes[0]?.exchanges, status.lanes[0]?.sockets_idle, status.connections],
    [4, 2, 2],
  );
  assert.equal(status.memory.rss_bytes, 100_000_000);
  assert.equal(status.workers.length, 2);
  assert.deepEqual([status.ledger.written, status.ledger.fault], [4, ledger.fault]);
});

test('an ended worker leaves its counts, and nothing that it held', () => {
  const { status } = ended({ status: statusReport(), counted: createMetrics().counted() });
  assert.deepEqual([status.exchanges.total, status.lanes[0]?.exchanges], [2, 2]);
  assert.deepEqual(
    [status.connections, status.tunnels, status.memory.rss_bytes, status.lanes[0]?.sockets_idle],
    [0, 0, 0, 0],
  );
  assert.deepEqual(status.workers, []);
});
