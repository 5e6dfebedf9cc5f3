/** What would make Node dump is left out of what a process is started with, and nothing else is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardedEnvironment, withoutDumps } from './guarded-process.ts';

test('flags that dump are left out, with the values that stand apart from them', () => {
  for (const [words, kept] of [
    ['--inspect', ''],
    ['--inspect-brk=0 --max-old-space-size=99', '--max-old-space-size=99'],
    ['--inspect_port 9229 --no-warnings', '--no-warnings'],
    ['--heapsnapshot-signal=SIGUSR2 --heapsnapshot_near_heap_limit 3 -r ./x.js', '-r ./x.js'],
    ['--require ./x.js --report-on-signal --import ./y.js', '--require ./x.js --import ./y.js'],
    ['--abort-on-uncaught-exception --tls-keylog=k --trace_tls --heap-prof', ''],
    ['--max-semi-space-size=8 --disable-sigusr1', '--max-semi-space-size=8 --disable-sigusr1'],
  ] as const) {
    assert.equal(withoutDumps(words.split(' ')).join(' '), kept, words);
  }
});

test('an environment keeps all but what makes Node dump or tell', () => {
  const env = { A: '1', NODE_DEBUG: 'http', NODE_OPTIONS: '--inspect --no-warnings' };
  assert.deepEqual(guardedEnvironment(env), { A: '1', NODE_OPTIONS: '--no-warnings' });
  assert.deepEqual(guardedEnvironment({ A: '1' }), { A: '1' });
});
