import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf, requestOf } from '../drills/plan.ts';
import { createTally } from '../drills/tally.ts';
import { HEARD } from '../drills/testing/exchange.ts';
import type { Heard } from '../drills/types.ts';
import { differenceOf, isUneven } from './reactions.ts';

function outcomeOf(exchanges: readonly Partial<Heard>[]) {
  const counts = createTally();
  const plan = planOf('burst');
  for (const [index, one] of exchanges.entries()) {
    counts.add(requestOf(plan, index, true), { ...HEARD, ...one }, null);
  }
  return { counts };
}

test('uneven is a slow twentieth that is far from the median, by share and by time', () => {
  const with95 = (p50: number, slow: number) =>
    outcomeOf(Array.from({ length: 40 }, (_, i) => ({ ttfbMs: i < 36 ? p50 : slow })));
  assert.equal(isUneven(with95(10, 600)), true);
  assert.equal(isUneven(with95(10, 100)), false, 'nobody notices 90 ms');
  assert.equal(isUneven(with95(400, 800)), false, 'twice the median is no jitter');
  assert.equal(isUneven(outcomeOf([])), false);
});

test('the difference tells both medians and both slow ends', () => {
  const { met, detail } = differenceOf(outcomeOf([{ ttfbMs: 900 }]), outcomeOf([{ ttfbMs: 90 }]));
  assert.equal(met, null);
  assert.match(detail, /p50 \d{3} to \d{2} ms, p95 \d{3} to \d{2} ms with HTTP\/1\.1 alone/);
});
