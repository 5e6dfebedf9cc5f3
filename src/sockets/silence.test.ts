/** When silence is noticed, and that one timer does for all of it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type MockTime, mockTime } from '../../test/support/mock-time.ts';
import { Silence } from './silence.ts';

interface Scene {
  readonly silence: Silence;
  readonly time: MockTime;
  /** When silence was noticed, ms from the begin. */
  readonly noticed: number[];
  /** How many timers were made. */
  timers(): number;
}

function scene(t: TestContext): Scene {
  const time = mockTime(t);
  const begin = performance.now();
  const made = t.mock.method(globalThis, 'setTimeout');
  const noticed: number[] = [];
  const silence = new Silence(() => noticed.push(performance.now() - begin));
  return { silence, time, noticed, timers: () => made.mock.callCount() };
}

/** Lets time pass ms by ms, as it does. */
function pass({ time }: Scene, ms: number): void {
  for (let i = 0; i < ms; i += 1) time.tick(1);
}

test('silence is noticed when its time is over, once', (t) => {
  const here = scene(t);
  here.silence.watch(100);
  pass(here, 500);
  assert.deepEqual(here.noticed, [100]);
});

test('a sign of life begins the time anew, and makes no timer', (t) => {
  const here = scene(t);
  here.silence.watch(100);
  for (let i = 0; i < 8; i += 1) {
    pass(here, 10);
    here.silence.touch();
  }
  assert.equal(here.timers(), 1);
  pass(here, 200);
  assert.deepEqual(here.noticed, [180]);
});

test('at rest nothing is noticed; the timer that runs serves what is watched next', (t) => {
  const here = scene(t);
  here.silence.watch(100);
  here.silence.rest();
  here.silence.touch();
  pass(here, 50);
  here.silence.watch(100);
  assert.equal(here.timers(), 1);
  pass(here, 99);
  assert.deepEqual(here.noticed, []);
  pass(here, 1);
  assert.deepEqual(here.noticed, [150]);
});

test('a shorter time is kept although a timer runs for a longer one', (t) => {
  const here = scene(t);
  here.silence.watch(1_000);
  here.silence.watch(100);
  pass(here, 2_000);
  assert.deepEqual(here.noticed, [100]);
});

test('closed, it neither fires nor keeps a timer', (t) => {
  const here = scene(t);
  here.silence.watch(100);
  here.silence.close();
  pass(here, 500);
  assert.deepEqual(here.noticed, []);
});

test('it does not keep the process alive', (t) => {
  const set = globalThis.setTimeout;
  let made: NodeJS.Timeout | undefined;
  t.mock.method(globalThis, 'setTimeout', (...args: Parameters<typeof set>) => {
    made = set(...args);
    return made;
  });
  const silence = new Silence(() => undefined);
  silence.watch(10_000);
  assert.equal(made?.hasRef(), false);
  silence.close();
});
