import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';

import { METRIC_SERIES_MAX } from '../core/limits.ts';
import { statusReport } from './fixtures.ts';
import { createMetrics, metricsText } from './metrics.ts';
import type { ExchangeSample } from './types.ts';

const SAMPLE: ExchangeSample = {
  lane: 'zai',
  op: 'stream',
  status: 200,
  decision: 'subagent',
  latency_ms: 700,
  ttfb_ms: 80,
};

test('exchanges are counted by lane, op, class of status and decision', async () => {
  const metrics = createMetrics();
  metrics.observe(SAMPLE);
  metrics.observe({ ...SAMPLE, latency_ms: 90 });
  metrics.observe({ ...SAMPLE, status: null, ttfb_ms: null });
  const text = await metricsText(metrics.counted(), statusReport());
  assert.match(
    text,
    /^lanekeeper_exchanges_total\{lane="zai",op="stream",status_class="2xx",decision="subagent"\} 2$/m,
  );
  assert.match(text, /status_class="none",decision="subagent"\} 1$/m);
  assert.match(text, /^# TYPE lanekeeper_exchanges_total counter$/m);
});

test('histograms are cumulative and end with their sum and count', async () => {
  const metrics = createMetrics();
  metrics.observe(SAMPLE);
  metrics.observe({ ...SAMPLE, latency_ms: 1_000_000, ttfb_ms: null });
  const text = await metricsText(metrics.counted(), statusReport());
  assert.match(text, /^# TYPE lanekeeper_latency_seconds histogram$/m);
  assert.match(text, /^lanekeeper_latency_seconds_bucket\{lane="zai",op="stream",le="0.5"\} 0$/m);
  assert.match(text, /^lanekeeper_latency_seconds_bucket\{lane="zai",op="stream",le="1"\} 1$/m);
  assert.match(text, /^lanekeeper_latency_seconds_bucket\{lane="zai",op="stream",le="\+Inf"\} 2$/m);
  assert.match(text, /^lanekeeper_latency_seconds_sum\{lane="zai",op="stream"\} 1000.7$/m);
  assert.match(text, /^lanekeeper_latency_seconds_count\{lane="zai",op="stream"\} 2$/m);
  assert.match(text, /^lanekeeper_ttfb_seconds_count\{lane="zai",op="stream"\} 1$/m);
});

test('a latency on a bound belongs to the bucket of that bound', async () => {
  const metrics = createMetrics();
  metrics.observe({ ...SAMPLE, latency_ms: 500 });
  const text = await metricsText(metrics.counted(), statusReport());
  assert.match(text, /^lanekeeper_latency_seconds_bucket\{lane="zai",op="stream",le="0.5"\} 1$/m);
});

test('what the status tells stands as gauges', async () => {
  const text = await metricsText(
    createMetrics().counted(),
    statusReport({ exchanges: { open: 3, total: 9 } }),
  );
  assert.match(text, /^lanekeeper_exchanges_open 3$/m);
  assert.match(text, /^lanekeeper_resident_memory_bytes 50000000$/m);
  assert.match(text, /^lanekeeper_upstream_sockets\{lane="anthropic",state="idle"\} 1$/m);
  assert.match(text, /^lanekeeper_info\{version="0.0.0"\} 1$/m);
});

test('label combinations are bounded, and none of the exchanges is lost', async () => {
  const metrics = createMetrics();
  const total = METRIC_SERIES_MAX + 20;
  for (let i = 0; i < total; i += 1) metrics.observe({ ...SAMPLE, decision: `rule:${i}` });
  const text = await metricsText(metrics.counted(), statusReport());
  const lines = text.split('\n').filter((line) => line.startsWith('lanekeeper_exchanges_total{'));
  assert.equal(lines.length, METRIC_SERIES_MAX + 1);
  assert.match(text, /lane="other",op="other",status_class="other",decision="other"\} 20$/m);
});

test('every observed latency falls into exactly one bucket', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { maxLength: 40 }),
      async (all) => {
        const metrics = createMetrics();
        for (const latency_ms of all) metrics.observe({ ...SAMPLE, latency_ms });
        const text = await metricsText(metrics.counted(), statusReport());
        const count = /^lanekeeper_latency_seconds_count\{[^}]*\} (\d+)$/m.exec(text)?.[1] ?? '0';
        assert.equal(Number(count), all.length);
      },
    ),
    { numRuns: 25 },
  );
});
