/** Answers that an attempt does not hand on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTERIM_ANSWERS_MAX } from '../core/limits.ts';
import type { ResponseHead } from '../core/message.ts';
import { createScene, ScriptedClient } from './scripted-ports.ts';

const EARLY_HINTS: ResponseHead = {
  status: 103,
  reason: '',
  version: '1.1',
  fields: [],
  framing: { kind: 'none' },
  keepAlive: true,
};

test('interim answers pass up to their bound; beyond it the upstream is given up', () => {
  const scene = createScene();
  const client = new ScriptedClient('GET', '/v1/models', [], null);
  scene.open(client);
  const attempt = scene.attempt();
  for (let i = 0; i < INTERIM_ANSWERS_MAX; i += 1) attempt.events.onInterim(EARLY_HINTS);
  assert.equal(client.heard.length, INTERIM_ANSWERS_MAX);
  assert.equal(attempt.aborted, false);
  attempt.events.onInterim(EARLY_HINTS);
  assert.equal(attempt.aborted, true);
  assert.deepEqual(client.heard.slice(INTERIM_ANSWERS_MAX), ['head 502', 'end']);
  assert.equal(scene.attempts.length, 1, 'it had answered: nothing is asked twice');
  assert.deepEqual(
    scene.records.map(({ status, err_type }) => [status, err_type]),
    [[502, 'net']],
  );
  // What still comes passes no more.
  attempt.events.onInterim(EARLY_HINTS);
  assert.equal(client.heard.length, INTERIM_ANSWERS_MAX + 2);
});
