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

/** Numbers in [0, 1) from a fixed sequence, without the short cycles of the low bits. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** So many series of readings that are correlated with their neighbours (AR(1), variance 1). */
function* series(count: number, length: number, correlation: number, mean = (_s: number) => 0) {
  const next = uniform(count + length);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const fresh = Math.sqrt(1 - correlation ** 2);
  for (let i = 0; i < count; i += 1) {
    let level = normal();
    // Two minutes come on top, which are left out as the warm-up.
    yield Array.from({ length: length + 120 }, (_, s) => {
      level = correlation * level + fresh * normal();
      return { s, value: 100 + level + mean(s) };
    });
  }
}

const SERIES = 400;

/** Shares of the verdicts, and of the series of which the interval does not hold 0. */
function judged(all: Iterable<Reading[]>, bound = 0.01) {
  const shares = new Map<string, number>();
  let misses = 0;
  for (const readings of all) {
    const trend = fitTrend(readings, bound);
    assert(trend !== null);
    shares.set(trend.verdict, (shares.get(trend.verdict) ?? 0) + 1 / SERIES);
    if (trend.zero !== 'holds') misses += 1;
  }
  return { misses: misses / SERIES, leaks: shares.get('leak') ?? 0 };
}

for (const [length, correlation, most] of [
  [60, 0, 0.08],
  [200, 0.5, 0.08],
  [200, 0.9, 0.09],
  [600, 0.9, 0.08],
  [600, 0.97, 0.09],
  [600, 0.99, 0.11],
  [1_500, 0.99, 0.08],
] as const) {
  test(`of flat series of ${length} readings, neighbours correlated by ${correlation}, about 5 % seem to slope`, () => {
    const { misses, leaks } = judged(series(SERIES, length, correlation));
    assert(misses >= 0.01 && misses <= most, String(misses));
    // Growth from each quarter to the next is asked for too, and upwards only.
    assert(leaks < 0.03, String(leaks));
  });
}

test('a step is never a leak, wherever it comes', () => {
  for (const at of [160, 300, 420, 560, 690]) {
    const steps = series(SERIES / 4, 600, 0.9, (s) => (s < at ? 0 : 30));
    assert.equal(judged(steps, 1).leaks, 0, String(at));
  }
});

test('a leak of three times the bound is found in ten minutes, under the noise of a heap', () => {
  for (const [correlation, noise] of [
    [0, 8],
    [0.9, 4],
    [0.97, 2],
  ] as const) {
    // Noise of that many units, the leak of 3 a minute.
    const leaking = series(SERIES, 600, correlation, (s) => ((s / 60) * 3) / noise);
    const scaled = function* () {
      for (const one of leaking) yield one.map(({ s, value }) => ({ s, value: value * noise }));
    };
    const { leaks } = judged(scaled(), 1);
    assert(leaks > 0.95, `${correlation}: ${leaks}`);
  }
});

test('Student’s t is that of the tables', () => {
  for (const [degrees, quantile] of [
    [1, 12.706],
    [2, 4.303],
    [3, 3.182],
    [10, 2.228],
    [58, 2.002],
    [1000, 1.962],
  ] as const) {
    assert(Math.abs(studentT(degrees) - quantile) < 0.03, String(degrees));
  }
});
