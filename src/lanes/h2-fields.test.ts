import assert from 'node:assert/strict';
import { test } from 'node:test';
import { h2Trailers } from './h2-fields.ts';

test('trailers named like members of every object are trailers like any other', () => {
  const trailers = h2Trailers([
    ['constructor', '1'],
    ['__proto__', '2'],
    ['X-Sum', '7'],
  ]);
  assert.deepEqual(Object.entries(trailers), [
    ['constructor', '1'],
    ['__proto__', '2'],
    ['x-sum', '7'],
  ]);
});
