import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fitTrend, type Reading, studentT } from './trend.ts';

/** Readings once a second; noise from a fixed sequence within [-1, 1]. */
function readings(count: number, value: (s: number, noise: number) => number): Reading[] {
  let state = 12_345;
  return Array.from({ length: count }, (_, s) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return { s, value: value(s, state / 1_073_741_824 - 1) };
  });
}

test('a straight line has its slope a minute, and an interval without width', () => {
  const trend = fitTrend(
    readings(100, (s) => 5 + s / 60),
    10,
  );
  assert(trend !== null);
  assert(Math.abs(trend.slopePerMin - 1) < 1e-9);
  assert(Math.abs(trend.interval[1] - trend.interval[0]) < 1e-6);
});

test('growth beyond chance and beyond the bound is a leak', () => {
  const trend = fitTrend(
    readings(300, (s, noise) => 100 + (s / 60) * 3 + noise),
    1,
  );
  assert.equal(trend?.verdict, 'leak');
});

test('noise around a constant is none', () => {
  const trend = fitTrend(
    readings(300, (_, noise) => 100 + 5 * noise),
    0.001,
  );
  assert.equal(trend?.verdict, 'no leak');
  assert(trend.interval[0] < 0 && trend.interval[1] > 0);
});

test('growth below the bound is none, however certain', () => {
  const trend = fitTrend(
    readings(300, (s) => 100 + (s / 60) * 0.5),
    1,
  );
  assert.equal(trend?.verdict, 'no leak');
  assert(trend.interval[0] > 0);
});

test('growth while the program warms up is left out', () => {
  for (const [seconds, warm] of [
    [200, 115],
    [1_500, 290],
  ] as const) {
    const trend = fitTrend(
      readings(seconds, (s, noise) => Math.min(s, warm) + noise),
      0.5,
    );
    assert.equal(trend?.verdict, 'no leak');
  }
});

test('growth in one step is unsteady; in many it is a leak', () => {
  const step = fitTrend(
    readings(400, (s, noise) => (s < 250 ? 100 : 130) + noise),
    1,
  );
  assert.equal(step?.verdict, 'unsteady');
  const stairs = fitTrend(
    readings(600, (s, noise) => 100 + 10 * Math.floor(s / 20) + noise),
    1,
  );
  assert.equal(stairs?.verdict, 'leak');
});

test('fewer than 60 readings after two minutes are too few to judge, and still show their slope', () => {
  const short = fitTrend(
    readings(179, (s) => s),
    1,
  );
  assert.equal(short?.verdict, 'too short to judge');
  assert(Math.abs(short.slopePerMin - 60) < 1e-6);
  const enough = fitTrend(
    readings(180, (s) => s),
    1,
  );
  assert.equal(enough?.verdict, 'leak');
  assert.equal(
    fitTrend(
      readings(2, (s) => s),
      1,
    ),
    null,
  );
});

test('a wandering quantity has a wider interval than one that jumps about', () => {
  const jumping = fitTrend(
    readings(300, (_, noise) => noise),
    1,
  );
  let level = 0;
  const wandering = fitTrend(
    readings(300, (_, noise) => {
      level = 0.9 * level + Math.sqrt(1 - 0.81) * noise;
      return level;
    }),
    1,
  );
  assert(jumping !== null && wandering !== null);
  const width = ({ interval }: typeof jumping): number => interval[1] - interval[0];
  assert(width(wandering) > 2 * width(jumping), `${width(wandering)} ${width(jumping)}`);
});

test('Student’s t is that of the tables', () => {
  for (const [degrees, quantile] of [
    [1, 12.706],
    [3, 3.182],
    [10, 2.228],
    [58, 2.002],
    [1000, 1.962],
  ] as const) {
    assert(Math.abs(studentT(degrees) - quantile) < 0.03, String(degrees));
  }
});
