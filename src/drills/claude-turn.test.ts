import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readDirectives } from '../twin/control.ts';
import { turnOf } from './claude-turn.ts';
import { planOf, requestOf } from './plan.ts';

const REQUESTS = Array.from({ length: 200 }, (_, index) => requestOf(planOf('soak'), index, true));
const SETTING = { simulated: true, notes: '/home/dev/notes.txt' };

test('the twin is asked for the very text that must be shown, the last turn of a tool included', () => {
  const kinds = new Set(REQUESTS.map(({ shape }) => shape));
  assert.deepEqual([...kinds].sort(), ['long', 'medium', 'once', 'short', 'tool']);
  for (const request of REQUESTS) {
    const { prompt, expected } = turnOf(request, SETTING);
    const last = readDirectives(prompt, request.shape === 'tool' ? 1 : 0);
    assert.deepEqual(last?.content, [{ kind: 'say', text: expected }]);
    assert(prompt.endsWith(`(${request.tag})`));
  }
});

test('no two turns have the same text', () => {
  const texts = new Set(REQUESTS.map((request) => turnOf(request, SETTING).expected));
  assert.equal(texts.size, REQUESTS.length);
});

test('a real model gets the words of the plan, and may choose its own', () => {
  const request = requestOf(planOf('soak'), 0, false);
  const turn = turnOf(request, { ...SETTING, simulated: false });
  assert.deepEqual(turn, { prompt: request.prompt, expected: null });
});
