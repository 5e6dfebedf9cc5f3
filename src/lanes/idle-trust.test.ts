import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POOL_IDLE_MS_MIN, POOL_LESSON_MS_MAX } from '../core/limits.ts';
import { IdleTrust } from './idle-trust.ts';

const MAX = 90_000;

function trustAt() {
  const clock = { now: 1_000 };
  return { clock, trust: new IdleTrust(MAX, () => clock.now) };
}

test('what was closed after a time is trusted for half of it, by the shortest seen', () => {
  const { trust } = trustAt();
  assert.equal(trust.ms, MAX);
  trust.learn(60_000);
  assert.equal(trust.ms, 30_000);
  trust.learn(10_000);
  trust.learn(40_000);
  assert.equal(trust.ms, 5_000);
});

test('a lesson is forgotten a while after it was last heard', () => {
  const { trust, clock } = trustAt();
  trust.learn(10_000);
  clock.now += POOL_LESSON_MS_MAX - 1;
  trust.learn(80_000);
  assert.equal(trust.ms, 5_000);
  clock.now += POOL_LESSON_MS_MAX - 1;
  assert.equal(trust.ms, 5_000);
  clock.now += 1;
  assert.equal(trust.ms, MAX);
});

test('what no idle timer does teaches nothing', () => {
  const { trust } = trustAt();
  trust.learn(POOL_IDLE_MS_MIN - 1);
  assert.equal(trust.ms, MAX);
});

test('it is never more than the bound of the pool', () => {
  const { trust } = trustAt();
  trust.learn(10 * MAX);
  assert.equal(trust.ms, MAX);
});
