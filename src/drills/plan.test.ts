import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DRILL_NAMES, planOf, requestOf, tagWithin } from './plan.ts';

test('a drill asks the same each time', () => {
  for (const name of DRILL_NAMES) {
    const ask = () => Array.from({ length: 50 }, (_, i) => requestOf(planOf(name), i, true));
    assert.deepEqual(ask(), ask());
  }
});

test('soak, alternate and burst ask both lanes in turn; parallel asks Haiku alone', () => {
  for (const name of ['soak', 'alternate', 'burst'] as const) {
    const lanes = [0, 1, 2, 3].map((i) => requestOf(planOf(name), i, true).lane);
    assert.deepEqual(lanes, ['anthropic', 'zai', 'anthropic', 'zai']);
  }
  const plan = planOf('parallel');
  assert.equal(plan.concurrency, 4);
  for (let i = 0; i < 10; i += 1) assert.match(requestOf(plan, i, true).model, /haiku/);
});

test('with the switch in place of the model, every request is a Haiku and all clients turn at once', () => {
  const plan = planOf('soak', { alternation: 'force', concurrency: 3 });
  const asked = Array.from({ length: 240 }, (_, i) => requestOf(plan, i, true));
  assert(asked.every(({ model }) => /haiku/.test(model)));
  const turns = asked.slice(0, 9).map(({ lane }) => lane);
  assert.deepEqual(turns, [...fill('anthropic'), ...fill('zai'), ...fill('anthropic')]);
  for (const lane of ['anthropic', 'zai']) {
    const shapes = asked.flatMap((one, i) => (one.lane === lane ? [plan.shapeOf(i)] : []));
    assert(new Set(shapes).size >= 4);
  }
});

function fill(lane: string): string[] {
  return Array.from({ length: 3 }, () => lane);
}

test('both lanes get every shape of answer', () => {
  const plan = planOf('burst');
  for (const lane of ['anthropic', 'zai']) {
    const shapes = new Set<string>();
    for (let i = 0; i < 200; i += 1) if (plan.laneOf(i) === lane) shapes.add(plan.shapeOf(i));
    assert.deepEqual([...shapes].sort(), ['long', 'medium', 'once', 'short', 'tool']);
  }
});

test('the bounds of the contract are the defaults, and each can be changed', () => {
  assert.equal(planOf('soak').ms, 30 * 60_000);
  assert.equal(planOf('soak').pauseMs, 2_000);
  assert.equal(planOf('burst').count, 30);
  assert.equal(planOf('warmup').count, 3);
  const changed = planOf('burst', { minutes: 0.5, concurrency: 2, pauseMs: 7 });
  assert.deepEqual(
    [changed.count, changed.ms, changed.concurrency, changed.pauseMs],
    [null, 30_000, 2, 7],
  );
  const both = planOf('soak', { minutes: 1, count: 5 });
  assert.deepEqual([both.count, both.ms], [5, 60_000]);
});

test('a request is told by its tag, wherever that stands in the body', () => {
  const { tag, prompt } = requestOf(planOf('soak'), 123_456_789, true);
  assert.equal(tagWithin(Buffer.from(JSON.stringify({ prompt, more: 1 }))), tag);
  assert.equal(tagWithin(Buffer.from('drill-12')), null);
  assert.equal(tagWithin(Buffer.alloc(0)), null);
});

test('a real model is asked in words, the twin by directives', () => {
  assert.doesNotMatch(requestOf(planOf('soak'), 0, false).prompt, /\[twin:/);
  assert.match(requestOf(planOf('soak'), 0, true).prompt, /\[twin:/);
});
