import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';

import { compare, type Pair, type Quantity } from './ab-compare.ts';

const TIME: Quantity = { name: 'latency', unit: 'ms', isTime: true };
const RATE: Quantity = { name: 'throughput', unit: 'MB/s', isTime: false };

const taken = fc.double({ min: 0.01, max: 1e5, noNaN: true });
const pairs = fc.array(fc.record({ a: taken, b: taken }), {
  minLength: 2,
  maxLength: 40,
}) as fc.Arbitrary<Pair[]>;

/** The same difference in each pair, with noise that all of them share and a little that they do not. */
function noisyPairs(count: number, factor: number): Pair[] {
  return Array.from({ length: count }, (_, i) => {
    const machine = 1 + (i % 7);
    return { a: 10 * machine, b: 10 * machine * factor * (1 + ((i % 3) - 1) / 100) };
  });
}

test('the mean difference and its interval are those of the textbook', () => {
  const compared = compare(TIME, [
    { a: 10, b: 11 },
    { a: 20, b: 23 },
    { a: 30, b: 35 },
    { a: 40, b: 47 },
  ]);
  // Differences 1, 3, 5, 7: mean 4, deviation 2.582, t with 3 degrees of freedom 3.182.
  assert.equal(compared?.difference.value, 4);
  const [low = 0, high = 0] = compared?.difference.interval ?? [];
  assert(Math.abs(low - (4 - 3.182 * 1.291)) < 0.05, String(low));
  assert(Math.abs(high - (4 + 3.182 * 1.291)) < 0.05, String(high));
  assert.deepEqual([compared?.a, compared?.b, compared?.pairs], [25, 29, 4]);
});

test('what slows both sides of a pair hides no difference', () => {
  const compared = compare(TIME, noisyPairs(20, 1.2));
  assert.match(compared?.verdict ?? '', /^B slower by (19|20)\.\d % \[/);
  assert.equal(compare(TIME, noisyPairs(21, 1))?.verdict, 'no difference shown');
});

test('more of a rate is faster, and a verdict always speaks of time', () => {
  assert.match(compare(RATE, noisyPairs(20, 1.2))?.verdict ?? '', /^B faster by 16\.\d % \[/);
  assert.match(compare(RATE, noisyPairs(20, 0.8))?.verdict ?? '', /^B slower by 2[45]\.\d % \[/);
  assert.match(
    compare(RATE, noisyPairs(20, 0.1))?.verdict ?? '',
    /^B slower: 10\.\d\d of A's time/,
  );
  assert.match(compare(TIME, noisyPairs(20, 0.1))?.verdict ?? '', /^B faster: 0\.10 of A's time/);
});

test('one pair has no interval and tells nothing, none no comparison', () => {
  const compared = compare(TIME, [{ a: 1, b: 9 }]);
  assert.deepEqual(compared?.difference, { value: 8, interval: null });
  assert.equal(compared?.ratio.interval, null);
  assert.equal(compared?.verdict, 'too few blocks to tell');
  assert.equal(compare(TIME, []), null);
});

test('every interval holds its estimate, and changing the sides turns it round', () => {
  fc.assert(
    fc.property(pairs, (some) => {
      const there = compare(TIME, some);
      const back = compare(
        TIME,
        some.map(({ a, b }) => ({ a: b, b: a })),
      );
      assert(there !== null && back !== null);
      for (const { value, interval } of [there.difference, there.ratio]) {
        assert(interval !== null && interval[0] <= value && value <= interval[1]);
      }
      const nearly = (x: number, y: number): boolean => Math.abs(x - y) <= 1e-6 * Math.abs(x + y);
      assert(nearly(there.ratio.value, 1 / back.ratio.value));
      assert(nearly(there.difference.value + 1e6, 1e6 - back.difference.value));
      assert.equal(there.verdict.startsWith('B slower'), back.verdict.startsWith('B faster'));
    }),
  );
});
