import assert from 'node:assert/strict';
import { test } from 'node:test';

import { abCasesOf } from './ab-plan.ts';
import { requestOf } from './plan.ts';

test('each subject has its cases, and without one there are all', () => {
  const names = (subject: Parameters<typeof abCasesOf>[0]): string[] =>
    abCasesOf(subject).map(({ name }) => name);
  assert.deepEqual(names('http2'), ['http2 mixture', 'http2 uploads']);
  assert.deepEqual(names('header-mode'), ['header-mode']);
  assert.deepEqual(names(null), ['http2 mixture', 'http2 uploads', 'header-mode']);
});

test('26 uploads of 1 MB go at once to one upstream, at a distance', () => {
  const [, uploads] = abCasesOf('http2');
  assert(uploads !== undefined && uploads.rttMs > 0);
  const { block } = uploads;
  assert.deepEqual([block.count, block.concurrency], [26, 26]);
  for (const index of [0, 1, 25]) {
    const { prompt, lane, tag } = requestOf(block, index, true);
    assert(prompt.length >= 1_000_000 && prompt.length < 1_000_100);
    assert(prompt.startsWith('[twin:') && prompt.endsWith(`(${tag})`));
    assert.equal(lane, 'anthropic');
  }
});

test('the header mode is asked of the keyed lane alone', () => {
  for (const { block } of abCasesOf('header-mode')) {
    for (let i = 0; i < 20; i += 1) assert.equal(block.laneOf(i), 'zai');
  }
});

test('a count makes two blocks or more, minutes are shared, and the rest can be changed', () => {
  const sizes = (count: number) =>
    abCasesOf('http2', { count }).map(({ pairs, block, ms }) => [pairs, block.count, ms]);
  assert.deepEqual(sizes(10), [
    [2, 5, null],
    [2, 26, null],
  ]);
  assert.deepEqual(sizes(1_000), [
    [5, 200, null],
    [39, 26, null],
  ]);
  for (const one of abCasesOf('http2', { minutes: 3 })) {
    assert.deepEqual([one.ms, one.pairs], [90_000, null]);
  }
  assert.equal(abCasesOf('header-mode', { minutes: 3 })[0]?.ms, 180_000);
  for (const { block, rttMs } of abCasesOf(null, { concurrency: 3, rttMs: 7 })) {
    assert.deepEqual([block.concurrency, rttMs], [3, 7]);
  }
});

test('the sides of a case differ in their setting alone, and both name it', () => {
  for (const { a, b } of abCasesOf(null)) {
    assert.deepEqual(Object.keys(a.env), Object.keys(b.env));
    assert.notDeepEqual(a.env, b.env);
    for (const { label, env } of [a, b]) {
      const [name = '', value = ''] = label.split('=');
      assert.equal(env[name], value);
    }
  }
});
