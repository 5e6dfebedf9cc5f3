import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';

import { createHistogram } from './histogram.ts';

test('a histogram of nothing has no quantiles', () => {
  assert.equal(createHistogram().summary(), null);
});

test('each quantile is within 2.5 % of the value at its rank', () => {
  const durations = fc.array(fc.double({ min: 0.02, max: 1e6, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(durations, (values) => {
      const histogram = createHistogram();
      for (const value of values) histogram.add(value);
      const sorted = [...values].sort((a, b) => a - b);
      const summary = histogram.summary();
      assert(summary !== null);
      for (const [name, q] of [
        ['p50', 0.5],
        ['p95', 0.95],
        ['p99', 0.99],
      ] as const) {
        const exact = sorted[Math.ceil(q * sorted.length) - 1] ?? 0;
        assert(Math.abs(summary[name] / exact - 1) < 0.026, `${name} ${summary[name]} ${exact}`);
      }
      assert.equal(summary.max, sorted.at(-1));
      assert.equal(histogram.count, values.length);
    }),
  );
});

test('durations of no length and of days are kept too', () => {
  const histogram = createHistogram();
  histogram.add(0);
  histogram.add(1e12);
  assert.equal(histogram.summary()?.max, 1e12);
});
