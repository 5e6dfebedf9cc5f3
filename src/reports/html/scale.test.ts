import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../../../test/support/properties.ts';
import { linearScale, logScale, timeTicks } from './scale.ts';

describe('a linear scale', () => {
  test('has few round ticks, the last at or above the largest value', () => {
    assert.deepEqual(linearScale(0, 0, 10).ticks, [0, 1]);
    assert.deepEqual(linearScale(22, 0, 10).ticks, [0, 10, 20, 30]);
    fc.assert(
      fc.property(fc.nat(1e9), (max) => {
        const { ticks, at } = linearScale(max, 200, 10);
        assert(ticks.length >= 2 && ticks.length <= 6, `${ticks}`);
        assert((ticks.at(-1) ?? 0) >= max);
        assert.equal(at(0), 200);
        assert(at(max) >= 10);
      }),
    );
  });
});

describe('a logarithmic scale', () => {
  test('has the powers of ten around its values', () => {
    const { ticks, at } = logScale([12, 4_700], 0, 300);
    assert.deepEqual(ticks, [10, 100, 1_000, 10_000]);
    assert.equal(at(10), 0);
    assert.equal(Math.round(at(1_000)), 200);
  });

  test('has room for one value, for none and for 0', () => {
    assert.deepEqual(logScale([100], 0, 1).ticks, [100, 1_000]);
    assert.deepEqual(logScale([], 0, 1).ticks, [1, 10]);
    assert.equal(logScale([0], 0, 1).at(0), 0);
  });
});

describe('an axis of time', () => {
  test('names the day where it changes, and the hour elsewhere', () => {
    const from = Date.UTC(2026, 10, 26, 22) / 1000;
    assert.deepEqual(
      timeTicks(from, 3_600, 4, 4).map(({ label }) => label),
      ['11-26', '23:00', '11-27', '01:00'],
    );
  });

  test('names days alone where a label is for more than one', () => {
    const from = Date.UTC(2026, 10, 1) / 1000;
    assert.deepEqual(
      timeTicks(from, 43_200, 12, 3).map(({ step, label }) => `${step} ${label}`),
      ['0 11-01', '4 11-03', '8 11-05'],
    );
  });
});
