import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startSampler, trendsOf } from './samples.ts';

const READING = { rssBytes: 1e8, heapBytes: 2e7, sockets: 3, handles: null };

test('a proxy that does not answer leaves a gap, not an end', async () => {
  const answered = Promise.withResolvers<void>();
  let looks = 0;
  const sampler = startSampler(async () => {
    looks += 1;
    if (looks < 3) throw new Error('away');
    if (looks === 6) answered.resolve();
    return looks === 4 ? null : READING;
  }, 1);
  await answered.promise;
  await sampler.stop();
  assert(sampler.samples().length >= 3);
  assert(sampler.samples().length < looks);
});

test('looks never overlap', async () => {
  let open = 0;
  const enough = Promise.withResolvers<void>();
  let looks = 0;
  const sampler = startSampler(async () => {
    open += 1;
    assert.equal(open, 1);
    await new Promise((resolve) => setTimeout(resolve, 4));
    open -= 1;
    looks += 1;
    if (looks === 5) enough.resolve();
    return READING;
  }, 1);
  await enough.promise;
  await sampler.stop();
  assert.equal(open, 0);
});

test('what the system does not tell has no trend', () => {
  const samples = Array.from({ length: 100 }, (_, s) => ({ s, ...READING }));
  const names = trendsOf(samples).map((trend) => trend.name);
  assert.deepEqual(names, ['rss', 'heap', 'sockets']);
});

test('a long run keeps no more looks than its bound', async () => {
  const enough = Promise.withResolvers<void>();
  let looks = 0;
  const sampler = startSampler(
    async () => {
      looks += 1;
      if (looks === 20) enough.resolve();
      return READING;
    },
    1,
    8,
  );
  await enough.promise;
  await sampler.stop();
  const kept = sampler.samples();
  assert(kept.length >= 4 && kept.length < 8, String(kept.length));
  assert(kept[0] !== undefined && kept[0].s < 1);
});

/** A heap that is collected every 37 s: it swings by 40 MB, and keeps so much more with each second. */
function heapTrend(keptPerS: number) {
  const samples = Array.from({ length: 600 }, (_, s) => ({
    ...READING,
    s,
    heapBytes: 20e6 + keptPerS * s + ((s % 37) / 37) * 40e6,
  }));
  return trendsOf(samples).find(({ name }) => name === 'heap');
}

test('a heap is judged by what collections leave, not by its swings', () => {
  const flat = heapTrend(0);
  assert.equal(flat?.verdict, 'no leak');
  assert(flat.max < 25, 'the swings are left out');
  const leaking = heapTrend(50_000);
  assert.equal(leaking?.verdict, 'leak');
  assert(Math.abs(leaking.slopePerMin - 3) < 0.3, String(leaking.slopePerMin));
});
