/** When writes that wait for the end of a turn run, and what they do to each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atEndOfTurn, WRITERS_MAX } from './turn.ts';

const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('they run at the end of the turn, in the order of the calls', async () => {
  const ran: string[] = [];
  atEndOfTurn(() => ran.push('a'));
  atEndOfTurn(() => ran.push('b'));
  await tick();
  assert.deepEqual(ran, []);
  await turn();
  assert.deepEqual(ran, ['a', 'b']);
});

test('many do not wait for the end of the turn', async () => {
  let ran = 0;
  for (let i = 0; i <= WRITERS_MAX; i += 1) {
    atEndOfTurn(() => {
      ran += 1;
    });
  }
  await tick();
  assert.equal(ran, WRITERS_MAX + 1);
  await turn();
  assert.equal(ran, WRITERS_MAX + 1);
});

test('what one of them asks for runs in a later turn', async () => {
  const ran: string[] = [];
  atEndOfTurn(() => {
    ran.push('a');
    atEndOfTurn(() => ran.push('b'));
  });
  await turn();
  assert.deepEqual(ran, ['a']);
  await turn();
  assert.deepEqual(ran, ['a', 'b']);
});

test('one that throws takes no other with it', async (t) => {
  const thrown: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (error) => thrown.push(error));
  t.after(() => {
    for (const listener of others) process.on('uncaughtException', listener);
  });
  const failure = new Error('a write that fails');
  const ran: string[] = [];
  atEndOfTurn(() => {
    throw failure;
  });
  atEndOfTurn(() => ran.push('b'));
  await turn();
  await turn();
  await turn();
  assert.deepEqual([thrown, ran], [[failure], ['b']]);
});
